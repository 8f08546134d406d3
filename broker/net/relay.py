"""Ports of a broker that stands by: what connects to them is passed on to the broker that has the database."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IAddress, IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.net.admission import Admission
from broker.net.port import open_port
from broker.net.proxy_header import SIGNATURE, encode
from broker.net.rate import Rate
from broker.net.relay_settings import RelaySettings
from broker.timers import cancel

log = Logger()

CONNECT_TIMEOUT = 5.0
"""Seconds in which a broker must have accepted a connection; then the next one is tried."""
FIRST_TIMEOUT = 30.0
"""Seconds in which a client must have sent something."""
BACKLOG = 200
MAX_CONNECTIONS = 20_000
"""Each of them takes two files of the process."""
RATE, BURST = 100, 1000
"""New connections of one address: in a second, and at once."""


class Relay:
    """Passes connections on, each behind a PROXY header with the address of the client. TLS is not touched.

    What begins with such a header is closed: it comes from another broker that stands by, and two of them would pass
    it on to each other for ever.

    Args:
        reactor: connects and listens.
        settings: what is relayed; without targets nothing is.
        endpoint: makes what connects to a host and port.
    """

    def __init__(
        self, reactor: Any, settings: RelaySettings, endpoint: Callable[[str, int], IStreamClientEndpoint] | None = None
    ) -> None:
        self.reactor = reactor
        self.settings = settings
        self.endpoint = endpoint or partial(HostnameEndpoint, reactor, timeout=CONNECT_TIMEOUT)
        self.admission = Admission(reactor, MAX_CONNECTIONS, MAX_CONNECTIONS, rate=Rate(reactor, RATE, BURST))
        self.connections: set[Inward] = set()
        self._open: list[Any] = []

    async def start(self) -> None:
        """Open the ports.

        Raises:
            BrokerError: ``resource.configuration.address`` where one cannot be opened; then none is.
        """
        if not self.settings.targets:
            return
        try:
            for port in self.settings.ports:
                self._open.append(
                    await open_port(
                        self.reactor,
                        self.settings.host,
                        port.own,
                        BACKLOG,
                        RelayFactory(self, port.other),
                        who="the relay of a broker that stands by",
                        advice=": stop it, or choose other ports with standby.relayPorts",
                        address="standby.relayHostname",
                    )
                )
        except BaseException:
            await self.stop()
            raise
        log.info(
            "connections to {host}, ports {ports}, are passed on to {targets}",
            host=self.settings.host,
            ports=", ".join(str(port.getHost().port) for port in self._open),
            targets=", ".join(self.settings.targets),
        )

    async def stop(self) -> None:
        """Close the ports and all connections."""
        ports, self._open = self._open, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        for connection in list(self.connections):
            connection.end()


class RelayFactory(Factory):
    """Makes what clients are connected to.

    Args:
        relay: that it belongs to.
        port: number that is connected to there.
    """

    noisy = False

    def __init__(self, relay: Relay, port: int) -> None:
        self._relay = relay
        self._port = port

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection, or ``None`` where there are too many."""
        host: str = getattr(addr, "host", "")
        return Inward(self._relay, self._port, host) if self._relay.admission.admits(host) else None


class Inward(Protocol):
    """The connection of a client, and its way to the broker.

    Args:
        relay: that it belongs to.
        port: number that is connected to there.
        host: address of the client.
    """

    def __init__(self, relay: Relay, port: int, host: str) -> None:
        self._relay = relay
        self._port = port
        self._host = host
        self._first = b""
        self._outward: Outward | None = None
        self._connecting: Deferred[None] | None = None
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """A client is there, and has to begin: so it does in all protocols that are passed on."""
        self._relay.connections.add(self)
        self._relay.admission.opened(self, self._host)
        self._deadline = self._relay.reactor.callLater(FIRST_TIMEOUT, self.end)

    async def _connect(self) -> None:
        relay = self._relay
        reason = "there is no broker to pass it on to"
        for target in relay.settings.targets:
            try:
                await relay.endpoint(target, self._port).connect(OutwardFactory(self))
                return
            except (ConnectError, DNSLookupError) as error:
                reason = f"{target}:{self._port}: {error}"
        log.warn("{host}: cannot be passed on: {reason}", host=self._host, reason=reason)
        self.end()

    def joined(self, outward: Outward) -> None:
        """The broker is there: tell it who the client is, and let bytes flow."""
        self._outward = outward
        here: Any = self.transport
        there: Any = outward.transport
        own = here.getHost()
        there.write(encode(self._host, here.getPeer().port, own.host, own.port) + self._first)
        self._first = b""
        here.registerProducer(there, True)
        there.registerProducer(here, True)
        here.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """What the client sends; nothing more is read from it until the broker is there."""
        if self._outward is not None:
            there: Any = self._outward.transport
            there.write(data)
            return
        self._first += data
        if self._connecting is not None or (len(self._first) < len(SIGNATURE) and SIGNATURE.startswith(self._first)):
            return
        cancel(self._deadline)
        if self._first.startswith(SIGNATURE):
            self.end()
            return
        here: Any = self.transport
        here.pauseProducing()
        self._connecting = Deferred.fromCoroutine(self._connect())
        self._connecting.addErrback(self._failed)

    def write(self, data: bytes) -> None:
        """Send what the broker sends."""
        transport: Any = self.transport
        transport.write(data)

    def end(self) -> None:
        """Close both ways."""
        transport: Any = self.transport
        transport.abortConnection()

    def broker_lost(self) -> None:
        """The broker has closed its side, or is gone: the client gets what is on its way to it."""
        transport: Any = self.transport
        transport.unregisterProducer()
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        cancel(self._deadline)
        self._relay.connections.discard(self)
        self._relay.admission.closed(self)
        if self._connecting is not None:
            self._connecting.cancel()
        outward, self._outward = self._outward, None
        if outward is not None:
            outward.client_lost()

    def _failed(self, failure: Failure) -> None:
        failure.trap(CancelledError)  # the client has gone meanwhile


class OutwardFactory(Factory):
    """Makes the connection to the broker.

    Args:
        inward: the one of the client.
    """

    noisy = False

    def __init__(self, inward: Inward) -> None:
        self._inward = inward

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Make it."""
        return Outward(self._inward)


class Outward(Protocol):
    """The connection to the broker.

    Args:
        inward: the one of the client.
    """

    def __init__(self, inward: Inward) -> None:
        self._inward: Inward | None = inward

    def connectionMade(self) -> None:
        """It is there."""
        transport: Any = self.transport
        transport.setTcpNoDelay(True)
        assert self._inward is not None
        self._inward.joined(self)

    def dataReceived(self, data: bytes) -> None:
        """What the broker sends."""
        if self._inward is not None:
            self._inward.write(data)

    def client_lost(self) -> None:
        """The client is gone: the broker gets what is on its way to it."""
        self._inward = None
        transport: Any = self.transport
        transport.unregisterProducer()
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The broker has closed it."""
        inward, self._inward = self._inward, None
        if inward is not None:
            inward.broker_lost()
