"""Negotiation and bound stream over a framing without stream headers, like that of RFC 7395."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import Event, StreamError, StreamReader
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.negotiation import Negotiation
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import stream_error
from broker.xmpp.wire.stanza import standalone
from tests.xmpp.world import HEADER, FakeTransport, World

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
TOKEN = base64.b64encode(b"\0joe\0secret").decode()
OPEN = f"<open xmlns='{FRAMING}' to='localhost' version='1.0'/>"
CLOSE = f"<close xmlns='{FRAMING}'/>"


class OpenCloseFraming:
    """Streams that are opened and closed by elements; each element has its own namespace."""

    def __init__(self) -> None:
        self._opened = False
        self.restart()

    @property
    def error(self) -> StreamError | None:
        return self._reader.error

    @property
    def has_more(self) -> bool:
        return bool(self._reader.unread) or self._reader.error is not None

    @property
    def unread(self) -> int:
        return len(self._reader.unread)

    @property
    def is_open(self) -> bool:
        return self._opened

    def feed(self, data: bytes = b"") -> list[Event]:
        return [self._event(event) for event in self._reader.feed(data)]

    def _event(self, event: Event) -> Event:
        if isinstance(event, Stanza) and event.namespace == FRAMING:
            attributes = {name: value for name, value in event.attributes.items() if value is not None}
            return StreamStart(attributes, ns.CLIENT, {}) if event.name == "open" else StreamEnd()
        return event

    def restart(self, *, discard: bool = False) -> None:
        self._opened = False
        self._reader = StreamReader(1 << 20)
        self._reader.feed(HEADER)

    def allow(self, max_stanza: int) -> None:
        self._reader.max_stanza = max_stanza

    def read_ahead(self) -> None:
        self._reader.stepwise = False

    def open(self, to: str = "") -> bytes:
        self._opened = True
        return f"<open xmlns='{FRAMING}' from='localhost' version='1.0'/>".encode()

    def features(self, content: bytes) -> bytes:
        return b"<stream:features xmlns:stream='%b'>%b</stream:features>" % (ns.STREAM.encode(), content)

    def sender(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def send(data: bytes) -> None:
            reader = StreamReader(1 << 20, stepwise=False)
            write(b"".join(standalone(each.raw) for each in reader.feed(HEADER + data) if isinstance(each, Stanza)))

        return send

    def fail(self, condition: str, text: str, extra: bytes = b"") -> bytes:
        return (b"" if self._opened else self.open()) + stream_error(condition, text, extra)

    def close(self) -> bytes:
        return CLOSE.encode() if self._opened else b""


class Peer:
    """A client that speaks it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.transport = FakeTransport()
        service = world.service
        self.stream = StreamConnection(
            service,
            self.transport,
            OpenCloseFraming(),
            "127.0.0.1",
            lambda stream: Negotiation(service, stream, loopback=True),
        )
        self.transport.turns = lambda: world.clock.callLater(0, self.stream.turn)
        self.stream.connected()

    def ask(self, text: str) -> bytes:
        """Send something; returns the answer."""
        self.transport.data = b""
        self.stream.received(text.encode())
        self.world.turn()
        return self.transport.data


@pytest.fixture
def peer(quiet: World) -> Peer:
    peer = Peer(quiet)
    assert b"<mechanism>PLAIN</mechanism>" in peer.ask(OPEN)
    assert peer.ask(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{TOKEN}</auth>").startswith(b"<success ")
    assert ns.BIND.encode() in peer.ask(OPEN)
    bind = f"<bind xmlns='{ns.BIND}'><resource>x</resource></bind>"
    assert b"<jid>joe@localhost/x</jid>" in peer.ask(f"<iq xmlns='{ns.CLIENT}' type='set' id='b'>{bind}</iq>")
    return peer


def test_a_client_logs_in_binds_and_gets_stanzas_with_their_namespace(peer: Peer) -> None:
    answer = peer.ask(f"<message xmlns='{ns.CLIENT}' to='joe@localhost/x' type='chat'><body>hi</body></message>")
    assert answer.startswith(b"<message ")
    assert b" xmlns='jabber:client'" in answer.partition(b">")[0]
    assert b"<body>hi</body>" in answer
    assert b"<stream:stream" not in answer


def test_a_client_resumes_what_it_had_over_another_framing(peer: Peer) -> None:
    enabled = peer.ask(f"<enable xmlns='{ns.SM}' resume='true'/>").decode()
    id = enabled.partition(" id='")[2].partition("'")[0]
    peer.stream.lost("cut")
    peer.world.turn()
    tcp = peer.world.peer()
    tcp.login("joe")
    assert tcp.resume(id, 0)[0].name == "resumed"


def test_the_stream_is_closed_by_an_element(peer: Peer) -> None:
    assert peer.ask(CLOSE) == CLOSE.encode()
    assert peer.transport.closed
    assert not peer.world.service.domain.clients


def test_a_bound_stream_cannot_be_opened_again(peer: Peer) -> None:
    assert b"policy-violation" in peer.ask(OPEN)
    assert peer.transport.closed
