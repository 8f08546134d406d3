"""Metrics as text, in the form of Prometheus and in that of OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Generic

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from broker.exposition.metric import Metric, S, Type
from broker.histogram import Histogram

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exposition(Collector, Generic[S]):
    """Reads metrics and writes them.

    Args:
        metrics: the table.
        sources: that they are read from.
        process: tell of the process and of Python, too.
    """

    def __init__(self, metrics: Iterable[Metric[S]], sources: S, *, process: bool = True) -> None:
        self._metrics = tuple(metrics)
        self._sources = sources
        self._registry = CollectorRegistry()
        if process:
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
            GCCollector(registry=self._registry)
        self._registry.register(self)

    def describe(self) -> Iterable[Family]:
        """The names, so that registering reads nothing."""
        return [_family(metric) for metric in self._metrics]

    def collect(self) -> Iterator[Family]:
        """The metrics with their samples."""
        for metric in self._metrics:
            family = _family(metric)
            for labels, value in metric.read(self._sources):
                if isinstance(family, HistogramMetricFamily):
                    assert isinstance(value, Histogram)
                    family.add_metric(labels, _buckets(value), value.sum)
                else:
                    assert not isinstance(value, Histogram)
                    family.add_metric(labels, value)
            yield family

    def write(self, accept: str = "") -> tuple[bytes, str]:
        """The text, and its media type.

        Args:
            accept: what the reader takes, as the header field ``Accept`` has it.
        """
        if any(each.partition(";")[0].strip() == "application/openmetrics-text" for each in accept.split(",")):
            return openmetrics.generate_latest(self._registry), OPENMETRICS  # type: ignore[no-untyped-call]
        return generate_latest(self._registry), PLAIN


def _family(metric: Metric[S]) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    match metric.type:
        case Type.COUNTER:
            return CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        case Type.GAUGE:
            return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        case Type.HISTOGRAM:
            return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [f"{bound:g}" for bound in histogram.bounds]
    return list(zip([*bounds, "+Inf"], accumulate(histogram.counts), strict=True))
