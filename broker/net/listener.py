"""The listener of the native protocol: a connection for every client, within limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from broker.core.broker import Broker
from broker.net.callback import CallbackDialer
from broker.net.connection import Limits
from broker.net.native import NativeServer

log = Logger()


class NativeFactory(Factory):
    """Makes a connection for every client of one listener.

    Args:
        broker: the core.
        dialer: for callback addresses that name a server of the client.
        limits: what a client may do.
        compress: whether the listener speaks ``zlib:stream``.
        run_level: name of the run level, for pings while the broker is not ready.
    """

    noisy = False

    def __init__(
        self,
        broker: Broker,
        dialer: CallbackDialer,
        limits: Limits,
        *,
        compress: bool = False,
        run_level: Callable[[], str] = lambda: "RUNNING",
    ) -> None:
        self.broker = broker
        self.dialer = dialer
        self.limits = limits
        self.compress = compress
        self.run_level = run_level
        self.connections: set[NativeServer] = set()
        self._waiting: Counter[str] = Counter()
        self._anonymous: dict[NativeServer, str] = {}

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection, or ``None`` where there are too many already."""
        host: str = getattr(addr, "host", "")
        if (
            len(self.connections) >= self.limits.max_connections
            or self._waiting[host] >= self.limits.max_pending_logins
        ):
            log.warn("{host}: refused: too many connections", host=host)
            return None
        return NativeServer(self, host)

    def opened(self, connection: NativeServer) -> None:
        """A connection is there and has not logged in yet."""
        self.connections.add(connection)
        host = connection.host
        self._anonymous[connection] = host
        self._waiting[host] += 1

    def logged_in(self, connection: NativeServer) -> None:
        """A connection has logged in."""
        host = self._anonymous.pop(connection, None)
        if host is not None:
            self._waiting[host] -= 1
            if not self._waiting[host]:
                del self._waiting[host]

    def closed(self, connection: NativeServer) -> None:
        """A connection is gone."""
        self.logged_in(connection)
        self.connections.discard(connection)

    def close_all(self) -> None:
        """Let go of all connections (the listener stops)."""
        for connection in list(self.connections):
            connection.close("the broker stops")
