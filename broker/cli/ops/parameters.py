"""Options for the parameters of operations, and back: what was given, for the query and for the body of a request."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.cli.ops.document import Parameter, Schema
from broker.errors import BrokerError, Code
from broker.model.json_object import object_or_none
from broker.model.number import real_or_none, whole_or_none

OPTIONS = {
    "q": "--search",
    "principal": "--by",
    "groupBy": "--by",
    "forSeconds": "--for",
    "graceSeconds": "--grace",
    "seqs": "--seq",
    "ids": "--id",
}
"""Options whose names are not those of their parameters."""
QUERY, BODY = "query_", "body_"
"""Before the names of parameters among those of the parsed options."""
FILTER = f"{BODY}filter."
ANY = ".*"
"""At the end of a parameter of which there is one for each name, such as ``property.*``."""
SELECTIONS = ("select", "filter")
"""Members of a body that say which; their own members are options."""
EXPECTED = "expected"
"""The member of a body that says how many these are."""
QUEUE_PARTS = {"relating", "owner"}
"""Members of an object that names a queue, which people write as one word."""
PLACE_PARTS = {*QUEUE_PARTS, "topic"}
"""Members of one that names a queue or a topic, which people write as ``topic/news``."""
_CAPITAL = re.compile("[A-Z]")
_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def option_of(parameter: str) -> str:
    """The option for a parameter of the API: ``minEntries`` is ``--min-entries``."""
    name = parameter.removesuffix(ANY)
    return OPTIONS.get(name) or "--" + _CAPITAL.sub(lambda found: f"-{found[0].lower()}", name)


def add_query_parameter(group: Any, parameter: Parameter, prefix: str = QUERY) -> None:
    """Add the option for a parameter of the query; its value is the text that the query has.

    Args:
        group: of the parser.
        parameter: of the query.
        prefix: before its name among the parsed options; :data:`FILTER` where the body of a change has it.
    """
    schema, name = parameter.schema, parameter.name
    option: dict[str, Any] = {"dest": f"{prefix}{name}", "help": _help(parameter)}
    if name.endswith(ANY):
        option |= {"metavar": "NAME=VALUE", "action": "append"}
    elif name == "sort":
        option["help"] = f"field to sort by, with - in front for the largest first (default {schema.get('default')})"
    if schema.get("type") == "boolean":
        option |= {"choices": ("true", "false")}
    elif "enum" in schema:
        choices = [each for each in schema["enum"] if not each.startswith("-")]
        option |= {"metavar": f"{{{','.join(choices)}}}", "choices": schema["enum"]}
    elif schema.get("type") in ("integer", "number"):
        option |= {"metavar": "N", "type": _number_text}
    elif schema.get("format") == "date-time":
        option |= {
            "metavar": "TIME",
            "type": moment,
            "help": f"{_help(parameter)} such as 2026-11-30T03:12:07Z, or 90m ago",
        }
        option["help"] = option["help"].strip()
    else:
        option.setdefault("metavar", "TEXT")
    group.add_argument(option_of(name), **option)


def add_body_parameter(group: Any, parameter: Parameter, *, positional: bool = False) -> None:
    """Add the option, or the argument, for a member of the body; its value is that of the JSON."""
    schema, name = parameter.schema, parameter.name
    if name in SELECTIONS and "properties" in schema:
        which = group.add_argument_group("which", "one of these at least")
        for each, member in schema["properties"].items():
            _add_member(which, Parameter(f"{name}.{each}", member))
        return
    _add_member(group, parameter, positional=positional)


def _add_member(group: Any, parameter: Parameter, *, positional: bool = False) -> None:
    schema, name = resolved_choice(parameter.schema), parameter.name
    kind = schema.get("type")
    option: dict[str, Any] = {"help": _help(parameter)}
    if kind == "boolean" and not positional and schema.get("default") is False:
        option |= {"action": "store_const", "const": True}
    elif kind == "boolean":
        option |= {"type": _truth, "metavar": "{true,false}"}
    elif "enum" in schema:
        option |= {"choices": schema["enum"]}
    elif kind == "integer":
        option |= {"type": _time if name.endswith("Seconds") else _whole, "metavar": "N"}
    elif kind == "number":
        option |= {"type": _time if name.endswith("Seconds") else _real, "metavar": "N"}
    elif kind == "array":
        of_texts = schema.get("items", {}).get("type") == "string"
        option |= {"type": str if of_texts else _json_or_text, "metavar": "VALUE"}
        option |= {"nargs": "+"} if positional else {"action": "append"}
    elif set(schema.get("properties", ())) in (QUEUE_PARTS, PLACE_PARTS):
        option |= {"type": _queue, "metavar": "QUEUE"}
    elif schema.get("anyOf"):
        option |= {"type": _json_or_text, "metavar": "VALUE"}
    elif kind == "object" or kind is None:
        option |= {"type": _json, "metavar": "JSON"}
    else:
        option |= {"metavar": "TEXT"}
    if positional:
        option["metavar"] = (
            option_of(name).strip("-").upper() if "choices" not in option else f"{{{','.join(option['choices'])}}}"
        )
        group.add_argument(f"{BODY}{name}", **option)
    else:
        group.add_argument(
            option_of(name.rpartition(".")[2]), dest=f"{BODY}{name}", required=parameter.required, **option
        )


def query_of(options: argparse.Namespace) -> dict[str, str]:
    """The parameters of the query that options of a command stand for.

    Raises:
        BrokerError: ``user.wrongApiUsage`` for one that should be ``NAME=VALUE`` and is not.
    """
    found: dict[str, str] = {}
    for name, value in vars(options).items():
        if not name.startswith(QUERY) or value is None:
            continue
        parameter = name.removeprefix(QUERY)
        if not parameter.endswith(ANY):
            found[parameter] = str(value)
            continue
        for each in value:
            key, equals, text = each.partition("=")
            if not equals or not key:
                option = option_of(parameter)
                raise BrokerError(Code.USER_WRONG_API_USAGE, f"{option} {each}: it must be NAME=VALUE")
            found[f"{parameter.removesuffix('*')}{key}"] = text
    return found


def body_of(options: argparse.Namespace, fixed: Mapping[str, object]) -> dict[str, object]:
    """The body that options of a command stand for.

    Args:
        options: of the command.
        fixed: members that are the same whatever the options.
    """
    body: dict[str, Any] = {}
    for name, value in vars(options).items():
        if name.startswith(BODY) and value is not None:
            outer, dot, inner = name.removeprefix(BODY).partition(".")
            if dot:
                body.setdefault(outer, {})[inner] = value
            else:
                body[outer] = value
    return {**body, **fixed}


def resolved_choice(schema: Schema) -> Schema:
    """A schema without the choice to be null."""
    real = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return {**schema, **real[0], "anyOf": None} if len(real) == 1 else schema


def moment(text: str, now: datetime | None = None) -> str:
    """The type of an option that is a point in time: RFC 3339, or how long ago (``90m``).

    Args:
        text: as it was typed.
        now: the time.
    """
    ago = _AGO.fullmatch(text)
    if ago is None:
        return text  # the broker says whether it is a time
    count = whole_or_none(ago[1])
    assert count is not None
    begun = (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: count})
    return f"{begun:%Y-%m-%dT%H:%M:%S}.{begun.microsecond // 1000:03d}Z"


def known_parameters(parameters: Collection[Parameter], left_out: Collection[str]) -> list[Parameter]:
    """Those that a command has options for."""
    return [each for each in parameters if each.name not in left_out]


def _help(parameter: Parameter) -> str:
    schema = parameter.schema
    text = str(schema.get("description", "")).replace("%", "%%")
    default = schema.get("default")
    if default in (None, "", False) or default == []:
        return text
    return f"{text} (default {default})".strip()


def _number_text(text: str) -> str:
    if real_or_none(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return text  # the broker says whether it is in range


def _whole(text: str) -> int:
    value = whole_or_none(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return value


def _real(text: str) -> float:
    value = real_or_none(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return value


def _time(text: str) -> float:
    """A time in seconds, or with its unit: ``10m``; a whole number where it is one."""
    span = _AGO.fullmatch(text)
    if span is None:
        whole_seconds = whole_or_none(text)
        return _real(text) if whole_seconds is None else whole_seconds
    count = whole_or_none(span[1])
    assert count is not None
    return timedelta(**{_UNITS[span[2]]: count}) // timedelta(seconds=1)


def _queue(text: str) -> dict[str, str]:
    relating, slash, owner = text.partition("/")
    if not slash or not owner:
        raise argparse.ArgumentTypeError(f"{text!r} is no queue such as callback/joe~1")
    if relating == "topic":
        return {"topic": owner}
    return {"relating": relating, "owner": owner}


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError("it is true or false")
    return text == "true"


def _json(text: str) -> Any:
    found = object_or_none(text.encode())
    if found is None:
        raise argparse.ArgumentTypeError("it is no JSON object")
    return found


def _json_or_text(text: str) -> Any:
    number = whole_or_none(text)
    if number is not None:
        return number
    return _json(text) if text.startswith("{") else text
