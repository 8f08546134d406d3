"""Bytes for a connection that leave in order, each when the store has committed what it tells of (design D3)."""

from __future__ import annotations

from collections.abc import Callable

from broker.failpoints import ARMED, reach
from broker.ports import IStore

MAX_WAITING = 1024 * 1024
"""Bytes that may wait for their commit before no more should be added."""


class CommitGate:
    """Holds bytes back until their commit, and those behind them.

    Args:
        store: an :class:`broker.ports.IStore`.
        send: writes to the connection.
        on_room: called when an outbox that was full (:attr:`is_full`) is being emptied.
        monotonic: seconds by a clock that nobody sets.

    Attributes:
        waits_since: by that clock, when what waits began to, or part of it was written last; 0.0 where nothing waits.
    """

    __slots__ = ("_monotonic", "_on_room", "_send", "_size", "_store", "_waiting", "_watching", "waits_since")

    def __init__(
        self,
        store: IStore,
        send: Callable[[bytes], None],
        on_room: Callable[[], None],
        monotonic: Callable[[], float],
    ) -> None:
        self.waits_since = 0.0
        self._monotonic = monotonic
        self._store = store
        self._send = send
        self._on_room = on_room
        self._waiting: list[tuple[int, bytes]] = []  # an empty deque would take 700 bytes of each session
        self._size = 0
        self._watching = False

    @property
    def is_full(self) -> bool:
        """Whether so much waits that no more should be added."""
        return self._size > MAX_WAITING

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._size

    def write(self, data: bytes, position: int = 0) -> None:
        """Write now, or once the store has committed ``position`` and everything before is written."""
        if not self._waiting and position <= self._store.committed:
            self._send(data)
            return
        if not self._waiting:
            self.waits_since = self._monotonic()
        self._waiting.append((position, data))
        self._size += len(data)
        if not self._watching:
            self._watching = True
            self._store.when_committed(position, self._flush)

    def take(self) -> bytes:
        """Forget what waits, and return it."""
        rest = b"".join([data for _, data in self._waiting])
        self.clear()
        return rest

    def clear(self) -> None:
        """Forget what waits: the connection is gone."""
        self._waiting.clear()
        self._size = 0
        self.waits_since = 0.0

    def _flush(self) -> None:
        self._watching = False
        if self.is_full:
            self._on_room()
        waiting = self._waiting
        committed = self._store.committed
        ready: list[bytes] = []
        for position, data in waiting:
            if position > committed:
                break
            ready.append(data)
            self._size -= len(data)
        if ready:
            del waiting[: len(ready)]
            if ARMED:
                reach("stanzas due")
            self._send(b"".join(ready))
            if ARMED:
                reach("stanzas written")
        if waiting:
            self.waits_since = self._monotonic()
            self._watching = True
            self._store.when_committed(waiting[0][0], self._flush)
        else:
            self.waits_since = 0.0
