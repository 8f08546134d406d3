"""How often sessions did what, for administration (spec xmlblaster §16.1) and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from time import time

from broker.errors import Code
from broker.histogram import Histogram

DELIVERY_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0)
SAMPLE = 64
"""Of so many messages that are done with, the time of one is looked at."""
NANOSECONDS = 1_000_000_000


class FailureClass(StrEnum):
    """Why requests fail: the first part of their error codes."""

    USER = "user"
    RESOURCE = "resource"
    COMMUNICATION = "communication"
    INTERNAL = "internal"


def class_of(code: Code | str) -> FailureClass:
    """The class of an error code."""
    try:
        return FailureClass(str(code).partition(".")[0])
    except ValueError:  # of a plugin's own making
        return FailureClass.INTERNAL


class Traffic:
    """What all sessions of one kind did since the broker started. These numbers never fall.

    Args:
        seconds: since 1970.

    Attributes:
        published: messages that were accepted.
        published_persistent: those of them that are persistent.
        published_bytes: of their contents.
        delivered: messages that were written to receivers, also those that are repeated.
        redelivered: messages that were written again to receivers who may have got them before.
        acknowledged: messages that receivers have acknowledged.
        delivery_seconds: from the moment that a message was accepted until a receiver was done with it; of one in
            :data:`SAMPLE`.
        failed: requests that were refused, by why.
        started: sessions.
        ended: sessions.
    """

    __slots__ = (
        "_sample_at",
        "_seconds",
        "_settled",
        "acknowledged",
        "delivered",
        "delivery_seconds",
        "ended",
        "failed",
        "published",
        "published_bytes",
        "published_persistent",
        "redelivered",
        "started",
    )

    def __init__(self, seconds: Callable[[], float] = time) -> None:
        self.published = self.published_persistent = self.published_bytes = 0
        self.delivered = self.redelivered = self.acknowledged = 0
        self.started = self.ended = 0
        self.failed = dict.fromkeys(FailureClass, 0)
        self.delivery_seconds = Histogram(DELIVERY_SECONDS)
        self._seconds = seconds
        self._settled = 0
        self._sample_at = SAMPLE

    def settled(self, count: int, newest: int) -> None:
        """Receivers are done with messages.

        Args:
            count: of them.
            newest: id of the last one, which is the time when it was accepted.
        """
        self._settled += count
        if self._settled >= self._sample_at:
            self._sample_at = self._settled + SAMPLE
            self.delivery_seconds.observe(max(0.0, self._seconds() - newest / NANOSECONDS))

    def refused(self, code: Code | str) -> None:
        """A request was refused.

        Args:
            code: of the error.
        """
        self.failed[class_of(code)] += 1


class Counters:
    """Numbers of requests that were served and of messages that were delivered.

    Args:
        traffic: of all sessions of the same kind; where it is not given, this is a sum and counts nothing by itself.

    Attributes:
        updates: messages that receivers have acknowledged.
        oneway_updates: messages that were written to receivers that acknowledge none.
    """

    __slots__ = ("erase", "get", "oneway_updates", "publish", "subscribe", "traffic", "unsubscribe", "updates")
    NAMES = ("erase", "get", "oneway_updates", "publish", "subscribe", "unsubscribe", "updates")

    def __init__(self, traffic: Traffic | None = None) -> None:
        self.publish = self.subscribe = self.unsubscribe = self.get = self.erase = 0
        self.updates = self.oneway_updates = 0
        self.traffic = traffic or Traffic()

    def published(self, size: int, persistent: bool) -> None:
        """Count a message that was accepted.

        Args:
            size: of its content, in bytes.
            persistent: it is to survive a crash.
        """
        self.publish += 1
        traffic = self.traffic
        traffic.published += 1
        traffic.published_bytes += size
        if persistent:
            traffic.published_persistent += 1

    def acknowledged(self, count: int, newest: int) -> None:
        """Count messages that the receiver has acknowledged.

        Args:
            count: of them; one at least.
            newest: id of the last one.
        """
        self.updates += count
        traffic = self.traffic
        traffic.acknowledged += count
        traffic.settled(count, newest)

    def sent_oneway(self, count: int, newest: int) -> None:
        """Count messages that were written to a receiver that acknowledges none.

        Args:
            count: of them; one at least.
            newest: id of the last one.
        """
        self.oneway_updates += count
        traffic = self.traffic
        traffic.delivered += count
        traffic.settled(count, newest)

    def add(self, other: Counters) -> None:
        """Count what another has counted, too."""
        for name in self.NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def total(self, others: Iterable[Counters], names: Sequence[str]) -> int:
        """The sum of some of these numbers, with those of others."""
        return sum(getattr(each, name) for each in (self, *others) for name in names)
