"""Who waits for which commit (design D3)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from twisted.logger import Logger

log = Logger()


class CommitWaiters:
    """Callbacks by the position that they wait for; those of one position keep the order in which they came."""

    def __init__(self) -> None:
        self._waiters: list[tuple[int, int, Callable[[], object]]] = []
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def add(self, position: int, callback: Callable[[], object]) -> None:
        """Remember ``callback`` until ``position`` is committed."""
        self._count += 1
        heappush(self._waiters, (position, self._count, callback))

    def fire(self, committed: int) -> None:
        """Call everybody who waits for a position up to ``committed``, in order of position.

        A callback that raises is logged: the commit stands, and the others have a right to know of it.
        """
        waiters = self._waiters
        while waiters and waiters[0][0] <= committed:
            callback = heappop(waiters)[2]
            try:
                callback()
            except Exception:  # noqa: BLE001 - whatever it was, it is logged
                log.failure("A callback for a commit failed")

    def clear(self) -> None:
        """Forget everybody."""
        self._waiters.clear()
