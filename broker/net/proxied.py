"""Connections through a proxy that tells whose they are: a listener counts, limits and logs them under that address."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.model.host import plain
from broker.net.proxy_header import ProxyHeaderError, decode
from broker.net.refusal_log import RefusalLog
from broker.timers import cancel

log = Logger()

TIMEOUT = 5.0
"""Seconds until the header must be there."""


class ProxiedFactory(Factory):
    """Makes the connections of a port that proxies connect to, too.

    Args:
        inner: makes them, from the address of the client.
        proxies: addresses whose connections begin with a header, as :func:`broker.model.host.plain` has them; no others
            have one.
        clock: of the deadline.

    Attributes:
        refusals: connections of proxies that were broken off.
    """

    noisy = False

    def __init__(self, inner: IProtocolFactory, proxies: Container[str], clock: IReactorTime) -> None:
        self.inner = inner
        self.clock = clock
        self._proxies = proxies
        self.refusals = RefusalLog(log, clock, "connections of proxies")

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection; of a proxy one that waits for the header."""
        if plain(getattr(addr, "host", "")) in self._proxies:
            return ProxiedProtocol(self, addr)
        inner: Any = self.inner
        made: Protocol | None = inner.buildProtocol(addr)
        return made

    def doStart(self) -> None:
        """A port opens."""
        self.inner.doStart()

    def doStop(self) -> None:
        """A port closes."""
        self.inner.doStop()


class ProxiedProtocol(Protocol):
    """Waits for the header of one connection, and then makes way for what is spoken over it.

    Args:
        factory: that it belongs to.
        addr: of the proxy.
    """

    def __init__(self, factory: ProxiedFactory, addr: Any) -> None:
        self._factory = factory
        self._addr = addr
        self._seen = b""
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """The header has to come soon."""
        self._deadline = self._factory.clock.callLater(TIMEOUT, self._refuse, "no PROXY header came in time")

    def dataReceived(self, data: bytes) -> None:
        """A part of the header has come, or more."""
        self._seen += data
        try:
            header = decode(self._seen)
        except ProxyHeaderError as error:
            self._refuse(str(error))
            return
        if header is None:
            return
        cancel(self._deadline)
        addr = self._addr
        if header.host:
            kind = IPv6Address if ":" in header.host else IPv4Address
            addr = kind("TCP", header.host, header.port)
        protocol: Any = self._factory.inner.buildProtocol(addr)
        transport: Any = self.transport
        if protocol is None:
            transport.abortConnection()
            return
        rest = self._seen[header.size :]
        transport.getPeer = lambda: addr  # whoever asks the socket is told of the client, as who asks the factory is
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if rest:
            protocol.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The proxy has gone before it said anything, as one that looks whether the port is open."""
        cancel(self._deadline)

    def _refuse(self, reason: str) -> None:
        cancel(self._deadline)
        self._factory.refusals.tell(self._addr.host, reason)
        transport: Any = self.transport
        transport.abortConnection()
