"""What ``broker top`` shows: two looks at a broker, and the rates between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.cli.ops.values import value_at
from broker.model.number import real_or_none

Row = Mapping[str, Any]
Buckets = Mapping[float, float]

_LAG = re.compile(r'^broker_reactor_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
PERCENTILE = 0.99
COUNTERS = ("publish", "update")
"""Of a session; together they are how busy it is."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look.

    Args:
        at: seconds of a clock that nobody sets.
        overview: as the API has it.
        queues: the longest, as the API has them.
        sessions: those that have done most, likewise.
        lag: how often calls of the reactor were late by at most so many seconds, since the broker began.
    """

    at: float
    overview: Row
    queues: tuple[Row, ...] = ()
    sessions: tuple[Row, ...] = ()
    lag: Buckets = field(default_factory=dict)


def read_lag(exposition: str) -> Buckets:
    """The histogram of the reactor's lag in the text of the metrics."""
    found: dict[float, float] = {}
    for bound, count in _LAG.findall(exposition):
        upper, number = real_or_none("Infinity" if bound == "+Inf" else bound), real_or_none(count)
        if upper is not None and number is not None:
            found[upper] = number
    return found


def lag_between(before: Buckets, now: Buckets) -> float | None:
    """Seconds that 99 of 100 calls between two looks were late at most; ``None`` where there were none.

    Args:
        before: of the first look.
        now: of the second.
    """
    grown = {bound: count - before.get(bound, 0.0) for bound, count in now.items()}
    total = max(grown.values(), default=0.0)
    if total <= 0:
        return None
    return next((bound for bound in sorted(grown) if grown[bound] >= PERCENTILE * total), None)


def rate_between(before: Sample | None, now: Sample, path: str) -> float | None:
    """How fast a number of the overview grew, a second.

    Args:
        before: the look before; ``None`` where there was none.
        now: the look.
        path: of the number.
    """
    if before is None:
        return None
    return _rate(value_at(before.overview, path), value_at(now.overview, path), now.at - before.at)


def busiest(before: Sample | None, now: Sample) -> list[tuple[float | None, Row]]:
    """Sessions with how many messages each published and got a second, those of the most first.

    Args:
        before: the look before; without it there are no rates.
        now: the look.
    """
    earlier = {} if before is None else {row.get("name"): _done(row) for row in before.sessions}
    elapsed = 0.0 if before is None else now.at - before.at
    rated = [(_rate(earlier.get(row.get("name")), _done(row), elapsed), row) for row in _whole(now.sessions)]
    return sorted(rated, key=lambda each: -(each[0] or 0.0))


def longest(now: Sample) -> list[Row]:
    """The queues of a look that could be told."""
    return list(_whole(now.queues))


def _whole(rows: Iterable[Row]) -> Iterable[Row]:
    """Without those in whose place the API tells of an error."""
    return (row for row in rows if "error" not in row)


def _done(row: Row) -> float:
    return sum(value_at(row, f"counters.{name}") or 0 for name in COUNTERS)


def _rate(before: Any, now: Any, elapsed: float) -> float | None:
    if before is None or now is None or elapsed <= 0 or now < before:  # the last: the broker was started anew
        return None
    return float(now - before) / elapsed
