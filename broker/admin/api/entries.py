"""Operations on the entries of a queue: looking at them leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from http import HTTPStatus

import msgspec

from broker.admin.actions.change import ChangeDesk, note_reading
from broker.admin.api.gate import Actor, Gate
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.paging import CURSOR, limit_parameter, read_limit
from broker.admin.api.query import one_of, whole_number
from broker.admin.disk_reads import DiskReads
from broker.admin.filtering import by_pattern
from broker.admin.instance import Instance
from broker.admin.listing import BrokenRow, Predicate
from broker.admin.moment import moment
from broker.admin.roles import Right, Role
from broker.admin.views.entries import EntryRow, entry_row
from broker.admin.views.queues import QueueOf, find_queue, id_of, outstanding_of, revision_of
from broker.core.entries import Entry
from broker.core.history import History
from broker.core.peeking import Peeked, Place, peek, peek_back
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused, wrong_parameter
from broker.net.http.routes import Cost

ROWS = 50
MAX_SCANNED = 10_000
"""Entries that are looked at for one page, where filters leave most of them out."""
CONTENT_BYTES = 1024
MAX_CONTENT_BYTES = 1024 * 1024
MAX_PAGE_BYTES = 8 * 1024 * 1024
"""Of contents on one page."""
PROPERTY = "property."
"""Before the name of a property in the name of its filter."""


class End(StrEnum):
    """Where to begin."""

    HEAD = "head"
    TAIL = "tail"


class EntriesInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """About a page of entries.

    Args:
        scanned: entries that were looked at.
        next: cursor of the next page; absent where there is nothing more.
    """

    scanned: int
    next: str | None = None


class EntriesPage(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Entries of a queue.

    Args:
        items: rows.
        page: about them.
        as_of: when they were made.
        revision: of the queue when this began; it is another one as soon as an entry has come or gone. Absent for a
            history.
    """

    items: list[msgspec.Struct]
    page: EntriesInfo
    as_of: str
    revision: str | None = None


def entry_operations(instance: Instance, gate: Gate, reads: DiskReads) -> list[Operation]:
    """The operations.

    Args:
        instance: the broker.
        gate: tells who asks.
        reads: limits how often queues are read from disk.
    """
    desk = ChangeDesk(instance, gate)

    async def list_entries(call: Call) -> Answer:
        node = instance.broker.node
        parameters = call.parameters
        found = find_queue(node, parameters["relating"], parameters["owner"])
        if found is None:
            raise no_queue(call)
        actor = gate.actor(call)
        wanted = _wanted(call, actor)
        page = await _page(instance, found, wanted, reads)
        if wanted.content_bytes and page.items:
            await note_reading(desk, call, "queue.peek", id_of(found), f"{len(page.items)} entries")
        return json(page)

    return [
        Operation(
            "listEntries",
            "GET",
            f"{API}/queues/{{relating}}/{{owner}}/entries",
            Right.MONITORING,
            list_entries,
            "Entries of a queue in order of delivery, without any trace; QoS, properties and contents for operators.",
            EntriesPage,
            (
                Parameter("from", {"type": "string", "enum": list(End), "default": End.HEAD}),
                limit_parameter(ROWS),
                CURSOR,
                Parameter(
                    "contentBytes",
                    {"type": "integer", "minimum": 0, "maximum": MAX_CONTENT_BYTES, "default": CONTENT_BYTES},
                ),
                Parameter(
                    "oid", {"type": "string", "description": "* at the beginning or the end stands for any text."}
                ),
                Parameter("sender", {"type": "string", "description": "As oid; absolute names of sessions."}),
                Parameter(f"{PROPERTY}*", {"type": "string", "description": "Value of a property of the client."}),
            ),
            rows=EntryRow,
            cost=Cost.STORE,
        )
    ]


def no_queue(call: Call) -> Refused:
    """The error for a queue that there is not."""
    name = "/".join(call.parameters.values())[:200]
    return Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, f"there is no queue {name}")


class _Wanted(msgspec.Struct, frozen=True):
    """What of a queue is wanted; ``content_bytes`` is ``None`` for envelopes only."""

    end: End
    limit: int
    start: Place | None
    content_bytes: int | None
    predicates: Sequence[Predicate[Entry]]


def _wanted(call: Call, actor: Actor) -> _Wanted:
    is_operator = actor.role >= Role.OPERATOR
    predicates: list[Predicate[Entry]] = []
    for name, text in call.query.items():
        try:
            if name == "oid":
                predicates.append(by_pattern(_oid).read(text))
            elif name == "sender":
                predicates.append(by_pattern(_sender).read(text))
            elif name.startswith(PROPERTY):
                if not is_operator:
                    raise BrokerError(Code.USER_NOT_AUTHORIZED, "properties are for the role operator")
                predicates.append(_by_property(name.removeprefix(PROPERTY), text))
        except ValueError as error:
            raise wrong_parameter(name, str(error)) from error
    content = whole_number(call, "contentBytes", CONTENT_BYTES, 0, MAX_CONTENT_BYTES)
    return _Wanted(
        one_of(call, "from", End) or End.HEAD,
        read_limit(call, ROWS),
        _read_cursor(call),
        content if is_operator else None,
        predicates,
    )


async def _page(instance: Instance, found: QueueOf, wanted: _Wanted, reads: DiskReads) -> EntriesPage:
    node, queue = instance.broker.node, found.queue
    revision = revision_of(queue)
    if any(part.entries is None for part in queue.parts()):
        reads.take()
    look = peek if wanted.end is End.HEAD else peek_back
    outstanding = list(outstanding_of(found))
    in_flight = {entry.seq for entry in outstanding}
    entries = look(node, queue, outstanding, wanted.start, contents=bool(wanted.content_bytes))
    items: list[msgspec.Struct] = []
    scanned = size = 0
    last: Place | None = None
    now = node.now()
    async for peeked in _unexpired(entries, queue, now):
        if len(items) >= wanted.limit or scanned >= MAX_SCANNED or size >= MAX_PAGE_BYTES:
            break
        scanned, last, entry = scanned + 1, peeked.place, peeked.entry
        if entry is None:
            items.append(BrokenRow(str(peeked.place.seq), peeked.error))
        elif all(predicate(entry) for predicate in wanted.predicates):
            content = wanted.content_bytes
            items.append(entry_row(peeked, entry, in_flight=entry.seq in in_flight, content_bytes=content))
            size += min(content or 0, len(entry.message.content))
    else:
        last = None
    return EntriesPage(items, EntriesInfo(scanned, _cursor(last)), moment(node.now()), revision)


async def _unexpired(entries: AsyncIterator[Peeked], queue: object, now: int) -> AsyncIterator[Peeked]:
    """Without what a history does not have any more, though it is still on disk."""
    is_history = isinstance(queue, History)
    async for peeked in entries:
        expires = 0 if peeked.entry is None else peeked.entry.message.expires
        if not (is_history and 0 < expires <= now):
            yield peeked


def _by_property(name: str, value: str) -> Predicate[Entry]:
    return lambda entry: any(each.name == name and each.text == value for each in entry.message.qos.properties)


def _oid(entry: Entry) -> str:
    return entry.message.oid


def _sender(entry: Entry) -> str:
    return entry.message.qos.sender


def _cursor(place: Place | None) -> str | None:
    return None if place is None else f"{place.rank}.{place.seq}"


def _read_cursor(call: Call) -> Place | None:
    text = call.query.get("cursor")
    if text is None:
        return None
    rank, _, seq = text.partition(".")
    place = whole_or_none(rank, 0), whole_or_none(seq, 0)
    if place[0] is None or place[1] is None:
        raise wrong_parameter("cursor", "it is no cursor")
    return Place(place[0], place[1])
