"""``broker defaults`` prints files of ``etc/`` and ``share/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.defaults import FILES
from broker.cli.main import main

TREE = Path(__file__).parents[2]


@pytest.mark.parametrize("what", FILES)
def test_a_file_is_printed_as_it_is(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder, name = FILES[what]
    assert main(["defaults", what]) == 0
    assert capsys.readouterr().out == (TREE / folder / name).read_text("utf-8")
