"""One metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from broker.histogram import Histogram

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class Type(StrEnum):
    """What a metric's numbers do."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


Value = float | Histogram
Sample = tuple[Sequence[str], Value]
"""Values of the labels, and the number."""


@dataclass(frozen=True, slots=True)
class Metric(Generic[S_contra]):
    """A row of a table of metrics.

    Args:
        name: with the unit, and ``_total`` at the end of a counter.
        type: what its numbers do.
        help: one sentence.
        read: the samples, from what the program has to read from; as many at any time, whatever clients do. None where
            there is nothing to read from.
        labels: names; each has few values, which are known when the program starts.
    """

    name: str
    type: Type
    help: str
    read: Callable[[S_contra], Iterable[Sample]]
    labels: tuple[str, ...] = ()


def one(read: Callable[[S], Value | None]) -> Callable[[S], Iterable[Sample]]:
    """The samples of a metric without labels.

    Args:
        read: the number; ``None`` where there is none.
    """

    def samples(sources: S) -> Iterable[Sample]:
        value = read(sources)
        return [] if value is None else [((), value)]

    return samples


def markdown(metrics: Iterable[Metric[S]]) -> str:
    """The table as documents have it."""
    rows = [
        f"| `{each.name}` | {each.type} | {', '.join(f'`{label}`' for label in each.labels) or '–'} | {each.help} |\n"
        for each in metrics
    ]
    return "".join(["| metric | type | labels | |\n|---|---|---|---|\n", *rows])
