"""Kinds of values that a property may have: how their text is read and written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from broker.model.number import whole_or_none

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_SCALED = re.compile(r"([+-]?[0-9]{1,19})\s*([A-Za-z]*)")
_TIME_UNITS = {"": 1, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZE_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of value.

    Args:
        label: for the person who reads a message or the example file.
        parse: text to value; raises ``ValueError`` with the reason.
        write: value to the text that ``parse`` reads as this value.
    """

    label: str
    parse: Callable[[str], T]
    write: Callable[[T], str]


def integer(minimum: int | None = None, maximum: int | None = None) -> Kind[int]:
    """Whole numbers."""
    return _number("whole number", {"": 1}, minimum, maximum)


def duration(minimum: int | None = None, maximum: int | None = None) -> Kind[int]:
    """Times in milliseconds; ``5s``, ``10m``, ``2h`` and ``1d`` are read, too."""
    return _number("milliseconds, or with a unit s, m, h, d", _TIME_UNITS, minimum, maximum)


def size(minimum: int | None = None, maximum: int | None = None) -> Kind[int]:
    """Sizes in bytes; ``64k``, ``10M`` and ``2G`` (binary) are read, too."""
    return _number("bytes, or with a unit k, M, G", _SIZE_UNITS, minimum, maximum)


def choice(values: type[E]) -> Kind[E]:
    """The values of an enumeration."""
    names = ", ".join(values)

    def parse(text: str) -> E:
        try:
            return values(text.strip())
        except ValueError:
            raise ValueError(f"not one of {names}") from None

    return Kind(f"one of {names}", parse, str)


def listed(text: str) -> list[str]:
    """The parts of a comma list, without those that are empty."""
    return [each.strip() for each in text.split(",") if each.strip()]


def _number(label: str, units: dict[str, int], minimum: int | None, maximum: int | None) -> Kind[int]:
    if minimum is not None and maximum is not None:
        label += f"; {minimum} to {maximum}"
    elif minimum is not None:
        label += f"; at least {minimum}"
    elif maximum is not None:
        label += f"; at most {maximum}"

    def parse(text: str) -> int:
        match = _SCALED.fullmatch(text.strip())
        unit = units.get(match[2].lower()) if match else None
        count = whole_or_none(match[1]) if match else None
        if count is None or unit is None:
            raise ValueError(f"not a number ({label})")
        value = count * unit
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            raise ValueError(f"out of range ({label})")
        return value

    return Kind(label, parse, str)


def _parse_boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError("not true or false") from None


TEXT: Kind[str] = Kind("text", str, str)
BOOLEAN: Kind[bool] = Kind("true or false", _parse_boolean, lambda value: "true" if value else "false")
INTEGER = integer()
DURATION = duration()
SIZE = size()
