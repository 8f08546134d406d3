"""How often sessions did what, for administration (spec xmlblaster §16.1) and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Traffic:
    """What all sessions of one kind did since the broker started. These numbers never fall.

    Attributes:
        published: messages that were accepted.
        published_persistent: those of them that are persistent.
        published_bytes: of their contents.
        delivered: messages that were written to receivers, also those that are repeated.
        acknowledged: messages that receivers have acknowledged.
        started: sessions.
        ended: sessions.
    """

    __slots__ = (
        "acknowledged",
        "delivered",
        "ended",
        "published",
        "published_bytes",
        "published_persistent",
        "started",
    )

    def __init__(self) -> None:
        self.published = self.published_persistent = self.published_bytes = 0
        self.delivered = self.acknowledged = 0
        self.started = self.ended = 0


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

    def acknowledged(self, count: int) -> None:
        """Count messages that the receiver has acknowledged."""
        self.updates += count
        self.traffic.acknowledged += count

    def sent_oneway(self, count: int) -> None:
        """Count messages that were written to a receiver that acknowledges none."""
        self.oneway_updates += count
        self.traffic.delivered += count

    def add(self, other: Counters) -> None:
        """Count what another has counted, too."""
        for name in self.NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def total(self, others: Iterable[Counters], names: Sequence[str]) -> int:
        """The sum of some of these numbers, with those of others."""
        return sum(getattr(each, name) for each in (self, *others) for name in names)
