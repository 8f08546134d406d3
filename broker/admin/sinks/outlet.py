"""The way of events into one sink, which holds up nothing: what it does not take is dropped and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from broker.admin.sinks.details import Details
from broker.core.events import Events
from broker.logs.limit import LogLimit, lines
from broker.timers import cancel

log = Logger()

MAX_WAITING = 1000
"""Events that wait for one sink."""
PATIENCE = 30.0
"""Seconds that a sink may take for one event."""


class Sink(Protocol):
    """Takes events one after the other.

    Attributes:
        name: for the log.
    """

    name: str

    async def deliver(self, details: Details) -> None:
        """Take one; whatever it raises, the event is dropped."""


class Outlet:
    """One sink, and the events that wait for it.

    Args:
        sink: takes them.
        clock: an ``IReactorTime``.
        events: count what is dropped.
        worked: called when the sink begins to take an event, and when it has ended.
    """

    def __init__(self, sink: Sink, clock: Any, events: Events, worked: Callable[[bool], None]) -> None:
        self._sink = sink
        self._clock = clock
        self._events = events
        self._worked = worked
        self._waiting: deque[Details] = deque()
        self._running: Deferred[None] | None = None
        self._call: IDelayedCall | None = None
        self._failures = LogLimit(clock.seconds)
        self._stopped = False

    def offer(self, details: Details) -> None:
        """An event that goes to the sink once what runs now has returned; where too many wait, it is dropped."""
        if self._stopped:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._events.dropped += 1
            return
        self._waiting.append(details)
        if self._running is None and self._call is None:
            self._call = self._clock.callLater(0, self._next)

    def stop(self) -> None:
        """Take no more; what waits is dropped."""
        self._stopped = True
        cancel(self._call)
        self._call = None
        self._events.dropped += len(self._waiting)
        self._waiting.clear()
        if self._running is not None:
            self._running.cancel()

    def _next(self) -> None:
        self._call = None
        details = self._waiting.popleft()
        self._worked(True)
        try:
            running = self._running = Deferred.fromCoroutine(self._deliver(details))
        finally:
            self._worked(False)
        running.addTimeout(PATIENCE, self._clock)
        running.addErrback(self._failed)
        running.addCallback(self._ended)

    async def _deliver(self, details: Details) -> None:
        await self._sink.deliver(details)

    def _failed(self, failure: Any) -> None:
        self._events.dropped += 1
        if failure.check(CancelledError) and self._stopped:
            return
        reason = failure.getErrorMessage() or failure.type.__name__
        self._worked(True)
        try:
            self._failures.tell(lines(log.warn), lambda: f"{self._sink.name} does not take an event: {reason}")
        finally:
            self._worked(False)

    def _ended(self, _: object) -> None:
        self._running = None
        if self._waiting and not self._stopped:
            self._call = self._clock.callLater(0, self._next)
