"""``/definitions``: what the broker has been made to be, as one document (operations §1.15)."""

from __future__ import annotations

from enum import StrEnum

from twisted.internet.defer import DeferredLock

from broker.admin.actions.change import ChangeDesk, Request, broker_of, change_operation, note_reading
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.query import flag, one_of
from broker.admin.definitions.format import SECTIONS, Definitions, DefinitionsToImport, in_lines, schema
from broker.admin.definitions.whole import Imported, export, import_
from broker.admin.roles import Right
from broker.net.http.exchange import JSON_TYPE, Answer, Call, json
from broker.net.http.problem import wrong_parameter
from broker.net.http.routes import Cost

MAX_BODY = 64 << 20
DRY_RUN, MODE, PRETTY, VERIFIERS, WANTED = "dryRun", "mode", "pretty", "verifiers", "sections"


class Mode(StrEnum):
    """What becomes of what the document does not have."""

    MERGE = "merge"
    REPLACE = "replace"


class Pretty(StrEnum):
    """How the document is written."""

    LINES = "lines"


_WANTED = Parameter(
    WANTED, {"type": "string", "description": f"Comma list of {', '.join(SECTIONS)}; all where it is left out."}
)


def definition_operations(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where changes are made.
    """
    lock = DeferredLock()

    async def tell(call: Call) -> Answer:
        names, verifiers, pretty = _sections(call), flag(call, VERIFIERS), one_of(call, PRETTY, Pretty)
        await note_reading(desk, call, "definitions.export", "", _parameters(call))
        broker_of(desk)
        document = await export(desk.instance, names, verifiers=verifiers)
        return Answer(in_lines(document), JSON_TYPE) if pretty is not None else json(document)

    async def tell_schema(call: Call) -> Answer:
        return json(schema())

    async def take(request: Request[DefinitionsToImport]) -> Imported:
        call = request.call
        replace, rehearse = one_of(call, MODE, Mode) is Mode.REPLACE, flag(call, DRY_RUN)
        names = _sections(call)
        broker_of(desk)
        await lock.acquire()
        try:
            return await import_(
                desk.instance, request.asker, request.body.sections, names, replace=replace, rehearse=rehearse
            )
        finally:
            lock.release()

    return [
        Operation(
            "exportDefinitions",
            "GET",
            f"{API}/definitions",
            Right.ADMINISTRATOR,
            tell,
            "Accounts, topics, subscriptions and the like, as one document, without messages.",
            Definitions,
            (
                _WANTED,
                Parameter(
                    VERIFIERS, {"type": "boolean", "default": False, "description": "With verifiers of passwords."}
                ),
                Parameter(
                    PRETTY, {"type": "string", "enum": list(Pretty), "description": "One object a line, to compare."}
                ),
            ),
            cost=Cost.HEAVY,
        ),
        Operation(
            "getDefinitionsSchema",
            "GET",
            f"{API}/definitions/schema",
            Right.ALL,
            tell_schema,
            "The JSON Schema of this document.",
            None,
            any_level=True,
        ),
        change_operation(
            desk,
            "importDefinitions",
            "POST",
            "/definitions",
            Right.ADMINISTRATOR,
            "Make the broker what such a document says: all of it in one commit, or nothing.",
            "definitions.import",
            DefinitionsToImport,
            Imported,
            take,
            cost=Cost.HEAVY,
            target=lambda request: "",
            told=lambda request: _parameters(request.call),
            max_body=MAX_BODY,
            parameters=(
                Parameter(
                    MODE,
                    {
                        "type": "string",
                        "enum": list(Mode),
                        "default": Mode.MERGE,
                        "description": "With replace, what the sections of the document lack is deleted.",
                    },
                ),
                _WANTED,
                Parameter(
                    DRY_RUN, {"type": "boolean", "default": False, "description": "Tell what would be, and do nothing."}
                ),
            ),
        ),
    ]


def _sections(call: Call) -> frozenset[str]:
    text = call.query.get(WANTED)
    if text is None:
        return frozenset(SECTIONS)
    names = frozenset(each.strip() for each in text.split(","))
    unknown = sorted(names - set(SECTIONS))
    if unknown:
        raise wrong_parameter(WANTED, f"{unknown[0][:64]} is none of {', '.join(SECTIONS)}")
    return names


def _parameters(call: Call) -> str:
    return " ".join(f"{name}={value[:200]}" for name, value in sorted(call.query.items()))
