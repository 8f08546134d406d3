"""Back-pressure of the store: peers that outrun it are not read from until it has caught up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from broker.net.read_pauses import Held, Pause

HIGH_WATER = 16 * 1024 * 1024
LOW_WATER = 4 * 1024 * 1024
"""Bytes that are not committed yet, above which peers are not read from, and below which they are again."""


class Store(Protocol):
    """The part of :class:`broker.ports.IStore` that tells how far it is behind."""

    @property
    def position(self) -> int:
        """Number of the last appended operation."""

    @property
    def backlog(self) -> int:
        """Bytes that are appended and not yet committed."""

    def when_committed(self, position: int, callback: Callable[[], None]) -> None:
        """Call back once everything up to a position is on disk."""


class StorePressure:
    """Keeps connections from being read from while the store is behind, which each looks at when it has read.

    Args:
        store: that they write to.
        high: bytes above which a connection is held.
        low: bytes down to which it stays so.
    """

    def __init__(self, store: Store, high: int = HIGH_WATER, low: int = LOW_WATER) -> None:
        self.store = store
        self.high = high
        self._low = low
        self._held: dict[Held, None] = {}
        self._watching = False

    def hold(self, connection: Held) -> None:
        """Read nothing from a connection until the store has caught up.

        Args:
            connection: that has added to what the store has to write.
        """
        connection.hold(Pause.STORE_BEHIND)
        self._held[connection] = None
        self._watch()

    def forget(self, connection: Held) -> None:
        """A connection is gone."""
        self._held.pop(connection, None)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self.store.when_committed(self.store.position, self._committed)

    def _committed(self) -> None:
        self._watching = False
        if self.store.backlog <= self._low:
            held, self._held = self._held, {}
            for connection in held:
                connection.release(Pause.STORE_BEHIND)
        elif self._held:
            self._watch()
