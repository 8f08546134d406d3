"""A connection manager without sockets: clients, a server that speaks frames, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cryptography import x509
from twisted.internet.task import Clock

from broker.config.properties import Properties
from broker.config.sources import from_assignments
from broker.manager.client import Client
from broker.manager.frame_link import FrameLink
from broker.manager.links import Links
from broker.manager.settings import ManagerSettings, settings_of
from broker.net.tls_details import TlsDetails
from broker.xmpp.wire import ns
from broker.xmpp.wire.frame_values import BrokerHello, LoggedIn, ManagerHello, Open, Opened, Refused
from broker.xmpp.wire.frames import FROM_MANAGER, Frame, FrameReader, Type, encode, encode_data, encode_offset

HEADER = f"<stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}' to='localhost' version='1.0'>".encode()
ANSWER = (
    f"<?xml version='1.0'?><stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}' id='1' from='localhost'"
    " version='1.0'>"
).encode()
FEATURES = b"<stream:features/>"
AUTH = f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>AGpvZQBzZWNyZXQ=</auth>".encode()
SUCCESS = f"<success xmlns='{ns.SASL}'/>".encode()
ENABLE = f"<enable xmlns='{ns.SM}' resume='true'/>".encode()
ENABLED = f"<enabled xmlns='{ns.SM}' resume='true' id='stream-1' max='600'/>".encode()
WINDOW = 10_000
CLIENT = "198.51.100.7"


def settings(**properties: str) -> ManagerSettings:
    """Settings, by names with ``_`` for ``.``."""
    given = {"xmpp.password": "secret", **{name.replace("_", "."): value for name, value in properties.items()}}
    return settings_of(Properties(from_assignments([f"{name}={value}" for name, value in given.items()])))


class Socket:
    """A client's connection."""

    host = CLIENT
    port = 40_000
    local_port = 5222

    def __init__(self) -> None:
        self.secure = False
        self.sent = b""
        self.end = ""
        self.account = ""
        self.starts_tls = False
        self.reasons: set[str] = set()

    @property
    def closed(self) -> str:
        """How it was closed; empty while it is open."""
        return self.end

    @property
    def data(self) -> bytes:
        """What has come; setting it to nothing takes that."""
        return self.sent

    @data.setter
    def data(self, data: bytes) -> None:
        self.sent = data

    def write(self, data: bytes) -> None:
        """Keep it."""
        if not self.end:
            self.sent += data

    def start_tls(self) -> None:
        """Wait for the handshake, which the test makes."""
        self.starts_tls = True

    def close(self) -> None:
        """Note it."""
        self.end = self.end or "closed"

    def abort(self) -> None:
        """Note it."""
        self.end = self.end or "aborted"

    def hold(self, reason: str) -> None:
        """Note it."""
        self.reasons.add(reason)

    def release(self, reason: str) -> None:
        """Note it."""
        self.reasons.discard(reason)

    def logged_in(self, account: str) -> None:
        """Note it."""
        self.account = account

    def channel_bindings(self) -> Mapping[str, bytes]:
        """Those of a connection with TLS 1.3."""
        return {"tls-exporter": b"\x01\x02"} if self.secure else {}

    def tls_details(self) -> TlsDetails | None:
        """As of a connection with TLS 1.3."""
        return TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", "localhost") if self.secure else None

    def client_certificate(self) -> x509.Certificate | None:
        """None was shown."""
        return None


class Person:
    """A client, from its own side."""

    def __init__(self, world: World) -> None:
        self.socket = Socket()
        self.client = Client(self.socket, world.settings, world.reactor, world.links.come, world.links.gone)
        self.client.connected()
        self._world = world
        self._taken = 0

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.client.received(data)
        self._world.turn()

    def take(self) -> bytes:
        """What has come since the last time."""
        data = self.socket.sent[self._taken :]
        self._taken = len(self.socket.sent)
        return data

    def leave(self) -> None:
        """The connection breaks."""
        self.socket.end = self.socket.end or "lost"
        self.client.lost("connection lost")
        self._world.turn()

    def finish_tls(self) -> None:
        """The TLS handshake is over."""
        self.socket.secure, self.socket.starts_tls = True, False
        self.client.secured()
        self._world.turn()


class Wire:
    """A link's connection, and the server at its other end."""

    server = "server:5262"

    def __init__(self, world: World, run: str, *, greets: bool = True, **hello: int) -> None:
        self.frames: list[Frame] = []
        self.end = ""
        self._world = world
        self._reader = FrameReader(FROM_MANAGER)
        self.link = FrameLink(self, "instance-1", "localhost", world.links, world.reactor)
        values = {"window": WINDOW, "sessions": 100, "idle": 60, **hello}
        if greets:
            self.say(encode(Type.HELLO, payload=BrokerHello(run, **values).encode()))

    def write(self, data: bytes) -> None:
        """Read the manager's frames."""
        assert not self.end
        self.frames += self._reader.feed(data)
        assert self._reader.error is None

    def close(self) -> None:
        """Note it."""
        self.end = "closed"

    def abort(self) -> None:
        """Note it."""
        self.end = "aborted"

    def refused(self, reason: str) -> None:
        """Note it."""
        self.end = f"refused: {reason}"

    def say(self, data: bytes) -> None:
        """The server sends bytes."""
        self.link.received(data)
        self._world.turn()

    def offset(self, type: Type, session: int, offset: int) -> None:
        """The server says an offset."""
        self.say(encode_offset(type, session, offset))

    def lose(self) -> None:
        """The connection is gone."""
        self.end = self.end or "lost"
        self.link.lost()
        self._world.turn()

    def take(self, *types: Type) -> list[Frame]:
        """The manager's frames since the last time, of some types or of all."""
        frames, self.frames = self.frames, []
        return [frame for frame in frames if not types or frame.type in types]

    @property
    def hello(self) -> ManagerHello:
        """What the manager has said of itself."""
        return ManagerHello.read(next(each for each in self.frames if each.type is Type.HELLO).payload)


class Talk:
    """One session, as the server sees it.

    Attributes:
        number: of the session.
        said: of the client.
        open: how it began.
    """

    def __init__(self, wire: Wire, number: int, open: Open, sent: int = 0) -> None:
        self.wire = wire
        self.number = number
        self.open = open
        self.said = b""
        self.sent = sent
        self.others: list[Frame] = []

    def read(self) -> bytes:
        """What has come of the client since the last time; it is not acknowledged."""
        before = len(self.said)
        rest = []
        for frame in self.wire.frames:
            if frame.session != self.number:
                rest.append(frame)
            elif frame.type is Type.DATA:
                assert frame.offset == len(self.said), (frame.offset, len(self.said))
                self.said += frame.data
            else:
                self.others.append(frame)
        self.wire.frames = rest
        return self.said[before:]

    def say(self, data: bytes) -> None:
        """Send bytes for the client."""
        offset, self.sent = self.sent, self.sent + len(data)
        self.wire.say(encode_data(self.number, offset, data))

    def acknowledge(self, offset: int | None = None) -> None:
        """Acknowledge bytes, by default all that have come."""
        self.wire.offset(Type.ACK, self.number, len(self.said) if offset is None else offset)

    def tell(self, type: Type, payload: bytes = b"") -> None:
        """Send a frame."""
        self.wire.say(encode(type, self.number, payload))

    def refuse(self, condition: str) -> None:
        """Refuse the session."""
        self.tell(Type.REFUSED, Refused(condition, "").encode())

    def opened(self, handled: int | None = None) -> None:
        """Tell that it is open."""
        self.tell(Type.OPENED, Opened(handled).encode())

    @property
    def acknowledged(self) -> int:
        """The last offset that the manager has acknowledged."""
        self.read()
        return max([frame.offset for frame in self.others if frame.type is Type.ACK], default=0)

    def heard(self, type: Type) -> list[Frame]:
        """Frames of a type that have come so far."""
        self.read()
        return [frame for frame in self.others if frame.type is type]


class World:
    """A manager, its clients and its links.

    Args:
        properties: see :func:`settings`.
    """

    def __init__(self, **properties: str) -> None:
        self.clock = Clock()
        self.reactor: Any = self.clock
        self.settings = settings(**properties)
        self.routed: dict[str, Any] = {}
        self.links = Links(self.reactor, self.settings.grace, self.settings.patience)

    def turn(self) -> None:
        """Have what is due now happen."""
        for _ in range(3):
            self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.pump([seconds / 100] * 100 + [0.001])

    def link(self, run: str = "run-1", *, greets: bool = True, **hello: int) -> Wire:
        """Open a link to a server; one that greets sends its HELLO."""
        return Wire(self, run, greets=greets, **hello)

    def person(self) -> Person:
        """A client connects."""
        return Person(self)

    def session(self, wire: Wire, *, stream: bytes = HEADER) -> tuple[Person, Talk]:
        """A client connects and begins its stream, and the server answers."""
        person = self.person()
        wire.take()
        person.send(stream)
        return person, self.talk(wire)

    def talk(self, wire: Wire, sent: int = 0) -> Talk:
        """The session that was opened last."""
        opening = [frame for frame in wire.frames if frame.type is Type.OPEN][-1]
        wire.frames.remove(opening)
        return Talk(wire, opening.session, Open.read(opening.payload), sent)

    def logged_in(self, wire: Wire, *, managed: bool = True, acknowledged: bool = True) -> tuple[Person, Talk]:
        """A client that has logged in, with stream management that can be resumed, or without.

        Args:
            wire: that its session is on.
            managed: it has stream management.
            acknowledged: the server has acknowledged all that it has sent.
        """
        person, talk = self.session(wire)
        talk.opened()
        talk.say(ANSWER + FEATURES)
        person.send(AUTH)
        talk.tell(Type.LOGGED_IN, LoggedIn("joe").encode())
        talk.say(SUCCESS)
        person.send(HEADER)
        talk.say(ANSWER + FEATURES)
        if managed:
            person.send(ENABLE)
            talk.say(ENABLED)
        talk.read()
        if acknowledged:
            talk.acknowledge()
        person.take()
        return person, talk


def message(text: str = "hello") -> bytes:
    """A stanza."""
    return f"<message to='jane@localhost'><body>{text}</body></message>".encode()


Make = Callable[[], World]
