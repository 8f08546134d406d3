"""Long work that gives way: after a few milliseconds it waits for the next turn of the account that it is done for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

Value = TypeVar("Value")
Result = TypeVar("Result")

SLICE = 0.002
"""Seconds of work until others have their turns; an answer to others takes several of them."""


class Turns(Protocol):
    """Turns of accounts, as :class:`broker.net.turns.Turns` gives them."""

    @property
    def seconds(self) -> Callable[[], float]:
        """Measures work."""

    def after_others(self, account: str, work: Callable[[], None]) -> None:
        """Call back in a turn of an account, after others have had theirs."""


class NoTurns:
    """For a broker without others: nobody has to wait, so nothing gives way."""

    def seconds(self) -> float:
        """Work takes no time."""
        return 0.0

    def after_others(self, account: str, work: Callable[[], None]) -> None:
        """There are none."""
        work()


class Pace:
    """Of one long piece of work.

    Whoever does it asks after each step whether it is time to give way::

        for topic in topics:
            look_at(topic)
            if pace.is_over:
                await pace.next_turn()

    What was true before may be false after a turn.

    Args:
        turns: of all accounts.
        account: whom the work is done for.
    """

    __slots__ = ("_end", "_seconds", "_turns", "account")

    def __init__(self, turns: Turns, account: str) -> None:
        self._turns = turns
        self.account = account
        self._seconds = turns.seconds
        self._end = 0.0
        self.begin()

    def begin(self) -> None:
        """What was done until now does not count: a slice begins."""
        self._end = self._seconds() + SLICE

    @property
    def is_over(self) -> bool:
        """Whether it has taken so long that others should have their turns."""
        return self._seconds() >= self._end

    def next_turn(self) -> Deferred[None]:
        """Fires when others have had their turns."""
        come: Deferred[None] = Deferred()

        def go_on() -> None:
            self.begin()
            come.callback(None)

        self._turns.after_others(self.account, go_on)
        return come

    async def map(self, function: Callable[[Value], Result], values: Iterable[Value]) -> list[Result]:
        """The results of a function for many values, with turns of others in between.

        Args:
            function: quick for each value.
            values: nothing that changes meanwhile.
        """
        results: list[Result] = []
        for value in values:
            results.append(function(value))
            if self.is_over:
                await self.next_turn()
        return results
