"""Work that takes long: how far it is, and stopping it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from broker.core.queue_control import Progress
from broker.errors import BrokerError, Code

log = Logger()

MAX_KEPT = 200
"""Works that are remembered when they have ended."""


class WorkState(StrEnum):
    """What becomes of a work."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(slots=True)
class Work:
    """A work.

    Attributes:
        id: unique since the broker's process began, such as ``op-17``.
        action: what it does, as the audit calls it.
        target: what it changes.
        total: entries that it is to be done with, as they were counted before.
        progress: with how many it was done.
        started_at: milliseconds since 1970.
        state: what has become of it.
        error: why it failed; empty where it did not.
    """

    id: str
    action: str
    target: str
    total: int
    progress: Progress
    started_at: int
    state: WorkState = WorkState.RUNNING
    error: str = ""

    def stop(self) -> None:
        """End it after what it is just doing; nothing happens where it has ended."""
        self.progress.stopped = True


class Works:
    """The works that run, and the last that have."""

    def __init__(self) -> None:
        self._number = 0
        self._running: dict[str, Work] = {}
        self._ended: deque[Work] = deque(maxlen=MAX_KEPT)

    def all(self) -> list[Work]:
        """Those that are known, the last ones first."""
        return [*reversed(self._running.values()), *reversed(self._ended)]

    def find(self, id: str) -> Work | None:
        """One of them."""
        return next((work for work in self.all() if work.id == id), None)

    def begin(self, action: str, target: str, total: int, progress: Progress, now: int) -> Work:
        """Remember a work that begins.

        Args:
            action: what it does.
            target: what it changes.
            total: entries that it is to be done with.
            progress: that it keeps up to date, and by which it is stopped.
            now: milliseconds since 1970.
        """
        self._number += 1
        work = Work(f"op-{self._number}", action, target, total, progress, now)
        self._running[work.id] = work
        return work

    async def run(self, work: Work, doing: Awaitable[None]) -> None:
        """Do a work, and remember how it ended.

        Args:
            work: that has begun.
            doing: does it.

        Raises:
            BrokerError: as it does.
        """
        try:
            await doing
        except BrokerError as error:
            work.state, work.error = WorkState.FAILED, str(error)[:200]
            raise
        except Exception as error:
            work.state, work.error = WorkState.FAILED, f"{Code.INTERNAL_UNKNOWN}: the log has more"
            log.failure("{work}: {action} failed", work=work.id, action=work.action)
            raise BrokerError(Code.INTERNAL_UNKNOWN, f"{work.action} failed") from error
        else:
            work.state = WorkState.STOPPED if work.progress.stopped else WorkState.DONE
        finally:
            self._running.pop(work.id, None)
            self._ended.append(work)

    def run_aside(self, work: Work, doing: Awaitable[None]) -> None:
        """As :meth:`run`, without anybody waiting for it."""
        running = ensureDeferred(self.run(work, doing))
        running.addErrback(lambda failure: log.warn("{work}: {reason}", work=work.id, reason=str(failure.value)))
