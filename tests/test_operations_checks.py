"""The table of what administration promises is complete, and names tests that exist."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.test_requirements import TESTS, functions

PAGE = TESTS.parent / "docs" / "operations-checks.md"
TEXT = PAGE.read_text("utf-8")
STATES = ("held", "smaller", "partly", "no")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if re.match(r"\| \d", line)]
NAMED = sorted({(row[0], name) for row in ROWS for name in re.findall(r"`([\w/]+\.py::\w+)`", " ".join(row[3:]))})


def test_every_promise_has_one_row() -> None:
    assert [row[0] for row in ROWS] == [str(number) for number in range(1, 41)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_row_says_what_holds_and_how_much(row: list[str]) -> None:
    _, promise, state, test, behind = row
    assert promise
    assert state in STATES
    assert state == "no" or test
    assert state == "held" or behind, "where a promise is not held in full, the last column says how much of it is"


@pytest.mark.parametrize(("number", "name"), NAMED)
def test_test_that_is_named_exists(number: str, name: str) -> None:
    file, _, function = name.partition("::")
    assert function in functions(TESTS / file)


def test_the_sums_above_the_table_are_right() -> None:
    found = Counter(row[2] for row in ROWS)
    assert f"Now: {', '.join(f'{found[state]} {state}' for state in STATES)}." in TEXT
