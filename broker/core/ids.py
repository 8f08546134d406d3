"""Numbers and secrets that name things."""

from __future__ import annotations

import secrets
from collections.abc import Callable

NANOSECONDS = 1_000_000
UNCOMMITTED = 60_000 * NANOSECONDS
"""Above the highest number that was committed: those that may have been given before a crash, a minute of them."""


class Ids:
    """Gives every message, entry, session and topic of a node its number (spec xmlblaster §0, "ns timestamp").

    A number is the millisecond clock times 1,000,000 plus a counter, so it also says when. It never repeats and never
    falls, whatever the clock does.

    Args:
        seconds: wall clock, seconds since 1970.
        floor: the highest number that was ever given.
    """

    __slots__ = ("_last", "_seconds")

    def __init__(self, seconds: Callable[[], float], floor: int = 0) -> None:
        self._seconds = seconds
        self._last = floor

    def next(self) -> int:
        """The next number."""
        number = int(self._seconds() * 1000) * NANOSECONDS
        if number <= self._last:
            number = self._last + 1
        self._last = number
        return number

    def raise_floor(self, floor: int) -> None:
        """Never give a number up to ``floor`` again (after recovery), nor one that was given and not committed.

        A clock that has passed the floor has passed those, too; one that was set back has not.
        """
        if int(self._seconds() * 1000) * NANOSECONDS <= floor:
            # The part by chance tells it from the start before, of which perhaps nothing was committed either.
            floor += UNCOMMITTED + secrets.randbelow(UNCOMMITTED)
        self._last = max(self._last, floor)


def secret_session_id(host: str) -> str:
    """A secret session id with 128 random bits in the form that clients know (spec xmlblaster §6, design D13).

    Args:
        host: address of the broker, informative only.
    """
    return f"sessionId:{host}-{secrets.token_hex(16)}"
