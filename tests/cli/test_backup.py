"""``broker backup`` and ``broker restore``, on a data directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.main import main
from broker.store.sql.accounts import AccountTable
from tests.auth.support import account


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
