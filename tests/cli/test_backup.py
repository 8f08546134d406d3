"""``broker backup`` and ``broker restore``, on a data directory."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.cli.main import main
from broker.cli.user import who_am_i
from broker.store.sql.accounts import AccountTable
from broker.store.sql.database import engine_of
from tests.auth.support import account
from tests.store.sql.test_upgrade_copy import to


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with an account."""
    with AccountTable(f"sqlite:///{tmp_path}/data/broker.db") as accounts:
        accounts.put(account("joe", "secret"))
    return tmp_path / "data"


@pytest.fixture
def backup(data: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["--data", str(data), "backup"]) == 0
    return Path(capsys.readouterr().out.splitlines()[-1])


def test_the_last_line_is_the_path_of_the_backup(backup: Path, data: Path) -> None:
    assert backup.parent == data / "backups"
    assert backup.is_file()


def test_what_is_in_a_backup_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", str(data), "backup"])
    assert capsys.readouterr().out.startswith("accounts: 1, topics: 0, sessions: 0, ")


def test_a_restored_directory_has_the_accounts(backup: Path, tmp_path: Path) -> None:
    assert main(["--data", str(tmp_path / "new"), "restore", str(backup)]) == 0
    with AccountTable(f"sqlite:///{tmp_path}/new/broker.db") as accounts:
        assert accounts.get("joe") is not None


def audit_of(data: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(data / "broker.db")) as connection:
        return connection.execute("SELECT principal, via, action, target, outcome FROM audit ORDER BY id").fetchall()


def test_backup_and_restore_are_in_the_audit_of_their_databases(backup: Path, data: Path, tmp_path: Path) -> None:
    made = (who_am_i(), "command", "backup", str(backup), "done")
    assert audit_of(data) == [made]
    main(["--data", str(tmp_path / "new"), "restore", str(backup)])
    assert [row[2:4] for row in audit_of(tmp_path / "new")] == [("restore", str(backup))]


def test_backup_of_an_older_schema_leaves_it_as_it_is(tmp_path: Path) -> None:
    to(engine_of(f"sqlite:///{tmp_path}/broker.db"), "0003")
    assert main(["--data", str(tmp_path), "backup"]) == 0
    with closing(sqlite3.connect(tmp_path / "broker.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]


def test_a_rehearsal_needs_no_data_directory(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    assert main(["restore", "--rehearse", str(backup)]) == 0
    assert "can be restored; nothing was changed" in capsys.readouterr().out
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_rehearsal_that_fails_ends_with_6(backup: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backup.write_bytes(b"")

    assert main(["restore", "--rehearse", str(backup)]) == 6
    assert "is not what its manifest says" in capsys.readouterr().err


def test_a_restoration_that_fails_ends_with_1(data: Path, backup: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "restore", str(backup)]) == 1
    assert "is not empty" in capsys.readouterr().err
