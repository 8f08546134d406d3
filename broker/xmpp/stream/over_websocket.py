"""A client's stream over WebSocket, put together (RFC 7395)."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509

from broker.net.http.websocket.codec import MAX_FRAGMENTS, CloseCode
from broker.net.http.websocket.stream import WebSocketStream
from broker.net.tls_details import TlsDetails
from broker.net.transport import Connection
from broker.net.unread import UnreadTotal
from broker.xmpp.service import XmppService
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.message_framing import CLOSE, END_OF_MESSAGE, MessageCutter, MessageFraming
from broker.xmpp.stream.negotiation import Negotiation

SUBPROTOCOL = "xmpp"
"""RFC 7395 §3.1."""
MAX_FRAGMENTS_BEFORE_LOGIN = 64
_NOT_XML = b"\1"


class WebSocketTransport:
    """The :class:`broker.xmpp.stream.transport.StreamTransport` of a client over WebSocket: what is below its stream.

    To the connection it is the :class:`broker.net.http.websocket.stream.Messages`.

    Args:
        service: that the stream belongs to.
        connection: that was upgraded.
        host: address of the client.
        loopback: the listener can be reached from this machine only.
        secure: the client has TLS up to a proxy that is trusted.

    Attributes:
        websocket: what the connection is to tell of what comes.
        secure: whether TLS is on, here or at the proxy.
        stream: the stream.
    """

    __slots__ = ("_connection", "_cutter", "_ended", "secure", "stream", "websocket")

    can_start_tls = False
    """TLS is below HTTP, and is not started on the stream (RFC 7395 §3.9)."""

    def __init__(
        self, service: XmppService, connection: Connection, host: str, *, loopback: bool, secure: bool
    ) -> None:
        settings, clock = service.settings, service.domain.node.clock
        limit = settings.max_stanza_before_login
        self._connection = connection
        self._cutter = MessageCutter()
        self._ended = False
        self.secure = secure
        self.websocket = websocket = WebSocketStream(connection, clock, limit, MAX_FRAGMENTS_BEFORE_LOGIN)
        websocket.messages = self
        framing = MessageFraming(settings.domain, limit, self._allow)
        self.stream = StreamConnection(
            service,
            self,
            framing,
            host,
            lambda stream: Negotiation(service, stream, loopback=loopback),
            settings.idle_websocket,
        )

    # What the connection says: see :class:`broker.net.http.websocket.stream.Messages`.

    def connected(self) -> None:
        """The connection is there."""
        self.stream.connected()

    def message(self, text: bytes) -> None:
        """A message has come."""
        self.stream.received(text.replace(END_OF_MESSAGE, _NOT_XML) + END_OF_MESSAGE)

    def alive(self) -> None:
        """The client has answered a ping."""
        self.stream.alive()

    def turn(self) -> None:
        """It is this stream's turn."""
        self.stream.turn()

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again."""
        self.stream.set_writable(writable)

    def shut_down(self) -> None:
        """The listener closes."""
        self.stream.shut_down()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self.stream.lost(reason)

    # What the stream says: see :class:`broker.xmpp.stream.transport.StreamTransport`.

    @property
    def turn_is_over(self) -> bool:
        """Whether the stream has worked for so long that others should have their turn."""
        return self._connection.turn_is_over

    def ask_for_turn(self) -> None:
        """There is work left."""
        self._connection.ask_for_turn()

    def hold(self, reason: str) -> None:
        """Read nothing more until every reason to hold is released."""
        self._connection.hold(reason)

    def release(self, reason: str) -> None:
        """A reason to hold is gone."""
        self._connection.release(reason)

    def probe(self) -> bool:
        """Ask the client for a sign of life; its answer is none of the stream's."""
        self.websocket.ping()
        return True

    def write(self, data: bytes) -> None:
        """Send elements, each in a message of its own."""
        for message in self._cutter.cut(data):
            self._ended = message == CLOSE
            self.websocket.send(message)

    def start_tls(self) -> None:
        """Nobody asks for it."""
        self.abort()

    def close(self) -> None:
        """Close the connection: for good behind the end of the stream, else the client may resume (RFC 7395 §3.6)."""
        if self._ended:
            self.websocket.close(CloseCode.NORMAL)
        else:
            self.websocket.leave(CloseCode.GOING_AWAY)

    def abort(self) -> None:
        """Close now."""
        self._connection.abort()

    def logged_in(self, account: str, unread: UnreadTotal | None = None) -> None:
        """The client counts no more as a stranger."""
        self._connection.logged_in(account, unread)

    def channel_bindings(self) -> Mapping[str, bytes]:
        """Channel binding data by type; empty where TLS ends at a proxy."""
        return self._connection.channel_bindings()

    def tls_details(self) -> TlsDetails | None:
        """How the connection is secured; ``None`` where that is not known."""
        return self._connection.tls_details()

    def client_certificate(self) -> x509.Certificate | None:
        """The certificate of the client, where it has shown one that was verified."""
        return self._connection.client_certificate()

    def _allow(self, max_stanza: int) -> None:
        codec = self.websocket.codec
        codec.max_message, codec.max_fragments = max_stanza, MAX_FRAGMENTS


def client_over_websocket(
    service: XmppService, connection: Connection, host: str, *, loopback: bool, secure: bool
) -> WebSocketStream:
    """The server's side of a client's stream.

    Args:
        service: that it belongs to.
        connection: that was upgraded.
        host: address of the client.
        loopback: the listener can be reached from this machine only.
        secure: the client has TLS, here or up to a proxy that is trusted.
    """
    return WebSocketTransport(service, connection, host, loopback=loopback, secure=secure).websocket
