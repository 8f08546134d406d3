"""The transport and its listener, whatever is spoken over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from broker.core.quotas import QuotaLimits, Usage
from broker.net.limits import Limits
from broker.net.listener import Listener
from broker.net.store_pressure import StorePressure
from broker.net.transport import Connection, TransportSettings
from broker.net.turns import Turns
from tests.net.test_store_pressure import Store
from tests.net.wire import Reactor, Wire

DEFAULTS = Limits()
FULL = 65537
"""Bytes that are more than a transport's buffer holds."""


class Words:
    """A stream that remembers what it was told, and says what the test wants."""

    def __init__(self, connection: Connection, host: str) -> None:
        self.connection = connection
        self.host = host
        self.told: list[str] = []
        self.data = b""
        self.turns = 0
        self.work: Callable[[], None] = lambda: None

    def connected(self) -> None:
        """Remember it."""
        self.told.append("connected")

    def secured(self) -> None:
        """Remember it."""
        self.told.append("secured")

    def received(self, data: bytes) -> None:
        """Remember it; a word that is ``more`` is work for another turn."""
        self.data += data
        self.work()
        if data == b"more":
            self.connection.ask_for_turn()

    def turn(self) -> None:
        """Count turns."""
        self.turns += 1

    def set_writable(self, writable: bool) -> None:
        """Remember it."""
        self.told.append("writable" if writable else "full")

    def shut_down(self) -> None:
        """Say goodbye."""
        self.connection.write(b"bye")
        self.connection.close()

    def lost(self, reason: str) -> None:
        """Remember it."""
        self.told.append("lost")


class Port:
    """A listener over memory."""

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self.reactor = Reactor()
        self.store = Store()
        clock: Any = self.reactor
        pressure = StorePressure(self.store, 100, 50)
        self.refusals: list[tuple[str, str]] = []
        self.listener = Listener(
            Words,
            TransportSettings(clock, Turns(clock, clock.seconds), limits, pressure),
            lambda name, text: self.refusals.append((name, text())),
        )

    def spend(self, seconds: float) -> None:
        """The processor works, and nothing else happens."""
        self.reactor.rightNow += seconds

    def connect(self, host: str = "10.0.0.1", room: int = 1 << 30) -> tuple[Wire, Words]:
        """A new connection: both ends."""
        protocol: Any = self.listener.factory.buildProtocol(IPv4Address("TCP", host, 40000))
        return Wire(self.reactor, protocol, room=room, host=host), protocol.stream


@pytest.fixture
def port() -> Port:
    return Port()


def test_a_stream_is_told_of_its_connection(port: Port) -> None:
    wire, stream = port.connect()
    assert stream.host == "10.0.0.1"
    assert stream.connection.peer == "10.0.0.1:40000"
    wire.send(b"hello")
    wire.finish()
    assert stream.data == b"hello"
    assert stream.told == ["connected", "lost"]


def test_a_stream_that_has_work_left_has_another_turn(port: Port) -> None:
    wire, stream = port.connect()
    wire.send(b"more")
    assert stream.turns == 1


def test_it_has_its_turn_also_when_the_connection_is_gone(port: Port) -> None:
    wire, stream = port.connect()
    wire.vanish()
    stream.connection.ask_for_turn()
    port.reactor.turn()
    assert stream.turns == 1


def test_a_turn_is_over_after_5_ms(port: Port) -> None:
    wire, stream = port.connect()
    wire.send(b"hello")
    assert not stream.connection.turn_is_over
    port.reactor.advance(0.006)
    assert stream.connection.turn_is_over


class TestAccountThatHasWorkedLong:
    """It waits for others; what its connections bring meanwhile is kept, in order."""

    @pytest.fixture
    def others(self, port: Port) -> tuple[Wire, Words]:
        """A connection of an account of which another connection has just worked for longer than a turn."""
        busy, other = port.connect(), port.connect()
        for _, stream in (busy, other):
            stream.connection.logged_in("joe")
        busy[1].work = lambda: port.spend(0.006)
        busy[1].connection.dataReceived(b"work")
        return other

    def test_what_another_connection_brings_waits_for_a_turn(self, port: Port, others: tuple[Wire, Words]) -> None:
        _, stream = others
        stream.connection.dataReceived(b"a")
        stream.connection.dataReceived(b"b")
        assert stream.data == b""
        port.reactor.turn()
        assert stream.data == b"ab"

    def test_it_is_read_from_again_after_its_turn(self, port: Port, others: tuple[Wire, Words]) -> None:
        wire, stream = others
        stream.connection.dataReceived(b"a")
        wire.send(b"b")
        assert stream.data == b"ab"

    def test_another_account_does_not_wait(self, port: Port, others: tuple[Wire, Words]) -> None:
        _, stream = port.connect()
        stream.connection.logged_in("jack")
        stream.connection.dataReceived(b"a")
        assert stream.data == b"a"

    def test_what_waits_is_seen_before_the_connection_is_lost(self, port: Port, others: tuple[Wire, Words]) -> None:
        wire, stream = others
        stream.connection.dataReceived(b"a")
        wire.vanish()
        assert (stream.data, stream.told[-1]) == (b"a", "lost")

    def test_what_waits_is_seen_before_the_listener_closes(self, port: Port, others: tuple[Wire, Words]) -> None:
        _, stream = others
        stream.connection.dataReceived(b"a")
        port.listener.close_all()
        assert stream.data == b"a"

    @pytest.mark.parametrize("end", ["close", "abort"])
    def test_what_waits_when_the_stream_closes_is_dropped(
        self, port: Port, others: tuple[Wire, Words], end: str
    ) -> None:
        _, stream = others
        stream.connection.dataReceived(b"a")
        getattr(stream.connection, end)()
        port.reactor.turn()
        assert stream.data == b""

    def test_what_came_in_clear_is_not_seen_behind_a_tls_handshake(
        self, port: Port, others: tuple[Wire, Words]
    ) -> None:
        _, stream = others
        stream.connection.dataReceived(b"a")
        transport: Any = stream.connection.transport
        transport.startTLS = lambda _context: None
        stream.connection.start_tls()
        port.reactor.turn()
        assert stream.data == b""

    @pytest.mark.parametrize("way", ["received", "turn"])
    def test_a_stream_that_fails_in_its_turn_loses_its_connection_as_at_any_time(
        self, port: Port, others: tuple[Wire, Words], way: str
    ) -> None:
        wire, stream = others

        def fail(*_: object) -> None:
            raise RuntimeError("a bug")

        setattr(stream, way, fail)
        if way == "turn":
            stream.connection.ask_for_turn()
        stream.connection.dataReceived(b"a")
        with capturedLogs() as events:
            port.reactor.turn()
        assert wire.socket.reset
        assert stream.told[-1] == "lost"
        assert len([event for event in events if "log_failure" in event]) == 1

    def test_a_stream_that_fails_at_once_loses_its_connection_and_nobody_is_told_to_let_go_of_it(
        self, port: Port
    ) -> None:
        """TLS would never tell of the end of a connection that raises."""
        wire, stream = port.connect()

        def fail(data: bytes) -> None:
            raise RuntimeError("a bug")

        stream.received = fail  # type: ignore[method-assign]
        with capturedLogs() as events:
            stream.connection.dataReceived(b"a")
        port.reactor.turn()
        assert wire.socket.reset
        assert stream.told[-1] == "lost"
        assert len([event for event in events if "log_failure" in event]) == 1

    def test_a_stream_that_fails_keeps_no_other_from_being_shut_down(
        self, port: Port, others: tuple[Wire, Words]
    ) -> None:
        _, failing = others
        _, other = port.connect()
        failing.connection.dataReceived(b"a")

        def fail(data: bytes) -> None:
            raise RuntimeError("a bug")

        failing.received = fail  # type: ignore[method-assign]
        with capturedLogs():
            port.listener.close_all()
        port.reactor.turn()
        assert other.connection.left() == 0

    def test_a_stream_that_has_work_left_goes_on_with_it_first(self, port: Port) -> None:
        _, stream = port.connect()
        stream.connection.dataReceived(b"more")
        stream.connection.dataReceived(b"a")
        assert (stream.data, stream.turns) == (b"more", 0)
        port.reactor.turn()
        assert (stream.data, stream.turns) == (b"morea", 1)


class TestConnectionThatCarriesTheStreamsOfOthers:
    def test_it_does_not_rest_when_these_have_worked_for_long(self, port: Port) -> None:
        _, stream = port.connect()
        stream.connection.carries_streams()
        stream.work = lambda: port.spend(0.02)
        stream.connection.dataReceived(b"a")
        stream.connection.dataReceived(b"b")
        assert stream.data == b"ab"

    def test_its_peer_is_no_stranger(self, port: Port) -> None:
        _, stream = port.connect()
        stream.connection.carries_streams()
        assert port.listener.admission.strangers == 0


class TestStoreThatIsBehind:
    def test_clients_are_not_read_from_until_it_has_caught_up(self, port: Port) -> None:
        wire, stream = port.connect()
        stream.connection.logged_in("joe")
        port.store.backlog = 101
        wire.send(b"a")
        wire.send(b"b")
        assert stream.data == b"a"
        port.store.commit(0)
        port.reactor.turn()
        assert stream.data == b"ab"

    def test_clients_are_read_from_up_to_the_high_water_mark(self, port: Port) -> None:
        wire, stream = port.connect()
        stream.connection.logged_in("joe")
        port.store.backlog = 100
        wire.send(b"a")
        wire.send(b"b")
        assert stream.data == b"ab"

    def test_also_those_that_have_added_to_it_in_a_later_turn(self, port: Port) -> None:
        wire, stream = port.connect()
        stream.connection.logged_in("joe")
        stream.connection.ask_for_turn()
        port.store.backlog = 101
        port.reactor.turn()
        wire.send(b"a")
        assert stream.data == b""

    def test_strangers_are_read_from(self, port: Port) -> None:
        wire, stream = port.connect()
        port.store.backlog = 101
        wire.send(b"a")
        wire.send(b"b")
        assert stream.data == b"ab"

    def test_a_client_that_goes_meanwhile_leaves_nothing(self, port: Port) -> None:
        wire, stream = port.connect()
        stream.connection.logged_in("joe")
        port.store.backlog = 101
        wire.send(b"a")
        wire.vanish()
        port.store.commit(0)
        assert not port.store.waiting


class TestUnread:
    @pytest.mark.parametrize(("room", "told"), [(0, ["connected", "full"]), (1000, ["connected"])])
    def test_a_full_buffer_is_told_when_there_is_no_room_on_top(self, room: int, told: list[str]) -> None:
        port = Port(Limits(room=room))
        _, stream = port.connect(room=0)
        stream.connection.write(b"x" * FULL)
        port.reactor.turn()
        assert stream.told == told
        stream.connection.write(b"x" * 1000)
        assert stream.told == ["connected", "full"]

    def test_it_is_writable_again_when_all_is_taken(self) -> None:
        port = Port(Limits(room=0))
        wire, stream = port.connect(room=0)
        stream.connection.write(b"x" * FULL)
        port.reactor.turn()
        wire.make_room(2 * FULL)
        assert stream.told == ["connected", "full", "writable"]

    def test_connections_of_an_account_share_what_they_may_leave_unread(self) -> None:
        port = Port(Limits(room=1000))
        usage, another = Usage("joe", QuotaLimits(unread_bytes=1500)), Usage("mary", QuotaLimits(unread_bytes=1500))
        (one, _), (other, _), (mary, _) = connections = [port.connect(room=0) for _ in range(3)]
        for (_, stream), account in zip(connections, (usage, usage, another), strict=True):
            stream.connection.logged_in(account.account, account)
            stream.connection.write(b"x" * FULL)
            stream.connection.write(b"x" * 800)  # on top
        port.reactor.turn()
        assert not one.socket.closed
        assert other.socket.closed
        assert not mary.socket.closed
        assert port.refusals == [
            (
                "10.0.0.1",
                "10.0.0.1: connection closed: the connections of joe have not taken 1600 bytes on top of their "
                "buffers; 1500 are allowed",
            )
        ]
        assert 800 <= usage.unread_bytes == another.unread_bytes < 900

    def test_what_makes_a_buffer_full_counts_too(self) -> None:
        port = Port(Limits(room=1000))
        usage = Usage("joe", QuotaLimits(unread_bytes=3 * FULL))
        wires = []
        for _ in range(2):
            wire, stream = port.connect(room=0)
            stream.connection.logged_in("joe", usage)
            stream.connection.write(b"x" * 3 * FULL)
            port.reactor.turn()
            wires.append(wire)
        assert [wire.socket.closed for wire in wires] == [False, True]
        assert 2 * FULL <= usage.unread_bytes < 3 * FULL

    def test_what_is_taken_or_lost_counts_no_more(self) -> None:
        port = Port(Limits(room=1000))
        usage = Usage("joe", QuotaLimits(unread_bytes=1500))
        for end in (lambda wire: wire.make_room(2 * FULL), lambda wire: wire.vanish()):
            wire, stream = port.connect(room=0)
            stream.connection.logged_in("joe", usage)
            stream.connection.write(b"x" * FULL)
            stream.connection.write(b"x" * 800)
            assert usage.unread_bytes == 800
            end(wire)
            assert usage.unread_bytes == 0

    def test_a_peer_that_is_let_go_of_is_in_the_log_by_its_address(self, port: Port) -> None:
        for host in ("10.0.0.1", "2001:db8::1", "2001:db8::2"):
            _, stream = port.connect(host, room=0)
            stream.connection.write(b"x" * FULL)
        port.reactor.turn()
        port.reactor.advance(31)
        port.reactor.turn()
        why = "connection closed: it has read nothing for 30 s"
        assert port.refusals == [
            ("10.0.0.1", f"10.0.0.1: {why}"),
            ("2001:db8::/64", f"2001:db8::1: {why}"),
            ("2001:db8::/64", f"2001:db8::2: {why}"),
        ]


class TestClosingAll:
    def test_it_fires_when_the_last_connection_is_gone(self, port: Port) -> None:
        wires = [port.connect()[0] for _ in range(2)]
        closed: Deferred[None] = port.listener.close_all()
        fired: list[int] = []
        closed.addCallback(lambda _: fired.append(len(port.listener.connections)))
        port.reactor.turn()
        assert [wire.take() for wire in wires] == [b"bye", b"bye"]
        wires[0].finish()
        assert fired == []
        wires[1].finish()
        assert fired == [0]
        assert not port.reactor.getDelayedCalls()


class TestAdmission:
    def test_a_connection_that_logs_in_is_no_stranger(self) -> None:
        port = Port(Limits(max_pending=1))
        _, stream = port.connect()
        address = IPv4Address("TCP", "10.0.0.1", 1)
        assert port.listener.buildProtocol(address) is None
        stream.connection.logged_in("joe")
        assert port.listener.buildProtocol(address) is not None
