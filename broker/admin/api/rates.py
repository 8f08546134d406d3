"""How much of administration somebody gets, so that messages go first (operations §1.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.task import deferLater

from broker.errors import BrokerError, Code
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost
from broker.net.rate import Rate
from broker.waiters import Waiters

PER_SECOND, BURST = 50, 100
"""Requests of one who asks."""
AT_ONCE = {Cost.SCAN: (2, 4), Cost.STORE: (2, 2), Cost.HEAVY: (1, 1)}
"""Requests of a kind that are served at a time: of one who asks, and of all."""
WAIT = 5.0
"""Seconds that a request waits for others, or for the reactor."""
MAX_WAITING = 50
"""Requests of a kind that wait."""
MAX_LAG = 0.1
"""Seconds by which the reactor may be late; beyond, what costs much waits for messages."""
LOOK = 0.5
"""Seconds between two looks at it."""
COSTLY = frozenset({Cost.SCAN, Cost.HEAVY})


class RequestRates:
    """Lets requests begin.

    Args:
        clock: an ``IReactorTime``.
        lag: seconds by which the reactor was late last.
    """

    def __init__(self, clock: Any, lag: Callable[[], float]) -> None:
        self._clock = clock
        self._lag = lag
        self._rate = Rate(clock, PER_SECOND, BURST)
        self._places = {cost: _Places(clock, *most) for cost, most in AT_ONCE.items()}

    @asynccontextmanager
    async def turn(self, who: str, cost: Cost) -> AsyncIterator[None]:
        """Serve a request inside of this.

        Args:
            who: asks.
            cost: of the request.

        Raises:
            Refused: 429 where somebody asks too often, or for too much at once.
            BrokerError: ``resource.temporary.unavailable`` where the reactor stays late.
        """
        if not self._rate.takes(who):
            raise _too_many(f"more than {PER_SECOND} requests a second")
        places = self._places.get(cost)
        if places is None:
            yield
            return
        await places.enter(who)
        try:
            await self._calm(cost)
            yield
        finally:
            places.leave(who)

    async def _calm(self, cost: Cost) -> None:
        end = self._clock.seconds() + WAIT
        while cost in COSTLY and self._lag() > MAX_LAG:
            if self._clock.seconds() >= end:
                reason = f"overloaded: the broker is {self._lag():.1f} seconds late with its messages"
                raise BrokerError(Code.RESOURCE_TEMPORARY_UNAVAILABLE, reason)
            await deferLater(self._clock, LOOK)


class _Places:
    """Requests of one kind that are being served."""

    def __init__(self, clock: Any, of_one: int, of_all: int) -> None:
        self._clock = clock
        self._of_one = of_one
        self._of_all = of_all
        self._taken: Counter[str] = Counter()
        self._waiting = 0
        self._left = Waiters()

    async def enter(self, who: str) -> None:
        """Take a place; where there is none wait for one."""
        end = self._clock.seconds() + WAIT
        while not self._has_room(who):
            await self._wait(end - self._clock.seconds())
        self._taken[who] += 1

    def leave(self, who: str) -> None:
        """Give a place back."""
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]
        self._left.tell()

    async def _wait(self, seconds: float) -> None:
        if self._waiting >= MAX_WAITING or seconds <= 0:
            raise _too_many("too many requests of this kind at once")
        self._waiting += 1
        try:
            await self._left.next().addTimeout(seconds, self._clock)
        except DeferredTimeoutError:
            raise _too_many("too many requests of this kind at once") from None
        finally:
            self._waiting -= 1

    def _has_room(self, who: str) -> bool:
        return self._taken[who] < self._of_one and self._taken.total() < self._of_all


def _too_many(reason: str) -> Refused:
    return Refused(
        HTTPStatus.TOO_MANY_REQUESTS,
        Code.RESOURCE_EXHAUST,
        f"{reason}; try again later",
        headers=[("Retry-After", "1")],
    )
