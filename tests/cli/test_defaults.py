"""``broker defaults`` prints the files of ``etc/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.main import main

ETC = Path(__file__).parents[2] / "etc"


@pytest.mark.parametrize(("what", "name"), [("properties", "broker.properties"), ("plugins", "plugins.xml")])
def test_a_file_is_printed_as_it_is(what: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["defaults", what]) == 0
    assert capsys.readouterr().out == (ETC / name).read_text("utf-8")
