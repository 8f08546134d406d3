"""Reading numbers that others have written: a value in range, or the catalogue's error, and nothing else (design D18).

``str.isdigit`` holds for digits that ``int`` does not read, ``int`` reads digits of every script, underscores and any
length, and refuses the longest with an error of its own. So nothing but this module turns a peer's text into a number.
"""

from __future__ import annotations

import re

from broker.errors import BrokerError, Code

LEAST = -(2**63)
MOST = 2**63 - 1
"""The range of 64 bits, which every number of a protocol and of a store has."""

MAX_SHOWN = 64

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")  # the pattern, not int(), says what a number is
_REAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?[fFdD]?")
_LONGEST_REAL = 1024
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "+Infinity": float("inf"), "-Infinity": float("-inf")}
_WHITE_SPACE = " \t\r\n"


def whole_or_none(text: str, least: int = LEAST, most: int = MOST) -> int | None:
    """The whole number that a text stands for, ``None`` where it is none of that range.

    Args:
        text: ASCII digits with an optional sign, white space around them.
        least: that it may be.
        most: that it may be.
    """
    text = text.strip(_WHITE_SPACE)
    if not _WHOLE.fullmatch(text):
        return None
    number = int(text)
    return number if least <= number <= most else None


def whole(text: str, what: str, least: int = LEAST, most: int = MOST) -> int:
    """The whole number that a text stands for.

    Args:
        text: ASCII digits with an optional sign, white space around them.
        what: names it in the error.
        least: that it may be.
        most: that it may be.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is none of that range.
    """
    number = whole_or_none(text, least, most)
    if number is None:
        bounds = "of 64 bits" if (least, most) == (LEAST, MOST) else f"from {least} to {most}"
        shown = text.strip(_WHITE_SPACE)[:MAX_SHOWN]
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{what}: '{shown}' is not a number {bounds}")
    return number


def real_or_none(text: str) -> float | None:
    """The number with a fraction that a text stands for as Java writes it, ``None`` where it is none.

    Args:
        text: as ``Double.toString`` makes it, ``NaN`` and ``Infinity`` among them; white space around it.
    """
    text = text.strip(_WHITE_SPACE)
    if text in _SPECIAL:
        return _SPECIAL[text]
    if len(text) > _LONGEST_REAL or not _REAL.fullmatch(text):
        return None
    return float(text.rstrip("fFdD"))
