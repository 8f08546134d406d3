"""Files that the broker's own user alone may read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.logger import capturedLogs, formatEvent

from broker.private_files import keep_private, warn_of_readers


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


@pytest.mark.parametrize(
    ("mode", "is_own", "warns"),
    [
        (0o600, True, False),
        (0o400, True, False),
        (0o644, True, True),
        (0o640, True, True),
        (0o640, False, False),
        (0o644, False, True),
        (0o444, False, True),
    ],
)
def test_a_secret_that_others_can_read_is_warned_of_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, is_own: bool, warns: bool
) -> None:
    path = tmp_path / "secret"
    path.touch()
    path.chmod(mode)
    if not is_own:
        own = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with capturedLogs() as events:
        warn_of_readers(path, "xmpp.privateKey")
    told = f"xmpp.privateKey: other users can read {path} (mode {mode:04o}): chmod 600 {path}"
    assert [formatEvent(event) for event in events] == ([told] if warns else [])
    assert path.stat().st_mode & 0o777 == mode


def test_a_secret_that_is_not_there_is_told_by_whoever_reads_it(tmp_path: Path) -> None:
    warn_of_readers(tmp_path / "nothing", "xmpp.privateKey")
