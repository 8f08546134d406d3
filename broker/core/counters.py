"""How often sessions did what, for administration (spec xmlblaster §16.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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

    def total(self, others: Iterable[Counters], names: Sequence[str]) -> int:
        """The sum of some of these numbers, with those of others."""
        return sum(getattr(each, name) for each in (self, *others) for name in names)
