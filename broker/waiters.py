"""Those who wait for the same thing, such as the next entry of a queue, or room in it."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class Waiters:
    """The waiters for one thing; false while there are none."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Deferred[None]] = []

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def __len__(self) -> int:
        return len(self._waiters)

    def next(self) -> Deferred[None]:
        """Fires within the call of :meth:`tell` that comes next; may be cancelled."""
        waiter: Deferred[None] = Deferred(self._leave)
        self._waiters.append(waiter)
        return waiter

    def tell(self) -> None:
        """What they wait for has come."""
        for waiter in self._leaving():
            waiter.callback(None)

    def fail(self, failure: Failure) -> None:
        """What they wait for will not come."""
        for waiter in self._leaving():
            waiter.errback(failure)

    def _leaving(self) -> Iterator[Deferred[None]]:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:  # another one's callback may have cancelled it
                yield waiter

    def _leave(self, waiter: Deferred[None]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
