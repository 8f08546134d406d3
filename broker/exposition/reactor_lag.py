"""How late the reactor is with what is due: the time that everybody waits for everybody else."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

from broker.exposition.metric import Metric, Type, one
from broker.histogram import Histogram
from broker.timers import cancel

INTERVAL = 0.5
"""Seconds between two looks."""
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ReactorLag:
    """Measures it from time to time.

    Args:
        reactor: the reactor.

    Attributes:
        seconds: by which calls were late.
        latest: by which the last one was.
    """

    def __init__(self, reactor: Any) -> None:
        self.seconds = Histogram(BOUNDS)
        self._reactor = reactor
        self.latest = 0.0
        self._due = 0.0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._reactor.seconds() + INTERVAL
        self._call = self._reactor.callLater(INTERVAL, self._look)

    def stop(self) -> None:
        """Measure no more."""
        cancel(self._call)
        self._call = None

    def _look(self) -> None:
        self.latest = max(0.0, self._reactor.seconds() - self._due)
        self.seconds.observe(self.latest)
        self.start()


class HasLag(Protocol):
    """What :data:`REACTOR_LAG` is read from."""

    @property
    def lag(self) -> ReactorLag:
        """Of the reactor."""


def _seconds(sources: HasLag) -> Histogram:
    return sources.lag.seconds


REACTOR_LAG: Metric[HasLag] = Metric(
    "broker_reactor_lag_seconds",
    Type.HISTOGRAM,
    "How late calls of the reactor were, two a second.",
    one(_seconds),
)
