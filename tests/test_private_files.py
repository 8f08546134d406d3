"""Files that the broker's own user alone may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.private_files import keep_private


def test_file_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    path.touch(0o644)
    path.chmod(0o644)
    keep_private(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_that_is_private_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    path.touch()
    path.chmod(0o400)
    keep_private(path)
    assert path.stat().st_mode & 0o777 == 0o400


def test_file_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    keep_private(tmp_path / "nothing")


def test_file_of_another_user_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "broker.db"
    path.touch()
    path.chmod(0o644)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    keep_private(path)
    assert path.stat().st_mode & 0o777 == 0o644
