"""How often somebody may do something."""

from __future__ import annotations

from typing import Any


class Rate:
    """A token bucket for each of any number of names, without a trace of those whose bucket is full.

    Args:
        clock: an ``IReactorTime``.
        per_second: tokens that come back in a second.
        burst: tokens of a full bucket.
    """

    __slots__ = ("_clock", "_interval", "_old", "_refill", "_since", "_young")

    def __init__(self, clock: Any, per_second: float, burst: int) -> None:
        self._clock = clock
        self._interval = 1 / per_second
        self._refill = burst / per_second  # seconds in which an empty bucket becomes full
        self._since: float = clock.seconds()
        self._young: dict[str, float] = {}  # when the bucket of a name will be full again
        self._old: dict[str, float] = {}  # the same from the time before, since when no bucket can have stayed empty

    def takes(self, name: str) -> bool:
        """Take a token; ``False`` where there is none."""
        now = self._clock.seconds()
        self._forget(now)
        full = max(self._young.get(name) or self._old.get(name, now), now) + self._interval
        if full - now > self._refill + self._interval / 2:  # half a token is one, as times are rounded
            return False
        self._young[name] = full
        return True

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _forget(self, now: float) -> None:
        age = now - self._since
        if 0 <= age < self._refill:
            return
        # A clock that was set back would leave buckets empty for as long.
        self._old = self._young if 0 <= age < 2 * self._refill else {}
        self._young = {}
        self._since = now
