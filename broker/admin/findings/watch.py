"""Numbers of the last minutes, for what is found in how they change."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from broker.admin.metrics.sources import Sources
from broker.core.dead_letters import DeadGroup
from broker.histogram import Histogram

INTERVAL = 10.0
"""Seconds between two looks."""
KEPT = 360
"""Looks that are kept: an hour."""


@dataclass(frozen=True, slots=True)
class Look:
    """Numbers at one moment. All but the times are counters.

    Args:
        at: monotonic seconds.
        wall: seconds since 1970.
        dead: messages, by why they died.
        logins_failed: logins.
        lags: of the reactor, by the first bound that is not below them.
    """

    at: float
    wall: float
    dead: dict[DeadGroup, int]
    logins_failed: int
    lags: tuple[int, ...]


class Watch:
    """Looks from time to time.

    Args:
        sources: of the numbers.
        wall: seconds since 1970.
        monotonic: seconds by a clock that nobody sets.

    Attributes:
        sources: see above.
        wall: see above; the reactor's clock is no wall clock.
    """

    def __init__(
        self, sources: Sources, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.sources = sources
        self.wall = wall
        self._monotonic = monotonic
        self._looks: deque[Look] = deque(maxlen=KEPT)

    def look(self) -> None:
        """Remember how the numbers are now."""
        sources, core = self.sources, self.sources.core
        failed = 0
        if core is not None:
            counts = sources.instance.security.services.counts
            failed = counts.wrong + counts.throttled
        if self._looks and core is not None and failed < self._looks[-1].logins_failed:
            self._looks.clear()  # the core was made anew
        self._looks.append(
            Look(
                self._monotonic(),
                self.wall(),
                {} if core is None else dict(core.letters.counts),
                failed,
                tuple(sources.lag.seconds.counts),
            )
        )

    def dead(self, seconds: float) -> dict[DeadGroup, int]:
        """Messages that died in the last seconds, by why; those of none are not in it."""
        before, now = self._span(seconds)
        grown = {group: count - before.dead.get(group, 0) for group, count in now.dead.items()}
        return {group: count for group, count in grown.items() if count > 0}

    def logins_failed_per_second(self, seconds: float) -> float:
        """Logins that failed in a second, over the last seconds."""
        before, now = self._span(seconds)
        return (now.logins_failed - before.logins_failed) / max(now.at - before.at, INTERVAL)

    def lag(self, seconds: float) -> float:
        """Seconds by which 99 of 100 calls of the reactor were late at most, over the last seconds; a bound above."""
        before, now = self._span(seconds)
        return _percentile(self.sources.lag.seconds, [b - a for a, b in zip(before.lags, now.lags, strict=True)])

    def clock_jump(self, seconds: float) -> float:
        """The largest step, in seconds, that somebody has set the clock by in the last seconds."""
        before, _ = self._span(seconds)
        looks = [each for each in self._looks if each.at >= before.at]
        drifts = [each.wall - each.at for each in looks]
        return max((abs(later - earlier) for earlier, later in pairwise(drifts)), default=0.0)

    def _span(self, seconds: float) -> tuple[Look, Look]:
        if not self._looks:
            self.look()
        now = self._looks[-1]
        return next((each for each in self._looks if each.at >= now.at - seconds), now), now


def _percentile(histogram: Histogram, counts: list[int]) -> float:
    most, seen = sum(counts) * 0.99, 0
    for bound, count in zip((*histogram.bounds, histogram.bounds[-1] * 2), counts, strict=True):
        seen += count
        if count and seen >= most:
            return bound
    return 0.0
