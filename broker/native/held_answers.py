"""Answers to requests, each of which leaves when what it promises is on disk (design D3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from broker.net.read_pauses import Held, Pause

MAX_HELD = 10_000
"""Answers that may wait for the store before the client is read from no more."""


class Store(Protocol):
    """The part of :class:`broker.ports.IStore` that tells what is on disk."""

    @property
    def position(self) -> int:
        """Number of the last appended operation."""

    @property
    def committed(self) -> int:
        """All operations up to this position are on disk."""

    def when_committed(self, position: int, callback: Callable[[], None]) -> None:
        """Call back once everything up to a position is on disk."""


class HeldAnswers:
    """Answers of one connection that wait for their commit.

    Answers of requests that change nothing durable do not wait, and so may overtake others.

    Args:
        store: that they wait for.
        connection: that is not read from while too many wait.
        write: sends bytes to the client.
    """

    __slots__ = ("_connection", "_held", "_store", "_waiting", "_write")

    def __init__(self, store: Store, connection: Held, write: Callable[[bytes], None]) -> None:
        self._store = store
        self._connection = connection
        self._write = write
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._held = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, answer: bytes, before: int) -> None:
        """Write an answer when what its request appended to the store is committed; at once if that is nothing.

        Args:
            answer: a frame.
            before: where the store stood before the request.
        """
        store = self._store
        position = store.position
        if position == before or position <= store.committed:
            self._write(answer)
            return
        if not self._waiting:
            store.when_committed(position, self._release)
        self._waiting.append((position, answer))
        if len(self._waiting) > MAX_HELD and not self._held:
            self._held = True
            self._connection.hold(Pause.ANSWERS_UNSTORED)

    def add_and(self, answer: bytes, before: int, then: Callable[[], None]) -> None:
        """Write an answer likewise, and call something right behind it."""
        store = self._store
        position = store.position
        if position == before or position <= store.committed:
            self._write(answer)
            then()
            return

        def committed() -> None:
            self._write(answer)
            then()

        store.when_committed(position, committed)

    def clear(self) -> None:
        """Forget what waits: nobody reads it."""
        self._waiting.clear()

    def _release(self) -> None:
        waiting, committed = self._waiting, self._store.committed
        ready: list[bytes] = []
        while waiting and waiting[0][0] <= committed:
            ready.append(waiting.popleft()[1])
        if waiting:
            self._store.when_committed(waiting[0][0], self._release)
        if self._held and len(waiting) <= MAX_HELD // 2:
            self._held = False
            self._connection.release(Pause.ANSWERS_UNSTORED)
        if ready:
            self._write(b"".join(ready))
