"""The backup that the broker makes once a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.core.events import Events
from broker.errors import BrokerError
from broker.logs.audit import audit
from broker.store.backup_settings import BackupSettings
from broker.store.manifest import Manifest
from broker.store.sql.worker import Worker
from broker.timers import cancel

log = Logger()

LOOK_EVERY = 60.0
"""Seconds between two looks at the clock: it may be set, and a machine may sleep."""


class DailyBackup:
    """Makes a backup each day at the time of ``backup.schedule``, in a thread of its own.

    A day on which the broker does not run at that time has none. One that fails is in the log, and the next is made
    the day after.

    Args:
        reactor: waits.
        settings: when to make them.
        take: makes one; blocks.
        worker: runs it.
        wall: seconds since 1970.
        events: are told how it went.
    """

    def __init__(
        self,
        reactor: Any,
        settings: BackupSettings,
        take: Callable[[], tuple[Path, Manifest]],
        worker: Worker,
        wall: Callable[[], float],
        events: Events,
    ) -> None:
        self._events = events
        self._reactor = reactor
        self._settings = settings
        self._take = take
        self._worker = worker
        self._wall = wall
        self._due = 0.0
        self._timer: IDelayedCall | None = None
        self._running = False

    def start(self) -> None:
        """Make backups from now on, where there is a time for them."""
        if self._settings.schedule is None:
            return
        self._due = self._next()
        self._wait()

    def stop(self) -> None:
        """Begin none any more; what one that is under way leaves is removed by the next."""
        cancel(self._timer)
        self._worker.stop()

    def _next(self) -> float:
        assert self._settings.schedule is not None
        now = datetime.fromtimestamp(self._wall())
        due = datetime.combine(now.date(), self._settings.schedule)
        while due <= now:
            due += timedelta(days=1)
        return due.timestamp()

    def _wait(self) -> None:
        self._timer = self._reactor.callLater(LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._wait()
        next_due = self._next()
        if self._wall() < self._due:
            self._due = min(self._due, next_due)  # the clock may have been set back
            return
        self._due = next_due
        if not self._running:
            self._running = True
            made: Deferred[tuple[Path, Manifest]] = self._worker.run(self._take)
            made.addCallbacks(self._made, self._failed).addBoth(self._ended)

    def _made(self, made: tuple[Path, Manifest]) -> None:
        path, manifest = made
        log.info(
            "backup {path}: {size} bytes in {milliseconds} ms, the write-ahead log grew by {growth} bytes meanwhile",
            path=str(path),
            size=manifest.size_bytes,
            milliseconds=manifest.duration_milliseconds,
            growth=manifest.log_growth_bytes,
        )
        audit("backup", {"via": "schedule", "target": path.name, "outcome": "done"})
        self._events.tell("backup/event/done", file=path.name, bytes=manifest.size_bytes)

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, BrokerError):
            log.error("there is no backup of today: {reason}", reason=failure.value.message)
        else:
            log.failure("there is no backup of today", failure)
        audit("backup", {"via": "schedule", "outcome": "failed"})
        self._events.tell("backup/event/failed", reason=failure.getErrorMessage())

    def _ended(self, ended: object) -> None:
        self._running = False
