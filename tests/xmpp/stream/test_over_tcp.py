"""Connections of XMPP clients over Twisted's own transports: TLS, ends, and peers that do not read (spec xmpp §2.5)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols import tls

from broker.core.entries import QueueLimits
from broker.errors import BrokerError, Code
from broker.net.certificate import self_signed
from broker.net.limits import ROOM, Limits
from broker.net.listener import Listener as PortListener
from broker.net.tls import Alpn, server_context
from broker.net.transport import Connection, TransportSettings
from broker.net.turns import Turns
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.over_tcp import client_over_tcp
from broker.xmpp.wire import ns
from tests.core.world import START
from tests.net.wire import Reactor, Wire
from tests.xmpp.world import HEADER, World, settings

TOKEN = base64.b64encode(b"\0joe\0secret").decode()
AUTH = f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{TOKEN}</auth>".encode()
BIND = f"<iq type='set' id='b'><bind xmlns='{ns.BIND}'><resource>x</resource></bind></iq>".encode()
LOGIN = HEADER + AUTH + HEADER + BIND
START_TLS = f"<starttls xmlns='{ns.TLS}'/>".encode()
TRANSPORT_BUFFER = 65536
DEFAULTS = Limits()
NO_ALPN = Alpn()


class Listener:
    """A service whose connections go over memory."""

    def __init__(self, reactor: Reactor, directory: Path, limits: Limits, alpn: Alpn, *, direct: bool) -> None:
        self.reactor = reactor
        self.world = World(settings(), clock=reactor)
        context = server_context(self_signed(directory, "localhost", 1.8e9), alpn=alpn)
        service = self.world.service

        def make_stream(connection: Connection, host: str) -> StreamConnection:
            return client_over_tcp(service, connection, host, loopback=True)

        clock: Any = reactor
        terms = TransportSettings(clock, Turns(clock, clock.seconds), limits, tls=context, direct_tls=direct)
        self.factory = PortListener(make_stream, terms, service.refusals.tell)
        self._outer: Any = self.factory.factory

    def connect(self, *, room: int = 1 << 30, host: str = "127.0.0.1") -> Wire:
        """A new connection."""
        protocol = self._outer.buildProtocol(IPv4Address("TCP", host, 40000))
        return Wire(self.reactor, protocol, room=room, host=host)

    def log_in(self, **options: Any) -> Wire:
        """A new connection whose client is bound."""
        wire = self.connect(**options)
        wire.send(LOGIN)
        assert b"joe@localhost/x" in wire.take()
        return wire

    @property
    def only(self) -> Connection:
        """The only connection."""
        (connection,) = self.factory.connections
        return connection

    @property
    def stream(self) -> StreamConnection:
        """What is spoken over it."""
        stream = self.only.stream
        assert isinstance(stream, StreamConnection)
        return stream

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.reactor.advance(seconds)
        self.reactor.turn()


Make = Callable[..., Listener]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes listeners on one reactor, which is also the global one for TLS that is started on a connection."""
    reactor = Reactor()
    reactor.rightNow = START
    monkeypatch.setattr(tls, "_get_default_clock", lambda: reactor)

    def made(limits: Limits = DEFAULTS, *, direct: bool = False, alpn: Alpn = NO_ALPN) -> Listener:
        return Listener(reactor, tmp_path, limits, alpn, direct=direct)

    return made


@pytest.fixture
def listener(make: Make) -> Listener:
    return make()


@pytest.fixture
def direct(make: Make) -> Listener:
    return make(direct=True)


class TestEndOfTheConnection:
    MESSAGES = b"".join(
        b"<message to='mary@localhost' type='chat'><body>%d</body></message>" % number for number in range(1500)
    )

    @pytest.mark.parametrize("end", [b"", b"</stream:stream>"], ids=["closed", "ended"])
    @pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
    def test_stanzas_before_it_are_all_handled_where_the_first_waits_for_the_disk(
        self, make: Make, end: bytes, *, secure: bool
    ) -> None:
        listener = make(direct=secure)
        wire = listener.connect()
        if secure:
            wire.start_tls()
        wire.send(LOGIN)
        subject_queue = listener.world.node.subject("mary").queue
        subject_queue.limits = QueueLimits(entries=10_000)
        listener.world.store.commit()
        listener.world.store.held = True
        data = self.MESSAGES + end
        for start in range(0, len(data), 10_000):  # a TLS record has no more than 16 KB
            wire.send(data[start : start + 10_000])
        wire.finish()
        assert len(subject_queue) == 0
        listener.world.store.held = False
        listener.world.store.commit()
        for _ in range(20):
            listener.reactor.turn()
        assert len(subject_queue) == 1500
        assert not listener.factory.connections
        assert not listener.world.service.domain.clients


class TestStartTls:
    def test_the_stream_goes_on_under_tls(self, listener: Listener) -> None:
        # RFC 6120 §5.4.3.3
        wire = listener.connect()
        wire.send(HEADER + START_TLS)
        assert b"<proceed" in wire.take()
        wire.start_tls()
        wire.send(HEADER)
        features = wire.take()
        assert b"-PLUS</mechanism>" in features
        assert b"<starttls" not in features

    def test_what_came_before_tls_counts_for_nothing(self, listener: Listener) -> None:
        # RFC 6120 §5.4.3.3: an attacker could put words before the client's own
        wire = listener.connect()
        wire.send(HEADER + START_TLS + HEADER + AUTH)
        assert wire.take().endswith(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        wire.start_tls()
        wire.send(HEADER)
        answer = wire.take()
        assert answer.count(b"<stream:features") == 1
        assert b"<success" not in answer

    def test_bytes_that_are_no_handshake_end_it(self, listener: Listener) -> None:
        wire = listener.connect()
        wire.send(HEADER + START_TLS)
        wire.send(HEADER + AUTH)
        assert b"<success" not in wire.take()
        assert wire.socket.closed
        assert not listener.factory.connections

    @pytest.mark.parametrize(
        ("offered", "selected"), [((b"xmpp-client",), b"xmpp-client"), ((b"http/1.1",), b""), ((), b"")]
    )
    def test_starttls_goes_on_whatever_is_offered_by_alpn(
        self, make: Make, offered: tuple[bytes, ...], selected: bytes
    ) -> None:
        # RFC 7301 §3.2; clients that know of XEP-0368 offer it on each port
        listener = make(alpn=Alpn((b"xmpp-client",)))
        wire = listener.connect()
        wire.send(HEADER + START_TLS)
        wire.start_tls(offered)
        wire.send(HEADER)
        assert b"<stream:features" in wire.take()
        assert wire.tls.get_alpn_proto_negotiated() == selected

    def test_a_client_of_another_protocol_is_refused_where_one_is_required(self, make: Make) -> None:
        listener = make(direct=True, alpn=Alpn((b"xmpp-client",), required=True))
        wire = listener.connect()
        with pytest.raises(SSL.Error) as raised, capturedLogs() as events:
            wire.start_tls((b"http/1.1",))
        assert "no application protocol" in str(raised.value)
        assert [formatEvent(event) for event in events] == [
            "127.0.0.1: the TLS handshake failed: no application protocol"
        ]
        assert not listener.factory.connections

    def test_a_handshake_has_15_seconds(self, listener: Listener, direct: Listener) -> None:
        # R3
        wire, other = listener.connect(), direct.connect()
        wire.send(HEADER + START_TLS)
        listener.advance(14)
        assert not wire.socket.closed
        assert not other.socket.closed
        listener.advance(2)
        assert not listener.factory.connections
        assert not direct.factory.connections


class TestEnds:
    @pytest.mark.parametrize("way", ["plain", "starttls", "direct"])
    def test_the_stream_and_the_connection_end_at_once(self, make: Make, way: str) -> None:
        # RFC 6120 §4.4; a TLS transport that still has a producer would not end
        listener = make(direct=way == "direct")
        wire = listener.connect()
        if way == "starttls":
            wire.send(HEADER + START_TLS)
        if way != "plain":
            wire.start_tls()
        wire.send(HEADER + b"</stream:stream>")
        assert wire.take().endswith(b"</stream:stream>")
        assert wire.socket.finished if way == "plain" else wire.is_shut_down
        wire.finish()
        assert wire.socket.closed
        assert not listener.factory.connections

    def test_a_client_that_still_sends_gets_to_know_why(self, listener: Listener) -> None:
        # a socket that is closed with bytes unread resets the connection, and what was sent is lost
        wire = listener.connect()
        wire.send(HEADER + b"<message/>")
        wire.send(b"<message/>" * 1000)
        assert b"<not-authorized" in wire.take()
        assert wire.socket.finished
        assert not wire.socket.closed
        assert not wire.socket.received
        wire.finish()
        assert wire.socket.closed
        assert not wire.socket.reset

    def test_a_client_that_does_not_close_its_side_is_not_waited_for(self, listener: Listener) -> None:
        wire = listener.connect()
        wire.send(HEADER + b"</stream:stream>")
        listener.advance(4)
        assert not wire.socket.closed
        listener.advance(2)
        assert wire.socket.closed
        assert not listener.factory.connections

    def test_one_that_reads_its_last_words_slowly_is(self, listener: Listener) -> None:
        wire = listener.connect(room=100)
        wire.send(HEADER + b"</stream:stream>")
        for _ in range(5):
            listener.advance(4)
            wire.make_room(10)
        assert not wire.socket.closed
        wire.make_room(10_000)
        assert wire.take().endswith(b"</stream:stream>")

    def test_it_ends_also_while_nothing_is_read(self, direct: Listener) -> None:
        wire = direct.connect()
        wire.start_tls()
        wire.send(HEADER)
        direct.only.hold("busy")
        direct.only.close()
        direct.reactor.turn()
        wire.take()
        assert wire.is_shut_down
        wire.finish()
        assert not direct.factory.connections

    def test_a_client_that_closes_its_side_only_is_gone(self, listener: Listener) -> None:
        wire = listener.log_in()
        wire.finish()
        assert wire.socket.closed
        assert not listener.factory.connections

    def test_nothing_is_left_where_the_stream_fails_to_end(
        self, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wire = listener.log_in()
        connection = listener.only
        connection.pauseProducing()

        def fail(stream: StreamConnection, reason: str) -> None:
            raise RuntimeError(reason)

        monkeypatch.setattr(StreamConnection, "lost", fail)
        with pytest.raises(RuntimeError):
            wire.vanish()
        assert not listener.factory.connections
        assert not len(listener.factory.admission)
        assert not connection._buffer.waits


class TestUnread:
    """R4: what a client does not read."""

    def fill(self, listener: Listener, size: int) -> None:
        connection = listener.only
        connection.write(b" " * size)
        listener.reactor.turn()

    def test_there_is_some_room_beyond_the_transport_s_buffer(self, listener: Listener) -> None:
        wire = listener.log_in()
        wire.socket.room = 0
        self.fill(listener, TRANSPORT_BUFFER + 1)
        self.fill(listener, ROOM - 1)
        assert listener.stream.writable
        self.fill(listener, 1)
        assert not listener.stream.writable

    def test_then_nothing_is_read_until_it_has_read_everything(self, listener: Listener) -> None:
        wire = listener.log_in()
        wire.socket.room = 0
        self.fill(listener, TRANSPORT_BUFFER + 1)
        self.fill(listener, ROOM)
        wire.send(b"<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert wire.socket.received
        wire.make_room(1 << 20)
        assert not wire.socket.received
        assert b"id='p'" in wire.take()
        assert listener.stream.writable

    def test_one_stanza_that_is_larger_than_the_buffer_is_no_fault(self, make: Make) -> None:
        listener = make(Limits(max_unread=1 << 20))
        wire = listener.log_in()
        wire.socket.room = 0
        self.fill(listener, 3 << 20)
        assert not wire.socket.closed
        wire.make_room(4 << 20)
        assert len(wire.take()) == 3 << 20

    def test_a_client_that_reads_nothing_for_30_seconds_is_let_go_of(self, listener: Listener) -> None:
        wire = listener.log_in()
        wire.socket.room = 0
        self.fill(listener, TRANSPORT_BUFFER + 1)
        listener.advance(29)
        assert not wire.socket.closed
        listener.advance(2)
        assert wire.socket.closed
        assert wire.socket.reset
        assert not listener.factory.connections

    @pytest.mark.parametrize("way", ["plain", "direct"])
    def test_a_slow_one_is_not_while_it_reads(self, make: Make, way: str) -> None:
        listener = make(direct=way == "direct")
        wire = listener.connect()
        if way == "direct":
            wire.start_tls()
        wire.send(LOGIN)
        wire.socket.room = 0
        self.fill(listener, 2 << 20)
        for _ in range(5):
            listener.advance(29)
            wire.make_room(10_000)
            self.fill(listener, 30_000)
        assert listener.stream.client is not None
        wire.make_room(4 << 20)
        listener.advance(31)
        assert not listener.only._buffer.waits
        assert not wire.socket.finished

    def test_one_that_leaves_too_much_unread_is_let_go_of(self, make: Make) -> None:
        listener = make(Limits(max_unread=1 << 20))
        wire = listener.log_in()
        wire.socket.room = 0
        self.fill(listener, TRANSPORT_BUFFER + 1)
        self.fill(listener, 1 << 20)
        assert not wire.socket.closed
        self.fill(listener, 1)
        assert wire.socket.closed


class TestClosingAll:
    def closed(self, listener: Listener) -> Deferred[None]:
        closed = listener.factory.close_all()
        listener.world.store.commit()
        listener.reactor.turn()
        return closed

    def test_it_waits_until_clients_have_what_is_on_its_way(self, listener: Listener) -> None:
        wire = listener.log_in(room=10_000)
        wire.send(f"<enable xmlns='{ns.SM}' resume='true'/><presence/>".encode())
        listener.world.store.commit()
        listener.reactor.turn()
        wire.take()
        wire.socket.room = 5
        closed = self.closed(listener)
        assert not closed.called
        wire.make_room(10_000)
        assert wire.take() == f"<a xmlns='{ns.SM}' h='1'/>".encode()  # I10: no end of the stream, which may be resumed
        assert not closed.called
        wire.finish()
        assert closed.called

    @pytest.mark.parametrize("way", ["plain", "direct"])
    def test_those_that_have_everything_get_half_a_second_to_close_their_side(self, make: Make, way: str) -> None:
        listener = make(direct=way == "direct")
        wire = listener.connect()
        if way == "direct":
            wire.start_tls()
        wire.send(LOGIN)
        closed = self.closed(listener)
        listener.advance(0.25)
        assert not wire.socket.closed
        for _ in range(2):
            listener.advance(0.25)
        assert wire.socket.closed
        assert not wire.socket.reset  # or it might not come to read what it has
        assert closed.called

    def slow(self, listener: Listener) -> Wire:
        """A client for which something is on its way."""
        wire = listener.log_in()
        wire.send(f"<enable xmlns='{ns.SM}' resume='true'/><presence/>".encode())
        listener.world.store.commit()
        listener.reactor.turn()
        wire.socket.room = 5
        return wire

    def test_those_that_take_nothing_get_a_second(self, listener: Listener) -> None:
        wire = self.slow(listener)
        closed = self.closed(listener)
        for _ in range(4):
            assert not wire.socket.closed
            listener.advance(0.25)
        listener.advance(0.25)
        assert wire.socket.closed
        assert closed.called

    def test_those_that_still_read_get_five_seconds(self, listener: Listener) -> None:
        wire = self.slow(listener)
        closed = self.closed(listener)
        for _ in range(9):
            listener.advance(0.5)
            wire.make_room(1)
        assert not wire.socket.closed
        listener.advance(0.6)
        assert wire.socket.closed
        assert closed.called

    def test_those_that_have_read_the_rest_get_half_a_second_like_others(self, listener: Listener) -> None:
        wire = self.slow(listener)
        closed = self.closed(listener)
        for _ in range(4):
            listener.advance(0.5)
            wire.make_room(1)
        wire.make_room(10_000)
        listener.advance(0.25)
        assert not wire.socket.closed
        for _ in range(2):
            listener.advance(0.25)
        assert closed.called

    def test_nor_for_a_store_that_cannot_write(self, listener: Listener) -> None:
        wire = listener.log_in()
        wire.send(f"<enable xmlns='{ns.SM}' resume='true'/>".encode())
        listener.world.store.fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "the disk is full"))
        wire.send(b"<message to='joe@localhost/x'><body>x</body></message>")
        closed = listener.factory.close_all()
        listener.reactor.turn()
        assert not wire.socket.finished  # it waits for the commit of what it is to acknowledge
        listener.advance(6)
        assert closed.called
        assert not listener.factory.connections

    def test_handshakes_are_broken_off(self, direct: Listener) -> None:
        wire = direct.connect()
        assert self.closed(direct).called
        assert wire.socket.closed

    def test_without_connections_there_is_nothing_to_wait_for(self, listener: Listener) -> None:
        timers = listener.world.timers
        assert self.closed(listener).called
        assert listener.world.timers == timers


class TestAdmission:
    def test_an_address_may_connect_only_so_often(self, make: Make) -> None:
        listener = make(Limits(rate=1, burst=2))
        for _ in range(2):
            listener.connect(host="10.0.0.1").finish()
        assert listener.factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 1)) is None
        listener.advance(1)
        assert listener.factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 1)) is not None

    def test_this_machine_may_connect_as_often_as_it_likes(self, make: Make) -> None:
        listener = make(Limits(rate=1, burst=1, max_pending=1))
        for _ in range(5):
            listener.connect()
        assert len(listener.factory.connections) == 5

    def test_strangers_from_everywhere_are_bounded(self, make: Make) -> None:
        listener = make(Limits(max_strangers=2))
        listener.log_in(host="10.0.0.1")
        for number in (2, 3):
            listener.connect(host=f"10.0.0.{number}")
        assert listener.factory.buildProtocol(IPv4Address("TCP", "10.0.0.4", 1)) is None
