"""Connections of XMPP clients: bytes, TLS and their deadlines; what the bytes mean is :mod:`broker.xmpp.c2s`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.net.admission import Admission
from broker.net.channel import channel_bindings, identities
from broker.net.holds import Holds
from broker.xmpp.c2s import ClientStream
from broker.xmpp.service import XmppService

log = Logger()

BUFFER = 256 * 1024
"""Bytes that may wait for a client to read them; above that its stanzas stay in their queue, and so on disk."""
UNREAD_ANSWERS = "unread answers"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may do. Times in seconds.

    Args:
        handshake_timeout: until a TLS handshake must be over (spec xmpp §2.5 R3).
        write_timeout: a full buffer must have drained by then (R4).
        close_timeout: a peer must have read what was sent before its connection was closed.
        max_connections: connections of one listener.
        max_pending: connections of one address that have not logged in yet.
    """

    handshake_timeout: float = 15.0
    write_timeout: float = 30.0
    close_timeout: float = 10.0
    max_connections: int = 100_000
    max_pending: int = 1000


@implementer(IPushProducer, IHandshakeListener)
class XmppConnection(Protocol):
    """One connection.

    Args:
        factory: that it belongs to.
        host: address of the client.
    """

    def __init__(self, factory: XmppFactory, host: str) -> None:
        self.factory: XmppFactory = factory
        self.host = host
        self.secure = False
        self.stream = ClientStream(factory.service, self, host, loopback=factory.loopback)
        self._holds = Holds()
        self._closed = False
        self._lost = False
        self._handshake: Any = None
        self._stalled: Any = None
        self._closing: Any = None

    def connectionMade(self) -> None:
        """The connection is there; with direct TLS the handshake comes first."""
        transport: Any = self.transport
        self.factory.opened(self)
        transport.bufferSize = BUFFER
        transport.registerProducer(self, True)
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)
        if self.factory.direct_tls:
            self._await_handshake()
        else:
            self.stream.connected()

    def dataReceived(self, data: bytes) -> None:
        """Bytes have come."""
        if not self._closed:
            self.stream.received(data)

    def handshakeCompleted(self) -> None:
        """TLS is on."""
        self._cancel("_handshake")
        if self._closed:
            return
        self.secure = True
        if self.factory.direct_tls:
            self.stream.connected()
        else:
            self.stream.secured()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        transport: Any = self.transport
        if not self._closed and transport is not None:
            transport.write(data)

    def start_tls(self) -> None:
        """Begin the handshake of STARTTLS."""
        transport: Any = self.transport
        self._await_handshake()
        transport.unregisterProducer()
        transport.startTLS(self.factory.tls)
        transport.registerProducer(self, True)

    def close(self) -> None:
        """Send what was written, then close."""
        transport: Any = self.transport
        if self._closed or transport is None:
            return
        self._closed = True
        transport.loseConnection()
        if not self._lost:
            self._closing = self.factory.clock.callLater(self.factory.limits.close_timeout, self._close_overdue)

    def abort(self) -> None:
        """Close now."""
        self._closed = True
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def hold(self, reason: str) -> None:
        """Read nothing more until every reason to hold is released."""
        self._holds.add(None if self._lost else self.transport, reason)

    def release(self, reason: str) -> None:
        """A reason to hold is gone."""
        self._holds.remove(None if self._closed else self.transport, reason)

    def logged_in(self) -> None:
        """It counts no more as one of strangers."""
        self.factory.admission.logged_in(self)

    def channel_bindings(self) -> Mapping[str, bytes]:
        """Channel binding data by type."""
        connection = self._tls_connection()
        return {} if connection is None else channel_bindings(connection)

    def client_certificate(self) -> Sequence[str]:
        """Bare JIDs that a certificate of the client proves."""
        connection = self._tls_connection()
        return () if connection is None or not self.factory.verifies else identities(connection)

    def pauseProducing(self) -> None:
        """The buffer is full: send nothing, and read nothing that would need an answer."""
        self.stream.set_writable(False)
        self.hold(UNREAD_ANSWERS)
        if self._stalled is None:
            self._stalled = self.factory.clock.callLater(self.factory.limits.write_timeout, self._stall_overdue)

    def resumeProducing(self) -> None:
        """The buffer has room again."""
        self._cancel("_stalled")
        self.release(UNREAD_ANSWERS)
        self.stream.set_writable(True)

    def stopProducing(self) -> None:
        """The transport is gone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything, whatever fails."""
        self._closed = self._lost = True
        for name in ("_handshake", "_stalled", "_closing"):
            self._cancel(name)
        try:
            self.stream.lost(f"the connection was lost: {reason.getErrorMessage()}")
        finally:
            self.factory.closed(self)
        super().connectionLost(reason)

    def _tls_connection(self) -> Any:
        transport: Any = self.transport
        for layer in (transport, getattr(transport, "protocol", None)):
            if isinstance(layer, TLSMemoryBIOProtocol):
                return layer.getHandle()
        return None

    def _await_handshake(self) -> None:
        self._handshake = self.factory.clock.callLater(self.factory.limits.handshake_timeout, self._handshake_overdue)

    def _handshake_overdue(self) -> None:
        self._handshake = None
        log.info("{host}: no TLS handshake in time", host=self.host)
        self.abort()

    def _stall_overdue(self) -> None:
        self._stalled = None
        log.info("{host}: reads nothing; connection closed", host=self.host)
        self.abort()

    def _close_overdue(self) -> None:
        self._closing = None
        self.abort()

    def _cancel(self, name: str) -> None:
        call = getattr(self, name)
        setattr(self, name, None)
        if call is not None and call.active():
            call.cancel()


class XmppFactory(Factory):
    """Makes the connections of one listener.

    Args:
        service: that they belong to.
        limits: what a peer may do.
        clock: an ``IReactorTime``.
        tls: a context for servers, or ``None`` where TLS is off.
        direct_tls: the TLS handshake comes first (XEP-0368); else clients may start TLS.
        loopback: the listener can be reached from this machine only.
        verifies: certificates of clients are verified.
    """

    noisy = False

    def __init__(
        self,
        service: XmppService,
        limits: Limits,
        clock: Any,
        *,
        tls: Any = None,
        direct_tls: bool = False,
        loopback: bool = True,
        verifies: bool = False,
    ) -> None:
        self.service = service
        self.limits = limits
        self.clock = clock
        self.tls = tls
        self.direct_tls = direct_tls
        self.loopback = loopback
        self.verifies = verifies
        self.admission = Admission(limits.max_connections, limits.max_pending)
        self.connections: set[XmppConnection] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection, or ``None`` where there are too many already."""
        host: str = getattr(addr, "host", "")
        return XmppConnection(self, host) if self.admission.admits(host) else None

    def opened(self, connection: XmppConnection) -> None:
        """A connection is there."""
        self.connections.add(connection)
        self.admission.opened(connection, connection.host)

    def closed(self, connection: XmppConnection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self.admission.closed(connection)

    def close_all(self) -> None:
        """Let go of all connections (the listener closes)."""
        for connection in list(self.connections):
            connection.stream.shut_down()
