"""The run levels (spec xmlblaster §14.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Level(NamedTuple):
    """One run level; only a selectable one can be asked for, the others are passed."""

    number: int
    name: str
    selectable: bool = False


LEVELS = (
    Level(-1, "HALTED_PRE"),
    Level(0, "HALTED", True),
    Level(1, "HALTED_POST"),
    Level(2, "STANDBY_PRE"),
    Level(3, "STANDBY", True),
    Level(4, "STANDBY_POST"),
    Level(5, "CLEANUP_PRE"),
    Level(6, "CLEANUP", True),
    Level(7, "CLEANUP_POST"),
    Level(8, "RUNNING_PRE"),
    Level(9, "RUNNING", True),
    Level(10, "RUNNING_POST"),
)
HALTED_PRE = -1
HALTED = 0
STANDBY = 3
CLEANUP = 6
RUNNING = 9
SELECTABLE = tuple(level.number for level in LEVELS if level.selectable)


def name_of(number: int) -> str:
    """The name of a level, e.g. ``RUNNING``."""
    return LEVELS[number - HALTED_PRE].name


def describe(number: int) -> str:
    """Number and name, for messages: ``9 (RUNNING)``."""
    return f"{number} ({name_of(number)})"


def path(start: int, end: int) -> Sequence[int]:
    """The levels that are stepped on between two, without the first and with the last; empty where they are equal."""
    return range(start + 1, end + 1) if end > start else range(start - 1, end - 1, -1)
