"""What the broker's metrics are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.admin.instance import core_of
from broker.admin.last_backup import Backup, last_backup

if TYPE_CHECKING:
    from broker.admin.census import Census
    from broker.admin.followers import Followers
    from broker.admin.health import Health
    from broker.admin.http_counts import HttpCounts
    from broker.admin.instance import Instance
    from broker.admin.store_files import StoreFiles
    from broker.core.broker import Broker
    from broker.exposition.reactor_lag import ReactorLag
    from broker.logs.counts import LineCounts
    from broker.net.listener import Listener


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
        followers: streams of server-sent events.
    """

    instance: Instance
    health: Health
    census: Census
    lag: ReactorLag
    http: HttpCounts
    lines: LineCounts
    files: StoreFiles
    followers: Followers

    @property
    def core(self) -> Broker | None:
        """The core, where the run level has one."""
        return core_of(self.instance)

    def last_backup(self) -> Backup | None:
        """The newest backup, where there is one."""
        return last_backup(self.instance.properties, self.instance.data)

    def listeners(self) -> list[tuple[str, Listener]]:
        """The listeners for clients, by their names."""
        return self.instance.listeners()
