"""Values of answers, as text: exact for programs, short for people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from broker.escape import escaped

ABSENT = "-"
"""What people see where there is no value."""
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """The value of a field of a row, ``None`` where it has none.

    Args:
        row: an object of JSON.
        path: names with dots between them; ``/`` joins the values of several.
    """
    if "/" in path:
        return "/".join(exact(value_at(row, each)) for each in path.split("/"))
    found: Any = row
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def exact(value: Any) -> str:
    """A value for programs: texts with control characters escaped, the rest as JSON; empty where there is none.

    Of reasons it has the codes, as people see them: JSON has everything.
    """
    if value is None:
        return ""
    if isinstance(value, list) and value and all(isinstance(each, Mapping) and "code" in each for each in value):
        return ",".join(escaped(str(each["code"])) for each in value)
    return escaped(value) if isinstance(value, str) else escaped(json.dumps(value, ensure_ascii=False))


def readable(path: str, value: Any) -> str:
    """A value for people.

    Args:
        path: of its field, which tells the unit.
        value: of it.
    """
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_of_list(each) for each in value) or ABSENT
    if isinstance(value, Mapping):
        return ", ".join(f"{escaped(str(name))} {readable(name, each)}" for name, each in value.items()) or ABSENT
    if isinstance(value, str):
        moment = _MOMENT.fullmatch(value)
        return f"{moment[1]} {moment[2]}" if moment else escaped(value)
    name = path.rpartition(".")[2]
    if name.lower().endswith("bytes"):
        return bytes_text(value)
    if name.endswith("PerSecond"):
        return f"{value:,.1f}/s"
    if name.endswith("Seconds"):
        return seconds_text(value)
    if name.endswith("Ratio"):
        return f"{value * 100:.0f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def some(count: int, singular: str, plural: str) -> str:
    """So many of something."""
    return f"{count:,} {singular if count == 1 else plural}"


def bytes_text(count: float) -> str:
    """A number of bytes in the largest unit (of thousands) of which there is one at least."""
    unit = 0
    while abs(count) >= 1000 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 or count >= 100 else f"{count:.1f} {_UNITS[unit]}"


def seconds_text(seconds: float) -> str:
    """A time in its two largest units, such as ``3 d 4 h``."""
    if seconds < 0:
        return f"-{seconds_text(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = timedelta(seconds=round(seconds))
    hours, rest = divmod(whole.seconds, 3600)
    minutes, rest = divmod(rest, 60)
    for larger, large_name, smaller, small_name in (
        (whole.days, "d", hours, "h"),
        (hours, "h", minutes, "min"),
        (minutes, "min", rest, "s"),
    ):
        if larger:
            return f"{larger} {large_name} {smaller} {small_name}" if smaller else f"{larger} {large_name}"
    return f"{rest} s"


def _of_list(value: Any) -> str:
    if isinstance(value, Mapping) and "code" in value:
        return escaped(str(value["code"]))
    return readable("", value)
