"""A broker without a network, for plays of what a broker may do to a client."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from broker.client import Client, ConnectOptions
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos, SessionQos
from broker.model.key import Key
from broker.model.qos import PublishQos, StatusQos, UpdateQos
from broker.native.answers import OK, status_unit
from broker.native.codec import write_connect_qos, write_key, write_update_qos
from broker.native.wire.frames import Frame, FrameReader, Kind, Unit, encode_frame, encode_unit
from broker.native.wire.methods import encode_exception

JOE = ConnectOptions("joe", "secret", session=1)


class Outcome:
    """What became of a coroutine: a value, an error, or nothing yet."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.deferred = Deferred.fromCoroutine(coroutine)
        self.deferred.addCallbacks(self._returned, self._raised)

    @property
    def code(self) -> Code | str | None:
        """Of the error."""
        return self.error.code if isinstance(self.error, BrokerError) else None

    def _returned(self, value: Any) -> None:
        self.value, self.done = value, True

    def _raised(self, failure: Failure) -> None:
        self.error, self.done = failure.value, True


class Transport(StringTransport):
    """A transport that takes nothing more where it is stalled."""

    stalled = False
    protocol: Any = None

    def loseConnection(self) -> None:
        """Close when everything is written, which a stalled one never has."""
        self.disconnecting = True
        if not self.stalled:
            self.protocol.connectionLost(Failure(ConnectionLost()))

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborting = True
        self.protocol.connectionLost(Failure(ConnectionLost()))


class Connection:
    """One connection, as the broker sees it."""

    def __init__(self, factory: Any) -> None:
        self.protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 7607))
        self.transport = Transport()
        self.transport.protocol = self.protocol
        self._reader = FrameReader(1 << 30)
        self._updates = 0
        self.protocol.makeConnection(self.transport)

    def read(self) -> list[Frame]:
        """What the client has sent since the last look."""
        data = self.transport.value()
        self.transport.clear()
        return self._reader.feed(data)

    def answer(self, frame: Frame, body: bytes = OK) -> None:
        """Answer a request."""
        self.protocol.dataReceived(encode_frame(Kind.RESPONSE, frame.request_id, frame.method, b"secret", body))

    def refuse(self, frame: Frame, code: Code) -> None:
        """Refuse a request."""
        error = BrokerError(code, "no")
        self.protocol.dataReceived(
            encode_exception(frame.request_id, frame.method, b"secret", error, "node", "1", "now")
        )

    def update(self, oid: str, content: bytes, subscription_id: str) -> None:
        """Deliver a message."""
        self.updates(oid, [content], subscription_id)

    def updates(self, oid: str, contents: Iterable[bytes], subscription_id: str, method: bytes = b"update") -> None:
        """Deliver messages in one update."""
        qos = write_update_qos(UpdateQos(PublishQos(sender="/node/n/client/jack/1"), subscription_id, 17))
        self.invoke(method, b"".join(encode_unit(qos, write_key(Key(oid)), content) for content in contents))

    def invoke(self, method: bytes, body: bytes) -> None:
        """Call a method of the client."""
        self._updates += 1
        self.protocol.dataReceived(encode_frame(Kind.INVOKE, b"u%d" % self._updates, method, b"secret", body))

    def end(self) -> None:
        """The connection is lost."""
        self.protocol.connectionLost(Failure(ConnectionLost()))


class FakeBroker:
    """Takes the connections of one client.

    Args:
        options: who connects.
        settings: of the client.

    Attributes:
        serve: answers a request that is none of login, ping and end; ``None`` is silence.
        reconnected: whether logins find the session that was there before.
        silent: answers nothing at all.
        refuse_login: the code with which logins are refused.
        requests: what was sent by the client, beside logins and pings.
    """

    def __init__(self, options: ConnectOptions = JOE, **settings: Any) -> None:
        self.reactor = MemoryReactorClock()
        self.client = Client(self.reactor, "127.0.0.1", 7607, options, **{"ping_interval": 0, **settings})
        self.serve: Callable[[Connection, Frame], None] | None = accept
        self.reconnected = True
        self.silent = False
        self.refuse_login: Code | None = None
        self.requests: list[Frame] = []
        self.connections: list[Connection] = []
        self._tried = 0

    def connect(self) -> Outcome:
        """Log the client in."""
        outcome = Outcome(self.client.connect())
        self.take()
        self.turn()
        return outcome

    def take(self) -> Connection:
        """Take the connection that the client asks for."""
        _, _, factory, _, _ = self.reactor.tcpClients[self._tried]
        self._tried += 1
        self.connections.append(Connection(factory))
        return self.connections[-1]

    def refuse_connection(self) -> None:
        """Nobody listens."""
        factory: Any = self.reactor.tcpClients[self._tried][2]
        self._tried += 1
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.reactor.advance(1)  # the endpoint looks for another address

    @property
    def asked(self) -> bool:
        """Whether the client asks for a connection."""
        return len(self.reactor.tcpClients) > self._tried

    @property
    def connection(self) -> Connection:
        """The last one."""
        return self.connections[-1]

    def turn(self) -> None:
        """Serve what the client has sent."""
        connection = self.connection
        while not self.silent and (frames := connection.read()):
            for frame in frames:
                self._serve(connection, frame)

    def come_back(self) -> None:
        """Let the client connect again."""
        self.reactor.advance(6)
        self.take()
        self.turn()

    def acknowledged(self) -> list[str]:
        """Kinds of the client's answers to updates."""
        return [frame.kind.name for frame in self.connection.read() if frame.kind is not Kind.INVOKE]

    def _serve(self, connection: Connection, frame: Frame) -> None:
        if frame.method == b"connect":
            if self.refuse_login is not None:
                connection.refuse(frame, self.refuse_login)
                return
            qos = ConnectQos(
                session=SessionQos(name="/node/n/client/joe/1", secret_id="secret"), reconnected=self.reconnected
            )
            connection.answer(frame, encode_unit(write_connect_qos(qos, redact=False)))
        elif frame.method in (b"ping", b"disconnect"):
            connection.answer(frame)
        else:
            self.requests.append(frame)
            if self.serve is not None:
                self.serve(connection, frame)


def accept(connection: Connection, frame: Frame) -> None:
    """Acknowledge a request."""
    id = "__subId:client/joe/session/1-exact:news"
    statuses = [StatusQos(oid="news", subscription_id=id, received=1) for _ in frame.units()]
    connection.answer(frame, b"".join(map(status_unit, statuses)))


def contents(frames: list[Frame]) -> list[bytes]:
    """Of the messages in publishes."""
    return [unit.content for frame in frames if frame.method == b"publish" for unit in frame.units()]


def unit_of(frame: Frame) -> Unit:
    """The only unit of a request."""
    (unit,) = frame.units()
    return unit
