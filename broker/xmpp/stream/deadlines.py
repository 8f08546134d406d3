"""How long a stranger may take to become a client (spec xmpp §2.5 R3)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.timers import cancel

HEADER_TIMEOUT = 10
"""Seconds until a client must have opened its stream, on a new connection and after STARTTLS."""


class Deadlines:
    """First the stream must be opened, then a resource bound.

    Args:
        clock: of the deadlines.
        bind_timeout: seconds from the beginning until a resource must be bound.
        has_opened: whether the stream is opened.
        overdue: told what has not come in time.
    """

    __slots__ = ("_begun", "_bind_timeout", "_clock", "_has_opened", "_overdue", "_timer")

    def __init__(
        self,
        clock: IReactorTime,
        bind_timeout: int,
        has_opened: Callable[[], bool],
        overdue: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._bind_timeout = bind_timeout
        self._has_opened = has_opened
        self._overdue = overdue
        self._begun = 0.0
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """The connection is there."""
        self._begun = self._clock.seconds()
        self.await_opening()

    def await_opening(self) -> None:
        """A stream must be opened, on a new connection or anew, when nothing else is waited for."""
        self._timer = self._clock.callLater(min(HEADER_TIMEOUT, self._rest()), self._opening_overdue)

    def stop(self) -> None:
        """There is nothing to wait for."""
        timer, self._timer = self._timer, None
        cancel(timer)

    def _rest(self) -> float:
        """Seconds that are left until a resource must be bound."""
        return max(self._begun + self._bind_timeout - self._clock.seconds(), 0)

    def _opening_overdue(self) -> None:
        self._timer = None
        if not self._has_opened():
            self._overdue("no stream header in time")
        else:
            self._timer = self._clock.callLater(self._rest(), self._binding_overdue)

    def _binding_overdue(self) -> None:
        self._timer = None
        self._overdue("no login in time")
