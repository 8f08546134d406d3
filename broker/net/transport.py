"""One connection, whatever is spoken over it: its socket, TLS, and a peer that does not read (spec xmpp §2.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.net.channel_binding import channel_bindings
from broker.net.connection_counts import ConnectionCounts
from broker.net.input_turns import InputTurns
from broker.net.limits import Limits
from broker.net.read_pauses import Pause, ReadPauses
from broker.net.store_pressure import StorePressure
from broker.net.stream import Stream
from broker.net.tls import ServerContext
from broker.net.tls_details import TlsDetails
from broker.net.turns import Turns
from broker.net.unread import UnreadTotal
from broker.net.write_buffer import WriteBuffer, untaken
from broker.timers import cancel

log = Logger()


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What all connections of one listener have in common.

    Args:
        clock: of their deadlines.
        turns: that their streams take.
        limits: what a peer may do.
        pressure: of the store that clients write to.
        tls: for servers; ``None`` where there is no TLS.
        direct_tls: the TLS handshake comes first; else the stream may start TLS.
    """

    clock: IReactorTime
    turns: Turns
    limits: Limits = Limits()
    pressure: StorePressure | None = None
    tls: ServerContext | None = None
    direct_tls: bool = False


class Owner(Protocol):
    """Who made a connection, and counts it.

    Attributes:
        counts: of all its connections.
    """

    counts: ConnectionCounts

    def opened(self, connection: Connection) -> None:
        """It is there, and its peer has not logged in."""

    def logged_in(self, connection: Connection) -> None:
        """Its peer has logged in."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""

    def refused(self, connection: Connection, reason: str) -> None:
        """It was broken off by this side; for the log."""


@implementer(IPushProducer, IHandshakeListener)
class Connection(TwistedProtocol):
    """One connection.

    Args:
        settings: of its listener.
        owner: told of its life.
        make_stream: makes what is spoken over it, from this connection and the peer's address.
        host: address of the peer.

    Attributes:
        host: address of the peer.
        port: of the peer, once it is connected.
        number: unique in the process, once it is connected.
        opened_at: when that was, in seconds by the reactor's clock, which counts them since 1970.
        secure: whether TLS is on.
        received: bytes that have come; with TLS those inside it.
        sent: bytes that were written; likewise.
        stream: what is spoken over it.
    """

    def __init__(self, settings: TransportSettings, owner: Owner, make_stream: MakeStream, host: str) -> None:
        self.host = host
        self.port = 0
        self.number = 0
        self.opened_at = 0.0
        self.secure = False
        self._settings = settings
        self.received = self.sent = 0
        self._owner = owner
        self._counts = owner.counts
        self._pauses = ReadPauses(settings.clock.seconds, owner.counts.held)
        self._closed = False
        self._lost = False
        self._handshake: IDelayedCall | None = None
        self._now = settings.turns.seconds
        limits = settings.limits
        self._buffer = WriteBuffer(
            settings.clock,
            room=limits.room,
            most=limits.max_unread,
            on_full=self._full,
            on_stalled=self._stalled,
        )
        self.stream: Stream = make_stream(self, host)
        self._input = InputTurns(settings.turns, self, self.stream)

    def connectionMade(self) -> None:
        """The connection is there; with direct TLS the handshake comes first."""
        transport: Any = self.transport
        self.port = getattr(transport.getPeer(), "port", 0)
        self._owner.opened(self)
        transport.registerProducer(self, True)
        transport.setTcpNoDelay(True)
        with suppress(OSError):  # systems refuse it where the peer has gone already
            transport.setTcpKeepAlive(True)
        if self._settings.direct_tls and not self.secure:
            self._await_handshake()
        else:
            self.stream.connected()

    @property
    def can_start_tls(self) -> bool:
        """Whether TLS may begin on it: not where it is on already, or the listener has none."""
        return not self.secure and self._settings.tls is not None

    @property
    def local_port(self) -> int:
        """The port that the peer has connected to."""
        transport: Any = self.transport
        port: int = 0 if transport is None else getattr(transport.getHost(), "port", 0)
        return port

    @property
    def peer(self) -> str:
        """Address and port of the peer, for the log."""
        return f"{self.host or '?'}:{self.port}"

    def dataReceived(self, data: bytes) -> None:
        """Bytes have come. The stream sees them when it is the account's turn, which mostly is now."""
        if not self._closed:
            size = len(data)
            self.received += size
            self._counts.received += size
            try:
                self._input.received(data)
            except Exception:  # noqa: BLE001 - it is logged; TLS would never tell of the end of a connection that raises
                log.failure("{host}: what has come could not be handled", host=self.host)
                self.abort()

    @property
    def turn_is_over(self) -> bool:
        """Whether the stream has worked for so long that others should have their turn."""
        return self._now() >= self._input.end

    def ask_for_turn(self) -> None:
        """The stream has work left: see to it that its ``turn()`` is called when others have had theirs."""
        self._input.ask()

    def handshakeCompleted(self) -> None:
        """TLS is on."""
        self._cancel_handshake()
        if self._closed:
            return
        self.secure = True
        if self._settings.direct_tls:
            self.stream.connected()
        else:
            self.stream.secured()

    def probe(self) -> bool:
        """Ask the peer for a sign of life below what is spoken: there is no such thing here."""
        return False

    def write(self, data: bytes) -> None:
        """Send bytes."""
        transport: Any = self.transport
        if not self._closed and transport is not None:
            waits = self._buffer.waits
            transport.write(data)
            size = len(data)
            self.sent += size
            self._counts.sent += size
            if waits:
                self._buffer.add(size)

    def start_tls(self) -> None:
        """Begin the handshake, as soon as what was written is out; then the stream's ``secured()`` is called.

        What the stream has not seen yet came in clear, and it never sees it.
        """
        self._input.drop()
        transport: Any = self.transport
        self._await_handshake()
        self._buffer.end()
        transport.unregisterProducer()
        transport.startTLS(self._settings.tls)
        transport.registerProducer(self, True)

    def close(self) -> None:
        """Send what was written, then close; what the peer still sends is dropped.

        Its bytes are taken until it has closed its side, too: a system that finds bytes unread when it closes tells
        the other side at once, which then may not come to read why.
        """
        transport: Any = self.transport
        if self._closed or transport is None:
            return
        self._closed = True
        self._input.drop()
        if self._lost:
            return
        self._buffer.watch(transport, self._settings.limits.close_timeout)
        self._pauses.clear(transport)
        transport.unregisterProducer()  # TLS does not end while there is one
        if self.secure or self._handshake is not None:
            transport.loseConnection()
        else:
            transport.loseWriteConnection()

    def abort(self) -> None:
        """Close now; what is not written yet is lost."""
        self._closed = True
        self._buffer.unread.set(0)
        self._input.drop()
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def left(self) -> int | None:
        """Bytes that the peer has not taken; ``None`` while the connection is not closed from this side."""
        if not self._closed:
            return None
        return 0 if self.transport is None else untaken(self.transport)

    def let_go(self) -> None:
        """Close without waiting for the peer's side; what it has taken it can still read."""
        transport: Any = self.transport
        while isinstance(transport, TLSMemoryBIOProtocol):  # which would wait for the end of TLS
            transport = transport.transport
        if transport is not None:
            transport.loseConnection()

    def hold(self, reason: str) -> None:
        """Read nothing more until every reason to hold is released."""
        if not self._closed:
            self._pauses.add(self.transport, reason)

    def release(self, reason: str) -> None:
        """A reason to hold is gone."""
        if not self._closed:
            self._pauses.remove(self.transport, reason)

    @property
    def pauses(self) -> Mapping[str, float]:
        """Why nothing is read from the peer, and when each reason began, in seconds since 1970; empty where it is."""
        return self._pauses.since

    def logged_in(self, account: str, unread: UnreadTotal | None = None) -> None:
        """The peer counts no more as one of strangers; from now on it may have to wait for the store.

        Args:
            account: with whose other connections it takes turns.
            unread: counts what these do not take; ``None`` where nobody does.
        """
        self._buffer.unread.belong(unread)
        self._input.logged_in(account, self._settings.pressure)
        self._owner.logged_in(self)

    def carries_streams(self) -> None:
        """The peer counts no more as one of strangers: it brings the streams of others, who have turns of their own."""
        self._input.carry()
        self._owner.logged_in(self)

    def channel_bindings(self) -> Mapping[str, bytes]:
        """Channel binding data by type; empty without TLS (RFC 5929, RFC 9266)."""
        connection = self._tls_connection()
        return {} if connection is None else channel_bindings(connection)

    def tls_details(self) -> TlsDetails | None:
        """How the connection is secured; ``None`` without TLS."""
        connection = self._tls_connection()
        return None if connection is None else TlsDetails.of(connection)

    def client_certificate(self) -> x509.Certificate | None:
        """The certificate of the peer, where it has shown one and this side has verified it."""
        connection, tls = self._tls_connection(), self._settings.tls
        if connection is None or tls is None or not tls.verifies:
            return None
        return connection.get_peer_certificate(as_cryptography=True)

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if not self._closed:
            self._buffer.begin(self.transport, self._settings.limits.write_timeout)

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._buffer.end()

    def stopProducing(self) -> None:
        """The transport is gone."""

    def shut_down(self) -> None:
        """The listener closes."""
        if self._handshake is not None:
            self.abort()
        else:
            try:
                self._input.flush()
                self.stream.shut_down()
            except Exception:  # noqa: BLE001 - it is logged, and keeps no other connection from being shut down
                log.failure("{host}: a stream could not be shut down", host=self.host)
                self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything, whatever fails."""
        self._closed = self._lost = True
        if self._handshake is not None and reason.check(SSL.Error):
            self._counts.handshakes_failed += 1
            self._owner.refused(self, f"the TLS handshake failed: {_reasons(reason.value)}")
        self._cancel_handshake()
        self._pauses.end()
        self._buffer.stop()
        self._input.lost()
        try:
            try:
                self._input.flush()
            finally:
                self.stream.lost(f"the connection was lost: {reason.getErrorMessage().rstrip('.')}")
        finally:
            self._owner.closed(self)
        super().connectionLost(reason)
        # It has what the peer did not take, and this object may be part of a cycle that is collected much later.
        self.transport = None

    def _tls_connection(self) -> SSL.Connection | None:
        transport: Any = self.transport
        for layer in (transport, getattr(transport, "protocol", None)):
            if isinstance(layer, TLSMemoryBIOProtocol):
                handle: SSL.Connection = layer.getHandle()
                return handle
        return None

    def _await_handshake(self) -> None:
        settings = self._settings
        self._handshake = settings.clock.callLater(settings.limits.handshake_timeout, self._handshake_overdue)

    def _handshake_overdue(self) -> None:
        self._handshake = None
        self._counts.handshakes_failed += 1
        self._owner.refused(self, "no TLS handshake in time")
        self.abort()

    def _full(self, full: bool) -> None:
        """Send nothing while the peer does not read, and read nothing that would need an answer."""
        if full:
            self.stream.set_writable(False)
            self.hold(Pause.UNREAD_ANSWERS)
        else:
            self.release(Pause.UNREAD_ANSWERS)
            self.stream.set_writable(True)

    def _stalled(self, reason: str) -> None:
        if not self._closed:
            self._owner.refused(self, f"connection closed: {reason}")
        self.abort()

    def _cancel_handshake(self) -> None:
        call, self._handshake = self._handshake, None
        cancel(call)


def _reasons(error: BaseException | None) -> str:
    """What OpenSSL says of an error, without the names of its parts."""
    queue = error.args[0] if error is not None and error.args else None
    return ", ".join(str(entry[-1]) for entry in queue) if isinstance(queue, list) else str(error)


MakeStream: TypeAlias = Callable[[Connection, str], Stream]
