"""How often sessions did what, for administration (spec xmlblaster §16.1)."""

from __future__ import annotations

from collections.abc import Iterable


class Counters:
    """Numbers of requests that were served and of messages that were delivered.

    Attributes:
        updates: messages that receivers have acknowledged.
        oneway_updates: messages that were written to receivers that acknowledge none.
    """

    __slots__ = ("erase", "get", "oneway_updates", "publish", "subscribe", "unsubscribe", "updates")

    def __init__(self) -> None:
        self.publish = self.subscribe = self.unsubscribe = self.get = self.erase = 0
        self.updates = self.oneway_updates = 0

    def add(self, other: Counters) -> None:
        """Count what another has counted, too."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def plus(self, others: Iterable[Counters]) -> Counters:
        """The sums of these and others."""
        sums = Counters()
        for each in (self, *others):
            sums.add(each)
        return sums
