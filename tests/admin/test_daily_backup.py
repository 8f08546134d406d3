"""The backup of each day."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from broker.admin.daily_backup import LOOK_EVERY, DailyBackup
from broker.core.events import Events
from broker.errors import BrokerError, Code
from broker.store.backup_settings import BackupSettings
from broker.store.manifest import Manifest
from tests.contract.stages import HeldWorker
from tests.logs.audit_lines import audit_lines

START = datetime(2026, 11, 30, 3, 0).timestamp()
MANIFEST = Manifest("heron-1.db", "heron", "0.1.0", "0003", "", 0, 0, 0, 0, "", None)


class Days:
    """A broker that makes backups, and a clock."""

    def __init__(self, schedule: time | None = time(3, 15)) -> None:
        self.clock = Clock()
        self.set_by = 0.0
        self.made: list[float] = []
        self.error: Exception | None = None
        self.worker = HeldWorker()
        settings = BackupSettings(Path("backups"), "heron", schedule=schedule)
        self.backups = DailyBackup(self.clock, settings, self.take, self.worker, self.wall, Events())

    def wall(self) -> float:
        return START + self.set_by + self.clock.seconds()

    def take(self) -> tuple[Path, Manifest]:
        self.made.append(self.clock.seconds())
        if self.error is not None:
            raise self.error
        return Path("backups/heron-1.db"), MANIFEST

    def run(self, *, minutes: int) -> None:
        self.clock.pump([LOOK_EVERY] * minutes)


DAY = 24 * 60


def test_a_backup_is_made_each_day_at_its_time() -> None:
    days = Days()
    days.backups.start()
    days.run(minutes=2 * DAY)

    assert days.made == [15 * 60, (15 + DAY) * 60]


def test_a_time_that_has_passed_when_the_broker_starts_is_that_of_the_next_day() -> None:
    days = Days(time(2, 59))
    days.backups.start()
    days.run(minutes=DAY - 2)

    assert days.made == []


def test_without_a_schedule_there_is_no_backup() -> None:
    days = Days(None)
    days.backups.start()
    days.run(minutes=DAY)

    assert days.made == []
    assert not days.clock.getDelayedCalls()


def test_a_clock_that_jumps_over_the_time_does_not_skip_the_backup() -> None:
    days = Days()
    days.backups.start()
    days.set_by = 3600.0
    days.run(minutes=1)

    assert days.made == [60]


def test_a_clock_that_is_set_back_does_not_put_the_backup_off() -> None:
    days = Days()
    days.backups.start()
    days.set_by = -7 * 86_400.0
    days.run(minutes=20)

    assert days.made == [15 * 60]


def test_a_backup_that_takes_a_day_is_not_made_twice_at_once() -> None:
    days = Days()
    days.worker.held = True
    days.backups.start()
    days.run(minutes=2 * DAY)

    assert days.worker.waiting == 1


@pytest.mark.parametrize(
    "error", [BrokerError(Code.RESOURCE_NO_MORE_SPACE, "A backup needs room"), RuntimeError("a mistake")]
)
def test_a_backup_that_fails_is_told_of_and_tried_the_next_day(error: Exception) -> None:
    days = Days()
    days.error = error
    days.backups.start()
    events: list[LogEvent] = []
    observer = cast("ILogObserver", events.append)
    globalLogPublisher.addObserver(observer)
    days.run(minutes=DAY)
    globalLogPublisher.removeObserver(observer)

    assert audit_lines(events) == ["backup via=schedule outcome=failed"]
    days.error = None
    days.run(minutes=DAY)
    assert len(days.made) == 2


def test_a_broker_that_has_stopped_makes_none() -> None:
    days = Days()
    days.backups.start()
    days.backups.stop()
    days.run(minutes=DAY)

    assert days.made == []
    assert days.worker.stopped
