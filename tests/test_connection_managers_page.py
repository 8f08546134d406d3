"""docs/connection-managers.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOME = "tests/xmpp/managers"
PAGE = (ROOT / "docs" / "connection-managers.md").read_text("utf-8")
TEST = re.compile(r"`([\w/]+\.py)::((?:\w+::)?\w+)`")


@pytest.mark.parametrize(("file", "name"), sorted(set(TEST.findall(PAGE))))
def test_named_test_exists(file: str, name: str) -> None:
    path = ROOT / file if "/" in file else ROOT / HOME / file
    text = path.read_text("utf-8")
    for each in name.split("::"):
        assert re.search(rf"^ *(?:def|class) {each}\b", text, re.MULTILINE), f"{file} has no {each}"


def test_every_row_of_the_table_of_faults_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?:\d+(?:\.\d+)?)(?:,| \|)", line)]
    assert len(rows) > 20
    assert not [row for row in rows if not TEST.search(row)]
