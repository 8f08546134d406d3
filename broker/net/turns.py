"""Fair turns: whoever has much to do gives way to others after a few milliseconds (design D17)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from broker.net.read_pauses import Held

log = Logger()

SLICE = 0.005
"""Seconds of one turn. Work is not interrupted, so a turn is as long as its last piece of work makes it."""
ALONE = 0.02
"""Seconds of a turn of one that had the last turn, too: then nobody waits, and what is done at once costs less."""


class GivesWay(Held, Protocol):
    """What gives way to others, as :class:`broker.net.transport.Connection` does."""

    @property
    def turn_is_over(self) -> bool:
        """Whether it has worked for so long that others should have their turn."""

    def ask_for_turn(self) -> None:
        """There is work left: see to it that ``turn()`` of its stream is called when others have had theirs."""


class Turns:
    """Gives those that have work left one turn after the other, and the reactor's sockets and timers theirs between.

    Args:
        clock: schedules the rounds.
        seconds: measures turns.
        length: seconds of a turn.
        alone: seconds of a turn of one that had the last turn, too.

    Attributes:
        seconds: as above.
    """

    def __init__(
        self,
        clock: IReactorTime,
        seconds: Callable[[], float] = time.perf_counter,
        length: float = SLICE,
        alone: float = ALONE,
    ) -> None:
        self._clock = clock
        self.seconds = seconds
        self._length = length
        self._alone = alone
        self._last = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._known: set[Callable[[], None]] = set()
        self._scheduled = False

    def begin(self, who: int) -> float:
        """A turn begins; returns when it is over, by :attr:`seconds`.

        Args:
            who: has it; the ``id()`` of something.
        """
        if who == self._last:
            return self.seconds() + self._alone
        self._last = who
        return self.seconds() + self._length

    def add(self, work: Callable[[], None]) -> None:
        """Have something called in its turn, behind those that wait already; once, however often it is added."""
        if work in self._known:
            return
        self._known.add(work)
        self._waiting.append(work)
        self._schedule()

    def __len__(self) -> int:
        return len(self._waiting)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._clock.callLater(0, self._round)

    def _round(self) -> None:
        self._scheduled = False
        waiting = self._waiting
        end = self.seconds() + self._length
        for _ in range(len(waiting)):
            work = waiting.popleft()
            self._known.discard(work)
            try:
                work()
            except Exception:  # noqa: BLE001 - it is logged, and the others have their turns all the same
                log.failure("a connection's turn failed")
            if self.seconds() >= end:
                break
        if waiting:
            self._schedule()
