"""``docs/commands.md``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from broker.cli.exit_status import EXIT_STATUS
from broker.cli.main import parse
from broker.cli.ops.reference import BEGIN, END, reference

DOCUMENT = (Path(__file__).parents[3] / "docs" / "commands.md").read_text("utf-8")
LINES = [line.strip() for line in re.findall(r"^    (broker .*)$", DOCUMENT, re.MULTILINE)]


def test_table_of_commands_is_that_of_the_program() -> None:
    assert DOCUMENT.partition(BEGIN)[2].partition(END)[0] == reference()


@pytest.mark.parametrize("line", LINES)
def test_command_lines_of_the_document_are_parsed(line: str) -> None:
    words = shlex.split(line.partition("  #")[0].partition(" | ")[0].partition(" > ")[0])
    assert callable(parse(words[1:]).run)


def test_every_exit_status_is_told() -> None:
    for number, meaning in re.findall(r"(\d) ([\w ]+)", " ".join(EXIT_STATUS.split())):
        assert f"| {number} | {meaning}" in DOCUMENT
