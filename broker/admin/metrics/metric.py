"""One metric, and what metrics are read from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from broker.admin.instance import core_of
from broker.histogram import Histogram

if TYPE_CHECKING:
    from broker.admin.census import Census
    from broker.admin.health import Health
    from broker.admin.http_counts import HttpCounts
    from broker.admin.instance import Instance
    from broker.admin.reactor_lag import ReactorLag
    from broker.admin.store_files import StoreFiles
    from broker.core.broker import Broker
    from broker.logs.counts import LineCounts


class Type(StrEnum):
    """What a metric's numbers do."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sources:
    """What metrics are read from.

    Args:
        instance: the broker.
        health: of it.
        census: numbers of its objects.
        lag: of the reactor.
        http: requests of administration.
        lines: of the log.
        files: of the store.
    """

    instance: Instance
    health: Health
    census: Census
    lag: ReactorLag
    http: HttpCounts
    lines: LineCounts
    files: StoreFiles

    @property
    def core(self) -> Broker | None:
        """The core, where the run level has one."""
        return core_of(self.instance)


Value = float | Histogram
Sample = tuple[Sequence[str], Value]
"""Values of the labels, and the number."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the table.

    Args:
        name: with the unit, and ``_total`` at the end of a counter.
        type: what its numbers do.
        help: one sentence.
        read: the samples; as many at any time, whatever clients do. None where there is nothing to read from.
        labels: names; each has few values, which are known when the broker starts.
    """

    name: str
    type: Type
    help: str
    read: Callable[[Sources], Iterable[Sample]]
    labels: tuple[str, ...] = ()


def one(read: Callable[[Sources], Value | None]) -> Callable[[Sources], Iterable[Sample]]:
    """The samples of a metric without labels.

    Args:
        read: the number; ``None`` where there is none.
    """

    def samples(sources: Sources) -> Iterable[Sample]:
        value = read(sources)
        return [] if value is None else [((), value)]

    return samples
