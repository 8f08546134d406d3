"""Metrics of a broker that is no process."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from broker.admin.census import Census
from broker.admin.followers import Followers
from broker.admin.health import Health
from broker.admin.http_counts import HttpCounts
from broker.admin.metrics.sources import Sources
from broker.admin.metrics.table import METRICS
from broker.admin.store_files import StoreFiles
from broker.exposition.reactor_lag import ReactorLag
from broker.exposition.text import Exposition
from broker.logs.counts import LineCounts
from tests.admin.api.desk import Desk

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Readings:
    """What a desk's broker exposes."""

    def __init__(self, desk: Desk | None = None) -> None:
        self.desk = desk or Desk(settings={"db.url": "memory:"})
        instance = self.desk.instance
        self.census = Census(instance)
        self.lag = ReactorLag(instance.reactor)
        self.http = HttpCounts()
        self.lines = LineCounts()
        self.followers = Followers(instance.reactor)
        files = StoreFiles(instance.properties, instance.data)
        self.sources = Sources(
            instance, Health(instance), self.census, self.lag, self.http, self.lines, files, self.followers
        )
        self.exposition = Exposition(METRICS, self.sources)

    def count(self) -> None:
        """Take the census once, now."""
        self.census.start()
        self.desk.world.turn()
        self.census.stop()

    def series(self) -> Series:
        """All samples."""
        text, _ = self.exposition.write()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """One sample."""
        return self.series()[name, tuple(sorted(labels.items()))]
