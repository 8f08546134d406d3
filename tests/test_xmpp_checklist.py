"""The checklist of docs/xmpp.md is complete, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "xmpp.md").read_text("utf-8")
ROW = re.compile(r"^\| (\w+) \| (.+?) \| (.+?) \| (.*?) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
WANTED = [
    *map(str, range(1, 67)),
    *(f"B{number}" for number in range(1, 21)),
    *(f"I{number}" for number in range(1, 11)),
    *(f"R{number}" for number in range(1, 9)),
    *(f"P{number}" for number in range(1, 11)),
]
ROWS = {match[1]: match for match in ROW.finditer(PAGE)}


@pytest.mark.parametrize("case", WANTED)
def test_every_case_names_its_tests_or_says_why_not(case: str) -> None:
    row = ROWS[case]
    named = TEST.findall(row[3])
    assert named or row[4], "neither a test nor a reason"
    for file, name in named:
        text = (TESTS / file).read_text("utf-8")
        assert re.search(rf"^ *(?:def {name}\(|{name} = )", text, re.MULTILINE), f"{file} has no {name}"


def test_no_case_stands_there_twice() -> None:
    assert sorted(match[1] for match in ROW.finditer(PAGE) if match[1] != "what") == sorted(WANTED)
