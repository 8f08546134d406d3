"""Numbers and secrets that name things."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from broker.model.number import MOST

NANOSECONDS = 1_000_000
UNCOMMITTED = 60_000 * NANOSECONDS
"""Above the highest number that was committed: those that may have been given before a crash, a minute of them."""


class Ids:
    """Gives every message, entry, session and topic of a node its number (spec xmlblaster §0, "ns timestamp").

    A number is the millisecond clock times 1,000,000 plus a counter, so it also says when. It never repeats and never
    falls, whatever the clock does. Where the clock is set forward, numbers follow when that is on disk (:meth:`allow`):
    else those that were given and not committed would be given again, if it is set back after a crash.

    Args:
        seconds: wall clock, seconds since 1970.
        floor: the highest number that was ever given.
    """

    __slots__ = ("_last", "_limit", "_seconds")

    def __init__(self, seconds: Callable[[], float], floor: int = 0) -> None:
        self._seconds = seconds
        self._last = floor
        self._limit = MOST

    def next(self) -> int:
        """The next number."""
        number = int(self._seconds() * 1000) * NANOSECONDS
        if number > self._limit:
            number = self._limit
        if number <= self._last:
            number = self._last + 1
        self._last = number
        return number

    def allow(self, time: int) -> None:
        """A time is on disk: numbers may be a minute ahead of it, since none up to there is given after a crash.

        Args:
            time: milliseconds since 1970.
        """
        self._limit = time * NANOSECONDS + UNCOMMITTED

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
