"""What metrics, alarms and checks are read from, of a broker that is no process."""

from __future__ import annotations

from broker.admin.census import Census
from broker.admin.findings.alarms import Alarms
from broker.admin.findings.watch import Watch
from broker.admin.followers import Followers
from broker.admin.health import Health
from broker.admin.http_counts import HttpCounts
from broker.admin.instance import Instance
from broker.admin.metrics.sources import Sources
from broker.admin.store_files import StoreFiles
from broker.exposition.reactor_lag import ReactorLag
from broker.logs.counts import LineCounts


def sources_of(instance: Instance, census: Census | None = None) -> Sources:
    """All that there is to read from.

    Args:
        instance: the broker.
        census: of it; one that has counted nothing where it is not given.
    """
    return Sources(
        instance,
        Health(instance),
        census or Census(instance),
        ReactorLag(instance.reactor),
        HttpCounts(),
        LineCounts(),
        StoreFiles(instance.properties, instance.data),
        Followers(instance.reactor),
    )


def watch_of(instance: Instance, census: Census | None = None) -> Watch:
    """Numbers of the last minutes, by the clock of the broker."""
    seconds = instance.reactor.seconds
    return Watch(sources_of(instance, census), wall=instance.wall_clock, monotonic=seconds)


def alarms_of(instance: Instance, census: Census | None = None) -> Alarms:
    """Alarms of a broker; nobody has looked yet."""
    return Alarms(watch_of(instance, census), instance.reactor)
