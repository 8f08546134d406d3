"""One listener: who is let in, and how all its connections end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from broker.model.host import network_of
from broker.net.admission import Admission
from broker.net.connection_counts import ConnectionCounts
from broker.net.rate import Rate
from broker.net.shutdown import Shutdown
from broker.net.transport import Connection, MakeStream, TransportSettings

_numbers = count(1)

TellRefusal = Callable[[str, Callable[[], str]], None]
"""Takes the name of a peer and what makes the line for the log."""


def _tell_nobody(name: str, text: Callable[[], str]) -> None:
    """For listeners without a log."""


class Listener(Factory):
    """Makes the connections of one port.

    Args:
        make_stream: makes what is spoken over a connection; ``None`` where all of them are adopted.
        settings: of the connections.
        tell: the log, of what became of strangers.

    Attributes:
        admission: counts the connections.
        connections: those that are there.
        counts: of them, and of those that are gone.
    """

    noisy = False

    def __init__(
        self, make_stream: MakeStream | None, settings: TransportSettings, tell: TellRefusal = _tell_nobody
    ) -> None:
        self.settings = settings
        self._make_stream = make_stream
        self._tell = tell
        limits, clock = settings.limits, settings.clock
        self.admission = Admission(
            clock,
            limits.max_connections,
            limits.max_pending,
            max_strangers=limits.max_strangers,
            rate=Rate(clock, limits.rate, limits.burst) if limits.rate else None,
        )
        self.connections: set[Connection] = set()
        self.counts = ConnectionCounts()
        self._emptied: list[Deferred[None]] = []

    @property
    def factory(self) -> IProtocolFactory:
        """What is to listen on the port: this, or this below TLS."""
        settings = self.settings
        if not settings.direct_tls or settings.tls is None:
            return self
        return TLSMemoryBIOFactory(settings.tls, False, self, settings.clock)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection, or ``None`` where there are too many already."""
        host: str = getattr(addr, "host", "")
        if self._make_stream is None or not self.admission.admits(host):
            return None
        return Connection(self.settings, self, self._make_stream, host)

    def adopt(self, host: str, make_stream: MakeStream, *, secure: bool) -> Connection | None:
        """A connection that another protocol has begun on, or ``None`` where there are too many already.

        Args:
            host: address of the peer.
            make_stream: makes what is spoken over it from now on.
            secure: it is inside TLS.
        """
        if not self.admission.admits(host):
            return None
        connection = Connection(self.settings, self, make_stream, host)
        connection.secure = secure
        return connection

    def opened(self, connection: Connection) -> None:
        """A connection is there."""
        connection.number = next(_numbers)
        connection.opened_at = self.settings.clock.seconds()
        self.connections.add(connection)
        self.admission.opened(connection, connection.host)

    def logged_in(self, connection: Connection) -> None:
        """A connection has logged in."""
        self.admission.logged_in(connection)

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self.admission.closed(connection)
        if not self.connections:
            emptied, self._emptied = self._emptied, []
            for each in emptied:
                each.callback(None)

    def refused(self, connection: Connection, reason: str) -> None:
        """A connection was broken off by this side; the log says so once a minute and address, or network of IPv6."""
        self._tell(network_of(connection.host), lambda: f"{connection.host}: {reason}")

    def close_all(self) -> Deferred[None]:
        """Let go of all connections (the listener closes); fires when they are gone.

        Clients get what is on its way to them, unless they do not read it in time (:class:`Shutdown`).
        """
        for connection in list(self.connections):
            connection.shut_down()
        if not self.connections:
            return succeed(None)
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        limits = self.settings.limits
        shutdown = Shutdown(self.settings.clock, self.connections, limits.stop_grace, limits.close_timeout)
        emptied.addCallback(lambda _: shutdown.stop())
        return emptied
