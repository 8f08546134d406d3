"""The listener of the native protocol: a connection for every client, within limits."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from broker.core.broker import Broker
from broker.core.log_limit import NamedLogLimits, lines
from broker.native.callback import CallbackDialer
from broker.native.connection import Limits
from broker.native.login import NativeLogin
from broker.native.requests import NativeRequests
from broker.native.server import NativeServer
from broker.net.admission import Admission

log = Logger()


class NativeFactory(Factory):
    """Makes a connection for every client of one listener.

    Args:
        broker: the core.
        login: logs clients in.
        dialer: for callback addresses that name a server of the client.
        limits: what a client may do.
        compress: whether the listener speaks ``zlib:stream``.
        run_level: name of the run level, for pings while the broker is not ready.

    Attributes:
        requests: serves what clients ask for.
        refusals: for the log, of clients by their peer, and of addresses: those that have not logged in can come again
            and again.
    """

    noisy = False

    def __init__(
        self,
        broker: Broker,
        login: NativeLogin,
        dialer: CallbackDialer,
        limits: Limits,
        *,
        compress: bool = False,
        run_level: Callable[[], str] = lambda: "RUNNING",
    ) -> None:
        self.broker = broker
        self.login = login
        self.requests = NativeRequests(broker)
        self.dialer = dialer
        self.limits = limits
        self.compress = compress
        self.run_level = run_level
        self.connections: set[NativeServer] = set()
        self.refusals = NamedLogLimits(broker.node.monotonic, lines(log.info), "refusals")
        self._admission = Admission(broker.node.clock, limits.max_connections, limits.max_pending_logins)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection, or ``None`` where there are too many already."""
        host: str = getattr(addr, "host", "")
        return NativeServer(self, host) if self._admission.admits(host) else None

    def opened(self, connection: NativeServer) -> None:
        """A connection is there and has not logged in yet."""
        self.connections.add(connection)
        self._admission.opened(connection, connection.host)

    def logged_in(self, connection: NativeServer) -> None:
        """A connection has logged in."""
        self._admission.logged_in(connection)

    def closed(self, connection: NativeServer) -> None:
        """A connection is gone."""
        self._admission.closed(connection)
        self.connections.discard(connection)

    def close_all(self) -> None:
        """Let go of all connections (the listener stops)."""
        for connection in list(self.connections):
            connection.close("the broker stops")
