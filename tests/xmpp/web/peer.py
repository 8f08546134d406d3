"""A client over WebSocket whose connection is no socket."""

from __future__ import annotations

from broker.net.http.websocket.codec import CloseCode
from broker.xml.stream import Event
from broker.xmpp.stream.over_websocket import WebSocketTransport
from tests.net.http.websocket.client import ClientSide
from tests.xmpp.web.translation import from_message, to_messages
from tests.xmpp.world import FakeTransport, Peer, World


class FakeConnection(FakeTransport):
    """What is below WebSocket."""

    pauses: dict[str, float] = {}  # noqa: RUF012 - nothing is paused here

    def __init__(self, host: str) -> None:
        super().__init__()
        self.host = host


class WebSocketPeer(Peer):
    """A client's end of a connection; it speaks as over TCP, and what it says and gets is translated.

    Args:
        world: that it talks to.
        host: address of the client.
        loopback: the listener can be reached from this machine only.
        secure: the client has TLS.

    Attributes:
        messages: that have come, in order.
        client: its frames.
    """

    def __init__(self, world: World, *, host: str = "127.0.0.1", loopback: bool = True, secure: bool = False) -> None:
        self.world = world
        self.transport = connection = FakeConnection(host)
        self.over = WebSocketTransport(world.service, connection, host, loopback=loopback, secure=secure)  # type: ignore[arg-type]
        self.stream = self.over.stream
        self.websocket = self.over.websocket
        self.client = ClientSide()
        self.messages: list[bytes] = []
        self._came = b""  # and is not read
        self._has_answered = False
        connection.turns = lambda: world.clock.callLater(0, self.websocket.turn)
        self.websocket.connected()
        self.id = self.jid = ""
        self.h = 0
        self._restart()

    def send(self, data: str | bytes) -> None:
        """Send what would be sent over TCP."""
        for message in to_messages(data.encode() if isinstance(data, str) else data):
            self.say(message)

    def say(self, message: str | bytes) -> None:
        """Send a message."""
        self.websocket.received(self.client.text(message if isinstance(message, str) else message.decode()))
        self.world.turn()

    def events(self) -> list[Event]:
        """What has come since the last time."""
        self.client_takes()
        self.transport.data, self._came = self._came, b""
        return super().events()

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        self.client_takes()
        return super().closed

    def answers(self, message: str | bytes) -> list[bytes]:
        """Send a message; returns those that came."""
        self.client_takes()
        self.messages.clear()
        self.say(message)
        self.client_takes()
        return self.messages

    def client_takes(self) -> None:
        """Take what has come, whatever it is."""
        data, self.transport.data = self.transport.data, b""
        came = self.client.receive(data)
        self.messages += came
        self._came += b"".join([from_message(each) for each in came])
        if self.client.closed is not None and not self._has_answered:
            self._has_answered = True
            self.websocket.received(self.client.answer_close())

    @property
    def closed_with(self) -> CloseCode | None:
        """The code that the server has closed with."""
        self.client_takes()
        return None if self.client.closed is None else CloseCode(self.client.closed)

    def cut(self) -> None:
        """The network goes."""
        self.websocket.lost("the connection was cut")
        self.transport.closed = "cut"
        self.world.turn()
