"""The file that is logged to: for its owner alone, and with a number of old ones."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from broker.logs.file import LogFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.log"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def contents(directory: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in sorted(directory.iterdir())}


def test_new_file_is_its_owners_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        LogFile(path, 1, 0)
    finally:
        os.umask(before)
    assert mode(path) == 0o600


def test_file_that_others_could_read_is_closed_to_them_with_its_old_ones(path: Path) -> None:
    old = path.with_name("broker.log.3")
    for each in (path, old):
        each.write_text("x\n")
        each.chmod(0o644)
    LogFile(path, 5, 0).write("y\n")
    assert (mode(path), mode(old)) == (0o600, 0o600)
    assert path.read_text() == "x\ny\n"


def test_file_that_is_long_enough_becomes_the_newest_old_one(path: Path, tmp_path: Path) -> None:
    file = LogFile(path, 2, 3)
    for line in ("one\n", "two\n", "three\n", "four\n"):
        file.write(line)
    assert contents(tmp_path) == {"broker.log": "four\n", "broker.log.1": "three\n", "broker.log.2": "two\n"}
    assert mode(path.with_name("broker.log.1")) == 0o600


def test_what_was_there_before_the_start_counts_for_its_length(path: Path) -> None:
    path.write_text("one\n")
    LogFile(path, 1, 3).write("two\n")
    assert path.read_text() == "two\n"


def test_rotation_by_hand_keeps_the_old_ones_to_their_number(path: Path, tmp_path: Path) -> None:
    file = LogFile(path, 2, 0)
    for number in range(5):
        file.write(f"{number}\n")
        file.rotate()
    assert contents(tmp_path) == {"broker.log": "", "broker.log.1": "4\n", "broker.log.2": "3\n"}


def test_fewer_old_ones_are_kept_once_the_number_is_smaller(path: Path, tmp_path: Path) -> None:
    for number in range(1, 9):
        path.with_name(f"broker.log.{number}").touch()
    LogFile(path, 2, 0).rotate()
    assert sorted(contents(tmp_path)) == ["broker.log", "broker.log.1", "broker.log.2"]


def test_no_old_one_may_be_kept_at_all(path: Path, tmp_path: Path) -> None:
    file = LogFile(path, 0, 0)
    file.write("x\n")
    file.rotate()
    assert contents(tmp_path) == {"broker.log": ""}


def test_other_files_of_a_similar_name_stay(path: Path, tmp_path: Path) -> None:
    for name in ("broker.log.1.gz", "broker.log.old", "other.log.7"):
        (tmp_path / name).touch()
    file = LogFile(path, 0, 0)
    file.rotate()
    assert sorted(contents(tmp_path)) == ["broker.log", "broker.log.1.gz", "broker.log.old", "other.log.7"]


def test_reopened_file_is_a_new_one_where_another_program_has_moved_it(path: Path, tmp_path: Path) -> None:
    file = LogFile(path, 1, 0)
    file.write("before\n")
    path.rename(tmp_path / "moved")
    file.reopen()
    file.write("after\n")
    assert contents(tmp_path) == {"broker.log": "after\n", "moved": "before\n"}


def test_lines_go_on_into_the_open_file_where_no_other_can_be_opened(path: Path, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    file = LogFile(tmp_path / "logs" / "broker.log", 1, 0)
    (tmp_path / "logs").rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        file.reopen()
    file.write("after\n")
    assert (tmp_path / "moved" / "broker.log").read_text() == "after\n"


def test_line_is_written_though_the_file_cannot_be_rotated(path: Path, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    file = LogFile(tmp_path / "logs" / "broker.log", 1, 1)
    file.write("before\n")
    (tmp_path / "logs").rename(tmp_path / "moved")
    file.write("after\n")
    assert (tmp_path / "moved" / "broker.log").read_text() == "before\nafter\n"


def test_half_characters_of_a_text_are_written_as_escapes(path: Path) -> None:
    LogFile(path, 1, 0).write("\ud800\n")
    assert path.read_text() == "\\ud800\n"


NOON = datetime(2026, 11, 30, 12).timestamp()
DAY = 86_400.0


class Clock:
    """A clock on the wall."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_daily_file_becomes_an_old_one_with_the_first_line_of_the_next_day(
    path: Path, tmp_path: Path, clock: Clock
) -> None:
    file = LogFile(path, 5, 0, daily=True, wall=clock)
    file.write("noon\n")
    clock.now += DAY / 2 - 1
    file.write("night\n")
    clock.now += 1
    file.write("midnight\n")
    clock.now += 1
    file.write("after\n")

    assert contents(tmp_path) == {"broker.log": "midnight\nafter\n", "broker.log.1": "noon\nnight\n"}


def test_a_daily_file_of_an_earlier_day_becomes_an_old_one_at_the_next_start(
    path: Path, tmp_path: Path, clock: Clock
) -> None:
    path.write_text("yesterday\n")
    os.utime(path, (NOON - DAY, NOON - DAY))
    LogFile(path, 5, 0, daily=True, wall=clock).write("today\n")

    assert contents(tmp_path) == {"broker.log": "today\n", "broker.log.1": "yesterday\n"}


def test_days_without_a_line_leave_no_files(path: Path, tmp_path: Path, clock: Clock) -> None:
    file = LogFile(path, 5, 0, daily=True, wall=clock)
    file.write("one\n")
    clock.now += 9 * DAY
    file.write("two\n")

    assert contents(tmp_path) == {"broker.log": "two\n", "broker.log.1": "one\n"}


def test_a_file_that_is_not_daily_knows_no_midnight(path: Path, tmp_path: Path, clock: Clock) -> None:
    file = LogFile(path, 5, 0, wall=clock)
    file.write("one\n")
    clock.now += DAY
    file.write("two\n")

    assert contents(tmp_path) == {"broker.log": "one\ntwo\n"}


def test_a_daily_file_that_cannot_be_renamed_goes_on_until_the_next_midnight(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def refuse(self: Path, target: Path) -> None:
        tried.append(clock.now)
        raise PermissionError

    monkeypatch.setattr(Path, "rename", refuse)
    file = LogFile(path, 5, 0, daily=True, wall=clock)
    for _ in range(6):
        file.write("x\n")
        clock.now += DAY / 2

    assert path.read_text() == "x\n" * 6
    assert tried == [NOON + DAY / 2, NOON + 3 * DAY / 2, NOON + 5 * DAY / 2]
