"""``broker upgrade --check``."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.main import main
from broker.store.sql.database import engine_of
from broker.store.sql.revisions import NEWEST
from broker.store.sql.upgrade import upgrade
from tests.store.sql.test_upgrade_copy import to


def test_a_database_of_an_older_schema_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to(engine_of(f"sqlite:///{tmp_path}/broker.db"), "0001")

    assert main(["--data", str(tmp_path), "upgrade", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"schema 0001, to be changed to {NEWEST}"
    assert "It can be undone." in lines
    assert lines[-1].startswith("On a copy of this database it took")


def test_a_database_that_is_up_to_date_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    upgrade(engine_of(f"sqlite:///{tmp_path}/broker.db"))

    assert main(["--data", str(tmp_path), "upgrade", "--check"]) == 0
    assert capsys.readouterr().out == f"schema {NEWEST}: up to date\n"


def test_without_check_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(tmp_path), "upgrade"])
