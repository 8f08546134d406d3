"""How many connections a listener lets in, and from whom."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Any

from twisted.logger import Logger

from broker.model.host import is_loopback, network_of
from broker.net.rate import Rate
from broker.net.refusal_log import RefusalLog

log = Logger()


class Refusal(StrEnum):
    """Why a connection is not let in."""

    LIMIT = "limit"
    STRANGERS = "strangers"
    PENDING = "pending"
    RATE = "rate"
    DRAINING = "draining"


_TEXTS = {
    Refusal.LIMIT: "there are too many connections",
    Refusal.STRANGERS: "there are too many that have not logged in",
    Refusal.PENDING: "it has too many that have not logged in",
    Refusal.RATE: "it connects too often",
    Refusal.DRAINING: "an administrator lets nobody in",
}


class Admission:
    """Counts the connections of one listener, and those of each address that have not logged in.

    An IPv6 address counts as its /64 network. What comes from this machine has no limits as an address, since a proxy
    may stand for many; what holds for all holds for it, too.

    Args:
        clock: an ``IReactorTime``.
        max_connections: most connections.
        max_pending: most connections of one address that have not logged in yet.
        max_strangers: most connections of all addresses that have not logged in yet; by default any.
        rate: limits how often an address may connect.

    Attributes:
        max_connections: see above.
        draining: nobody is let in; those who are there stay.
        admitted: connections so far; never falls.
        refusals: connections that were refused so far, by their reason; these never fall either.
    """

    def __init__(
        self,
        clock: Any,
        max_connections: int,
        max_pending: int,
        *,
        max_strangers: int | None = None,
        rate: Rate | None = None,
    ) -> None:
        self._clock = clock
        self.max_connections = max_connections
        self.draining = False
        self.admitted = 0
        self.refusals = dict.fromkeys(Refusal, 0)
        self._max_pending = max_pending
        self._max_strangers = max_connections if max_strangers is None else max_strangers
        self._rate = rate
        self._connections: set[object] = set()
        self._strangers: dict[object, str] = {}
        self._pending: Counter[str] = Counter()
        self._log = RefusalLog(log, clock, "connections")

    def admits(self, host: str) -> bool:
        """Whether one more connection of an address may come in; the log says where it may not."""
        reason = self._obstacle(host)
        if reason is None:
            return True
        self.refusals[reason] += 1
        self._log.tell(host, _TEXTS[reason])
        return False

    def opened(self, connection: object, host: str) -> None:
        """A connection is there and has not logged in yet."""
        self.admitted += 1
        self._connections.add(connection)
        network = self._strangers[connection] = network_of(host)
        self._pending[network] += 1

    def logged_in(self, connection: object) -> None:
        """A connection has logged in."""
        network = self._strangers.pop(connection, None)
        if network is not None:
            self._pending[network] -= 1
            if not self._pending[network]:
                del self._pending[network]

    def closed(self, connection: object) -> None:
        """A connection is gone."""
        self.logged_in(connection)
        self._connections.discard(connection)

    def __len__(self) -> int:
        return len(self._connections)

    @property
    def strangers(self) -> int:
        """Connections that have not logged in."""
        return len(self._strangers)

    def _obstacle(self, host: str) -> Refusal | None:
        """Why no connection of an address may come in; ``None`` where one may."""
        if self.draining:
            return Refusal.DRAINING
        if len(self._connections) >= self.max_connections:
            return Refusal.LIMIT
        if len(self._strangers) >= self._max_strangers:
            return Refusal.STRANGERS
        if is_loopback(host):
            return None
        network = network_of(host)
        if self._pending[network] >= self._max_pending:
            return Refusal.PENDING
        if self._rate is not None and not self._rate.takes(network):
            return Refusal.RATE
        return None
