"""Values of attributes as the text that administrative messages carry."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none

T = TypeVar("T")

SEPARATOR = ","
KILO = 1024
LATEST = 253_402_300_799_999
"""The end of the year 9999, in milliseconds since 1970."""


def to_text(value: object) -> str:
    """The text of a value; several values are separated by commas, what has no value is empty."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Iterable():
            return SEPARATOR.join(to_text(each) for each in value)
    return str(value)


def date(milliseconds: int) -> str:
    """A time in milliseconds since 1970 as UTC date and time; as the number where no calendar goes so far."""
    if not 0 <= milliseconds <= LATEST:
        return str(milliseconds)
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def to_boolean(text: str) -> bool:
    """Read ``true`` or ``false``.

    Raises:
        BrokerError: ``user.illegalArgument`` for anything else.
    """
    match text.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{text[:64]}' is neither true nor false")


def at_index(values: Iterable[T], text: str) -> T:
    """One of several by its place, which counts from 0.

    Raises:
        BrokerError: ``user.illegalArgument`` where there is none at it.
    """
    found = list(values)
    place = to_number(text, 0)
    if place >= len(found):
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"there are {len(found)}, none at {place}")
    return found[place]


def size(octets: int) -> str:
    """A number of bytes as people read it, such as ``359.9 MB``."""
    value, unit = float(octets), "bytes"
    for larger in ("KB", "MB", "GB"):
        if value >= KILO:
            value, unit = value / KILO, larger
    return f"{octets} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"


def to_number(text: str, least: int) -> int:
    """Read a whole number.

    Args:
        text: that stands for it.
        least: that it may be.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is none, or too small.
    """
    number = whole_or_none(text, least)
    if number is None:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{text.strip()[:64]}' is not a number of at least {least}")
    return number
