"""Numbers and secrets that name things."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from broker.model.number import MOST

NANOSECONDS = 1_000_000
UNCOMMITTED = 60_000 * NANOSECONDS
"""Above the highest number that was committed: those that may have been given before a crash, a minute of them."""
AHEAD = 0.1
"""Seconds that numbers may be ahead of the time that passed; less than any start of the broker takes."""


class Ids:
    """Gives every message, entry, session and topic of a node its number (spec xmlblaster §0, "ns timestamp").

    A number is the millisecond clock times 1,000,000 plus a counter, so it also says when. It never repeats and never
    falls, whatever the clock does. Where the clock is set forward, numbers follow when that is on disk (:meth:`allow`);
    until then they go with the time that passes. Else those that were given and not committed would be ahead of those
    that are given after a crash, if the clock has been set right by then.

    Args:
        seconds: wall clock, seconds since 1970.
        monotonic: seconds by a clock that nobody sets.
    """

    __slots__ = ("_last", "_limit", "_monotonic", "_noted", "_noted_at", "_seconds")

    def __init__(self, seconds: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._last = 0
        self._limit = 0
        self._noted, self._noted_at = seconds(), monotonic()

    @property
    def last(self) -> int:
        """The highest number that was ever given."""
        return self._last

    def next(self) -> int:
        """The next number."""
        number = int(self._seconds() * 1000) * NANOSECONDS
        if number > self._limit:
            passed = self._noted + self._monotonic() - self._noted_at
            self._limit = int((passed + AHEAD) * 1000) * NANOSECONDS
            number = min(number, self._limit)
        if number <= self._last:
            number = self._last + 1
        self._last = number
        return number

    def allow(self, seconds: float, at: float) -> None:
        """A time is on disk: numbers may follow the clock to it, since none up to there is given after a crash.

        Args:
            seconds: since 1970.
            at: seconds of the monotonic clock at that time.
        """
        self._noted, self._noted_at = seconds, at
        self._limit = 0

    def raise_floor(self, floor: int) -> None:
        """Never give a number up to ``floor`` again (after recovery), nor one that was given and not committed.

        A clock that has passed the floor has passed those, too; one that was set back has not.
        """
        if int(self._seconds() * 1000) * NANOSECONDS <= floor:
            # The part by chance tells it from the start before, of which perhaps nothing was committed either.
            floor += UNCOMMITTED + secrets.randbelow(UNCOMMITTED)
        self._last = max(self._last, floor)


def floor_of(time: int) -> int:
    """The number of a time that was stored; 0 for one of a century that this program does not see.

    Args:
        time: milliseconds since 1970.
    """
    number = time * NANOSECONDS
    return number if 0 <= number < MOST // 2 else 0


def secret_session_id(host: str) -> str:
    """A secret session id with 128 random bits in the form that clients know (spec xmlblaster §6, design D13).

    Args:
        host: address of the broker, informative only.
    """
    return f"sessionId:{host}-{secrets.token_hex(16)}"
