"""``broker downgrade``."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.main import main
from broker.store.sql.database import engine_of
from broker.store.sql.revisions import NEWEST, revision_of
from broker.store.sql.upgrade import upgrade


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/broker.db"
    upgrade(engine_of(url))
    return url


def test_schema_is_taken_back(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "downgrade", "--to", "0003"]) == 0

    copied, changed = capsys.readouterr().out.splitlines()
    assert copied == f"copied to {tmp_path}/backups/before-downgrade-to-0003.db"
    assert changed.startswith(f"schema {NEWEST}, changed to 0003")
    assert revision_of(engine_of(database)) == "0003"


def test_version_that_has_this_schema_needs_nothing(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "downgrade", "--to", "0.1"]) == 0
    assert capsys.readouterr().out == f"schema {NEWEST}: nothing to do\n"


def test_unknown_version_is_wrong_usage(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "downgrade", "--to", "7"]) == 2
    assert "there is no version or schema 7" in capsys.readouterr().err
