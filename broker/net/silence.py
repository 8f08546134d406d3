"""A peer of which nothing is heard (spec xmpp §2.5 R1, R2)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.timers import cancel


class Silence:
    """Asks a silent peer for a sign of life at half of the time, and gives it up at the end.

    Args:
        clock: measures it.
        idle: seconds of silence until the peer is given up; none are measured where it is not above 0.
        heard: when bytes came last, by the clock.
        ask: asks for a sign of life.
        give_up: called at the end.
    """

    __slots__ = ("_ask", "_asked", "_clock", "_give_up", "_heard", "_idle", "_timer")

    def __init__(
        self,
        clock: IReactorTime,
        idle: int,
        heard: Callable[[], float],
        ask: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._idle = idle
        self._heard = heard
        self._ask = ask
        self._give_up = give_up
        self._asked = -1.0  # the last sign of life before the peer was asked for another one
        self._timer: IDelayedCall | None = None

    def watch(self) -> None:
        """Begin; the last bytes have come just now."""
        if self._idle > 0:
            self._timer = self._clock.callLater(self._idle / 2, self._check)

    def stop(self) -> None:
        """Measure no more."""
        timer, self._timer = self._timer, None
        cancel(timer)

    def _check(self) -> None:
        self._timer = None
        heard, half = self._heard(), self._idle / 2
        silent = self._clock.seconds() - heard
        if silent >= self._idle:
            self._give_up()
            return
        if silent >= half and self._asked != heard:
            self._asked = heard
            self._ask()
        due = (self._idle if self._asked == heard else half) - silent
        self._timer = self._clock.callLater(max(due, 0.001), self._check)
