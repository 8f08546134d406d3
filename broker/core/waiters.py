"""Those who wait for the next entry of a queue, or for room in it."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Waiters:
    """The waiters of one queue; false while there are none."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Deferred[None]] = []

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def next(self) -> Deferred[None]:
        """Fires within the call of :meth:`tell` that comes next; may be cancelled."""
        waiter: Deferred[None] = Deferred(self._leave)
        self._waiters.append(waiter)
        return waiter

    def tell(self) -> None:
        """What they wait for has come."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:  # another one's callback may have cancelled it
                waiter.callback(None)

    def _leave(self, waiter: Deferred[None]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
