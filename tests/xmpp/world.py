"""An XMPP service without sockets, disk or real time, and clients that speak bytes to it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cryptography import x509

from broker.auth.scram import Mechanism, make_verifier
from broker.config.properties import Properties
from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from broker.model.connect import Credentials
from broker.net.tls_details import TlsDetails
from broker.net.unread import UnreadTotal
from broker.store.memory import MemoryStore
from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import Event, StreamReader
from broker.xml.tree import Tree
from broker.xmpp.service import XmppService
from broker.xmpp.settings import XmppSettings, settings_of
from broker.xmpp.stream.over_tcp import client_over_tcp
from broker.xmpp.wire import ns
from tests.campaign.scram_client import ScramClient
from tests.core.world import DEFAULTS
from tests.core.world import World as CoreWorld

DOMAIN = "localhost"
PASSWORD = "secret"
HEADER = (
    f"<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>"
).encode()

P = TypeVar("P", bound="Peer")


def settings(**changes: Any) -> XmppSettings:
    """The defaults, for a loopback listener without TLS, with changes."""
    silence = {"idle_websocket": changes["idle"]} if "idle" in changes else {}
    return replace(settings_of(Properties()), **{"plain_without_tls": True, **silence, **changes})


class FakeAttempt:
    """A login that notes its first outcome."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.outcome = "open"

    def _end(self, outcome: str) -> None:
        if self.outcome == "open":
            self.outcome = outcome

    def succeeded(self) -> None:
        """Note it."""
        self._end("succeeded")

    def failed(self) -> None:
        """Note it."""
        self._end("failed")

    def given_up(self) -> None:
        """Note it."""
        self._end("given up")

    def dismiss(self) -> None:
        """Note it."""
        self._end("dismissed")


class FakeSecurity:
    """Accounts with the password ``secret``, or one of :attr:`passwords`."""

    def __init__(self, users: Sequence[str]) -> None:
        self.users = set(users)
        self.passwords: dict[str, str] = {}
        self.failures: list[tuple[str, str]] = []
        self.attempts: list[FakeAttempt] = []
        self.broken: BrokerError | None = None
        self.throttled = False
        self.offers_scram = True

    async def begin(self, user: str, host: str) -> FakeAttempt:
        """Refuse everybody while it is throttled."""
        if self.throttled:
            raise BrokerError(Code.RESOURCE_TEMPORARY_UNAVAILABLE, "too many failed logins")
        self.attempts.append(FakeAttempt(user))
        return self.attempts[-1]

    async def authenticate(self, credentials: Credentials, host: str) -> None:
        """Check a password."""
        if self.broken is not None:
            raise self.broken
        if credentials.password != self._password(credentials.user):
            self.failures.append((credentials.user, host))
            raise BrokerError(Code.USER_ACCESS_DENIED, "wrong")

    async def exists(self, name: str) -> bool:
        """Whether there is such an account."""
        if self.broken is not None:
            raise self.broken
        return name in self.users

    async def scram(self, mechanism: str, name: str) -> tuple[bytes, bytes, bytes, int]:
        """The verifier of an account."""
        if self.broken is not None:
            raise self.broken
        password = self._password(name) or "nobody's"
        return make_verifier(Mechanism(mechanism), password, iterations=4096, salt=b"0123456789abcdef").auth_information

    def _password(self, name: str) -> str | None:
        return self.passwords.get(name, PASSWORD) if name in self.users else None


class FakeTransport:
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.secure = False
        self.data = b""
        self.closed = ""
        self.held: set[str] = set()
        self.starting_tls = False
        self.is_logged_in = False
        self.bindings: dict[str, bytes] = {}
        self.details: TlsDetails | None = None
        self.certificate: x509.Certificate | None = None
        self.turn_is_over = False
        self.turns: Callable[[], object] = lambda: None
        self.written: Callable[[bytes], object] = lambda data: None

    def ask_for_turn(self) -> None:
        """Give it one."""
        self.turns()

    def write(self, data: bytes) -> None:
        """Keep it."""
        if not self.closed:
            self.data += data
            self.written(data)

    @property
    def can_start_tls(self) -> bool:
        """Unless it is on."""
        return not self.secure

    def probe(self) -> bool:
        """It has nothing below the stream."""
        return False

    def start_tls(self) -> None:
        """The test does the handshake."""
        self.starting_tls = True

    def close(self) -> None:
        """Remember it."""
        self.closed = self.closed or "closed"

    def abort(self) -> None:
        """Remember it."""
        self.closed = self.closed or "aborted"

    def hold(self, reason: str) -> None:
        """Remember why."""
        self.held.add(reason)

    def release(self, reason: str) -> None:
        """Forget why."""
        self.held.discard(reason)

    def logged_in(self, account: str, unread: UnreadTotal | None = None) -> None:
        """Remember it."""
        self.is_logged_in = True

    def channel_bindings(self) -> Mapping[str, bytes]:
        """As the test says."""
        return self.bindings

    def tls_details(self) -> TlsDetails | None:
        """As the test says."""
        return self.details

    def client_certificate(self) -> x509.Certificate | None:
        """As the test says."""
        return self.certificate


class Peer:
    """A client's end of a connection."""

    def __init__(self, world: World, *, host: str = "127.0.0.1", loopback: bool = True) -> None:
        self.world = world
        self.transport = FakeTransport()
        self.stream = stream = client_over_tcp(world.service, self.transport, host, loopback=loopback)
        self.transport.turns = lambda: world.clock.callLater(0, stream.turn)
        self.stream.connected()
        self.id = ""
        self.jid = ""
        self.h = 0
        self._restart()

    def _restart(self) -> None:
        self._reader = StreamReader(1 << 24, stepwise=False)

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return bool(self.transport.closed)

    def send(self, data: str | bytes) -> None:
        """Send bytes, and let the server work."""
        self.stream.received(data.encode() if isinstance(data, str) else data)
        self.world.turn()

    def events(self) -> list[Event]:
        """What has come since the last time."""
        data, self.transport.data = self.transport.data, b""
        events = self._reader.feed(data)
        assert self._reader.error is None, (self._reader.error, data)
        self.h += sum(
            isinstance(event, Stanza) and event.namespace == ns.CLIENT and event.name in ("message", "presence", "iq")
            for event in events
        )
        return events

    def take(self) -> list[Tree]:
        """The elements that have come since the last time."""
        return [event.tree() for event in self.events() if isinstance(event, Stanza)]

    def one(self) -> Tree:
        """The only element that has come since the last time."""
        (tree,) = self.take()
        return tree

    def names(self) -> list[str]:
        """Names of the elements that have come, and ``/`` for the end of the stream."""
        return [
            "/" if isinstance(event, StreamEnd) else "stream" if isinstance(event, StreamStart) else event.name
            for event in self.events()
        ]

    def bodies(self) -> list[str]:
        """Bodies of the messages that have come since the last time."""
        return [tree.text_of(ns.CLIENT, "body") for tree in self.take() if tree.name == "message"]

    def open(self, header: bytes = HEADER) -> list[Tree]:
        """Send a stream header; returns the features."""
        self._restart()
        self.send(header)
        return self.take()

    def login(self, user: str) -> None:
        """Log in with PLAIN."""
        self.open()
        token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self.send(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>")
        assert self.names() == ["success"]
        self.open()

    def begin_scram(self, user: str) -> str:
        """Begin a login with SCRAM; returns the element that answers the server's challenge, to be sent."""
        client = ScramClient(Mechanism.SHA_256, user, PASSWORD)
        self.open()
        first = base64.b64encode(client.first()).decode()
        self.send(f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-256'>{first}</auth>")
        final = client.final(base64.b64decode(self.one().text))
        return f"<response xmlns='{ns.SASL}'>{base64.b64encode(final).decode()}</response>"

    def bind(self, resource: str = "") -> str:
        """Bind a resource; returns the full JID."""
        wanted = f"<resource>{resource}</resource>" if resource else ""
        self.send(f"<iq type='set' id='bind'><bind xmlns='{ns.BIND}'>{wanted}</bind></iq>")
        bound = self.one().find(ns.BIND, "bind")
        assert bound is not None
        self.jid = bound.text_of(ns.BIND, "jid")
        return self.jid

    def enable(self, *, resume: bool = True, more: str = "") -> Tree:
        """Turn stream management on; returns the answer."""
        wish = " resume='true'" if resume else ""
        self.send(f"<enable xmlns='{ns.SM}'{wish}{more}/>")
        answer = self.one()
        self.id = answer.attributes.get("id", "")
        self.h = 0
        return answer

    def resume(self, id: str, h: int) -> list[Tree]:
        """Resume a stream; returns what came."""
        self.send(f"<resume xmlns='{ns.SM}' previd='{id}' h='{h}'/>")
        before = h
        trees = self.take()
        self.h = before + sum(tree.namespace == ns.CLIENT for tree in trees)
        self.id = id
        return trees

    def ack(self, h: int | None = None) -> None:
        """Tell how many stanzas have come."""
        self.send(f"<a xmlns='{ns.SM}' h='{self.h if h is None else h}'/>")

    def come(self, presence: str = "<presence/>") -> list[Tree]:
        """Send presence; returns what has come since the last time, but for the client's own presence."""
        self.send(presence)
        return [tree for tree in self.take() if tree.name != "presence" or tree.attributes["from"] != self.jid]

    def count(self) -> int:
        """Ask how many stanzas the server has handled."""
        self.send(f"<r xmlns='{ns.SM}'/>")
        answers = [tree for tree in self.take() if tree.name == "a"]
        return int(answers[-1].attributes["h"])

    def cut(self) -> None:
        """The network goes."""
        self.stream.lost("the connection was cut")
        self.transport.closed = "cut"
        self.world.turn()


class World(CoreWorld):
    """A core with an XMPP service.

    Args:
        xmpp: settings of the service.
        users: that have accounts.
        core: settings of the core.
        clock: to go on with after a crash.
        store: to go on with after a crash.
    """

    def __init__(
        self,
        xmpp: XmppSettings | None = None,
        users: Sequence[str] = ("joe", "jack", "mary"),
        core: Settings = DEFAULTS,
        clock: Any = None,
        store: MemoryStore | None = None,
    ) -> None:
        super().__init__(core, clock, store)
        self.users = users
        self.xmpp = xmpp or settings()
        self.security = FakeSecurity(users)
        self.service = XmppService(self.broker, self.streams, self.xmpp, self.security, tls_available=True)  # type: ignore[arg-type]
        self.service.start()
        self.turn()

    def peer(self, **options: Any) -> Peer:
        """A new connection."""
        return Peer(self, **options)

    def bind(self, jid: str, *, presence: str | None = "<presence/>", sm: bool = False) -> Peer:
        """A bound client, available unless ``presence`` is ``None``.

        Args:
            jid: e.g. ``joe@localhost/x``.
            presence: that it sends.
            sm: turn stream management on.
        """
        return bound(self.peer(), jid, sm=sm, presence=presence)

    def crash(self, *, committed: bool = True) -> World:
        """A new broker on what the store has (``kill -9`` and a restart)."""
        return World(self.xmpp, self.users, self.settings, self.clock, self.crashed(committed=committed))


def bound(peer: P, jid: str, *, presence: str | None, sm: bool) -> P:
    """Log a peer in and bind it; see :meth:`World.bind`."""
    bare, _, resource = jid.partition("/")
    peer.login(bare.partition("@")[0])
    peer.bind(resource)
    if sm:
        assert peer.enable().name == "enabled"
    if presence is not None:
        peer.send(presence)
        peer.take()
    return peer


def befriend(one: Peer, other: Peer) -> None:
    """Each sees the other's presence."""
    for sender, receiver in ((one, other), (other, one)):
        sender.send(f"<presence type='subscribe' to='{receiver.jid.partition('/')[0]}'/>")
        receiver.send(f"<presence type='subscribed' to='{sender.jid.partition('/')[0]}'/>")
    for peer in (one, other):
        peer.take()


__all__ = ["DOMAIN", "HEADER", "PASSWORD", "Peer", "World", "befriend", "bound", "settings"]
