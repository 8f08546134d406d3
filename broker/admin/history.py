"""What the broker's numbers were: the last minutes second by second, and the last day in steps of ten seconds.

It is kept in memory only, so that a chart is full at first sight, whoever asks first. A restart begins anew.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.timers import cancel

S = TypeVar("S")

STEP = 1
"""Seconds between two looks."""
FINE = 300
"""Looks that are kept."""
TOGETHER = 10
"""Looks that become one value of the long memory."""
COARSE = 8640
"""Values of the long memory: a day."""
NOTHING = math.nan


@dataclass(frozen=True, slots=True)
class Gauge(Generic[S]):
    """A number as it is.

    Args:
        name: of the series, with its unit.
        read: the number; ``None`` where there is none now.
    """

    name: str
    read: Callable[[S], float | None]


@dataclass(frozen=True, slots=True)
class Rate(Generic[S]):
    """By how much a counter rises in a second.

    Args:
        name: as of a gauge.
        read: the counter; ``None`` where there is none now. Where it falls it has begun anew, and nothing is known.
    """

    name: str
    read: Callable[[S], float | None]


@dataclass(frozen=True, slots=True)
class Mean(Generic[S]):
    """By how much a sum rises for each that is counted, where one is.

    Args:
        name: as of a gauge.
        read: the sum and the count; ``None`` where there are none now.
    """

    name: str
    read: Callable[[S], tuple[float, float] | None]


Series = Gauge[S] | Rate[S] | Mean[S]


class Ring:
    """The last values of one series.

    Args:
        size: how many are kept.
    """

    __slots__ = ("_next", "_values")

    def __init__(self, size: int) -> None:
        self._values = array("d", [NOTHING] * size)
        self._next = 0

    def add(self, value: float) -> None:
        """Keep one more, in the place of the oldest."""
        self._values[self._next] = value
        self._next = (self._next + 1) % len(self._values)

    def last(self, number: int) -> array[float]:
        """The last ones, the oldest first.

        Args:
            number: of values, at most those that are kept.
        """
        values = self._values[self._next :] + self._values[: self._next]
        return values[len(values) - number :]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of the history.

    Args:
        series: values by name, the oldest first; ``None`` where nothing is known.
        step: seconds between two values.
        at: milliseconds since 1970 of the last value; 0 where there is none yet.
    """

    series: dict[str, list[float | None]]
    step: int
    at: int


class History(Generic[S]):
    """Looks at numbers each second, as long as it is running.

    Args:
        series: what to look at.
        sources: that it is read from.
        clock: calls it.

    Attributes:
        names: of the series.
    """

    def __init__(self, series: Sequence[Series[S]], sources: S, clock: IReactorTime) -> None:
        self.names = tuple(each.name for each in series)
        self._fine_at = self._coarse_at = 0
        self._series = tuple(series)
        self._sources = sources
        self._clock = clock
        self._fine = [Ring(FINE) for _ in series]
        self._coarse = [Ring(COARSE) for _ in series]
        self._before: list[tuple[float, float] | None] = [None] * len(self._series)
        self._looks = 0
        self._looked = 0.0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin."""
        self._looked = self._clock.seconds()
        for index, each in enumerate(self._series):
            self._before[index] = _read(each, self._sources)
        self._call = self._clock.callLater(STEP, self._look)

    def stop(self) -> None:
        """Look no more."""
        cancel(self._call)
        self._call = None

    def excerpt(self, names: Iterable[str], seconds: int, points: int) -> Excerpt:
        """What is known of some series.

        Args:
            names: of the series; each must be one of :attr:`names`.
            seconds: how far back, at most a day.
            points: of each series at most; values are put together by their mean.
        """
        is_fine = seconds <= FINE * STEP
        rings, step, at = (
            (self._fine, STEP, self._fine_at) if is_fine else (self._coarse, STEP * TOGETHER, self._coarse_at)
        )
        number = max(1, seconds // step)
        together = -(-number // points)
        number -= number % together
        chosen = {name: rings[self.names.index(name)].last(number) for name in names}
        return Excerpt({name: _put_together(each, together) for name, each in chosen.items()}, step * together, at)

    def _look(self) -> None:
        now = self._clock.seconds()
        passed = now - self._looked
        self._looked = now
        self._fine_at = int(time.time() * 1000)
        # Where the reactor had no time for some looks, their seconds have the value of this one.
        repeated = min(max(1, round(passed / STEP)), FINE)
        values = [self._value(index, each, passed) for index, each in enumerate(self._series)]
        for _ in range(repeated):
            for ring, value in zip(self._fine, values, strict=True):
                ring.add(value)
            self._looks += 1
            if self._looks % TOGETHER == 0:
                for fine, coarse in zip(self._fine, self._coarse, strict=True):
                    coarse.add(_mean(fine.last(TOGETHER)))
                self._coarse_at = self._fine_at
        self._call = self._clock.callLater(STEP, self._look)

    def _value(self, index: int, series: Series[S], passed: float) -> float:
        now, before = _read(series, self._sources), self._before[index]
        self._before[index] = now
        if now is None:
            return NOTHING
        if isinstance(series, Gauge):
            return now[0]
        if before is None or now[0] < before[0] or passed <= 0:
            return NOTHING
        counted = now[1] - before[1] if isinstance(series, Mean) else passed
        return (now[0] - before[0]) / counted if counted > 0 else NOTHING


def _read(series: Series[S], sources: S) -> tuple[float, float] | None:
    value = series.read(sources)
    return value if value is None or isinstance(value, tuple) else (value, 0.0)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else NOTHING


def _put_together(values: Sequence[float], together: int) -> list[float | None]:
    means = (_mean(values[start : start + together]) for start in range(0, len(values), together))
    return [None if math.isnan(value) else round(value, 6) for value in means]
