"""Run levels are walked step by step."""

from __future__ import annotations

import pytest

from broker.runlevels.levels import LEVELS, SELECTABLE, describe, name_of, path


def test_levels_are_numbered_without_gaps() -> None:
    assert [level.number for level in LEVELS] == list(range(-1, 11))
    assert SELECTABLE == (0, 3, 6, 9)


@pytest.mark.parametrize(("number", "name"), [(-1, "HALTED_PRE"), (0, "HALTED"), (9, "RUNNING"), (10, "RUNNING_POST")])
def test_a_level_has_a_name(number: int, name: str) -> None:
    assert name_of(number) == name
    assert describe(number) == f"{number} ({name})"


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [(-1, 2, [0, 1, 2]), (3, 0, [2, 1, 0]), (0, -1, [-1]), (6, 6, [])],
)
def test_a_path_has_every_step_and_not_its_start(start: int, end: int, steps: list[int]) -> None:
    assert list(path(start, end)) == steps
