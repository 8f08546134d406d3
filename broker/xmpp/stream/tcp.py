"""Connections of XMPP clients: bytes, TLS and deadlines; the rest is :mod:`broker.xmpp.stream.bound`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.net.admission import Admission
from broker.net.rate import Rate
from broker.net.read_pauses import ReadPauses
from broker.net.shutdown import Shutdown
from broker.net.tls_identity import channel_bindings, identities
from broker.net.write_buffer import WriteBuffer, untaken
from broker.xmpp.service import XmppService
from broker.xmpp.stream.bound import ClientStream

log = Logger()

ROOM = 192 * 1024
"""Bytes that may wait for a client on top of a full buffer; above that its stanzas stay in their queue, and on disk."""
UNREAD_ANSWERS = "unread answers"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may do. Times in seconds.

    Args:
        handshake_timeout: until a TLS handshake must be over (spec xmpp §2.5 R3).
        write_timeout: a peer whose buffer is full must have read something by then (R4).
        max_unread: bytes that may come on top of a full buffer; a window of stanzas may be on its way to it.
        close_timeout: after its connection was closed a peer must have read something, or closed its side, by then.
        stop_grace: the same where the listener closes and the peer has taken everything, so that a stop takes a second;
            one that is still reading has ``close_timeout``.
        max_connections: connections of one listener.
        max_strangers: those of them that have not logged in yet.
        max_pending: connections of one address that have not logged in yet.
        rate: new connections of one address in a second, in the long run; ``0`` for any number.
        burst: new connections of one address at once.
    """

    handshake_timeout: float = 15.0
    write_timeout: float = 30.0
    max_unread: int = 128 << 20
    close_timeout: float = 5.0
    stop_grace: float = 0.5
    max_connections: int = 100_000
    max_strangers: int = 20_000
    max_pending: int = 1000
    rate: int = 100
    burst: int = 1000


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
        self._holds = ReadPauses()
        self._closed = False
        self._lost = False
        self._handshake: Any = None
        self._backlog = WriteBuffer(
            factory.clock,
            room=ROOM,
            most=factory.limits.max_unread,
            on_full=self._full,
            on_stalled=self._stalled,
        )

    def connectionMade(self) -> None:
        """The connection is there; with direct TLS the handshake comes first."""
        transport: Any = self.transport
        self.factory.opened(self)
        transport.registerProducer(self, True)
        transport.setTcpNoDelay(True)
        with suppress(OSError):  # systems refuse it where the client has gone already
            transport.setTcpKeepAlive(True)
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
        self._cancel_handshake()
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
            waits = self._backlog.waits
            transport.write(data)
            if waits:
                self._backlog.add(len(data))

    def start_tls(self) -> None:
        """Begin the handshake of STARTTLS."""
        transport: Any = self.transport
        self._await_handshake()
        self._backlog.end()
        transport.unregisterProducer()
        transport.startTLS(self.factory.tls)
        transport.registerProducer(self, True)

    def close(self) -> None:
        """Send what was written, then close; what the client still sends is dropped.

        Its bytes are taken until it has closed its side, too: a system that finds bytes unread when it closes tells
        the other side at once, which then may not come to read why.
        """
        transport: Any = self.transport
        if self._closed or transport is None:
            return
        self._closed = True
        if self._lost:
            return
        self._backlog.watch(transport, self.factory.limits.close_timeout)
        self._holds.clear(transport)
        transport.unregisterProducer()  # TLS does not end while there is one
        if self.secure or self._handshake is not None:
            transport.loseConnection()
        else:
            transport.loseWriteConnection()

    def abort(self) -> None:
        """Close now."""
        self._closed = True
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def left(self) -> int | None:
        """Bytes that the client has not taken; ``None`` while the connection is not closed from this side."""
        return untaken(self.transport) if self._closed else None

    def let_go(self) -> None:
        """Close without waiting for the client's side; what it has taken it can still read."""
        transport: Any = self.transport
        while isinstance(transport, TLSMemoryBIOProtocol):  # which would wait for the end of TLS
            transport = transport.transport
        transport.loseConnection()

    def hold(self, reason: str) -> None:
        """Read nothing more until every reason to hold is released."""
        if not self._closed:
            self._holds.add(self.transport, reason)

    def release(self, reason: str) -> None:
        """A reason to hold is gone."""
        if not self._closed:
            self._holds.remove(self.transport, reason)

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
        """The transport's buffer is full."""
        if not self._closed:
            self._backlog.begin(self.transport, self.factory.limits.write_timeout)

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._backlog.end()

    def stopProducing(self) -> None:
        """The transport is gone."""

    def shut_down(self) -> None:
        """The listener closes."""
        if self._handshake is not None:
            self.abort()
        else:
            self.stream.shut_down()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything, whatever fails."""
        self._closed = self._lost = True
        self._cancel_handshake()
        self._backlog.stop()
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
        self.factory.service.refusals.tell(self.host, lambda: f"{self.host}: no TLS handshake in time")
        self.abort()

    def _full(self, full: bool) -> None:
        """Send nothing while the client does not read, and read nothing that would need an answer."""
        if full:
            self.stream.set_writable(False)
            self.hold(UNREAD_ANSWERS)
        else:
            self.release(UNREAD_ANSWERS)
            self.stream.set_writable(True)

    def _stalled(self, reason: str) -> None:
        if not self._closed:
            log.info("{host}: connection closed: {reason}", host=self.host, reason=reason)
        self.abort()

    def _cancel_handshake(self) -> None:
        call, self._handshake = self._handshake, None
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
        self.admission = Admission(
            clock,
            limits.max_connections,
            limits.max_pending,
            max_strangers=limits.max_strangers,
            rate=Rate(clock, limits.rate, limits.burst) if limits.rate else None,
            exempt_local=True,
        )
        self.connections: set[XmppConnection] = set()
        self._emptied: list[Deferred[None]] = []

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
        if not self.connections:
            emptied, self._emptied = self._emptied, []
            for each in emptied:
                each.callback(None)

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
        farewell = Shutdown(self.clock, self.connections, self.limits.stop_grace, self.limits.close_timeout)
        emptied.addCallback(lambda _: farewell.stop())
        return emptied
