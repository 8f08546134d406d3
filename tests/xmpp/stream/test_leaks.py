"""Nothing of a failed login stays (the connection leak of an XMPP service; spec xmpp §2.4, §2.5 R3–R5)."""

from __future__ import annotations

import base64
import gc
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from broker.core.sessions import Session
from broker.net.limits import Limits
from broker.net.listener import Listener as PortListener
from broker.net.transport import Connection, TransportSettings
from broker.net.turns import Turns
from broker.xmpp.routing.domain import Client
from broker.xmpp.session.dispatch import StreamDispatch
from broker.xmpp.stream.bound import BoundStream
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.negotiation import Negotiation
from broker.xmpp.stream.over_tcp import client_over_tcp
from broker.xmpp.wire import ns
from tests.native.peer import Transport
from tests.xmpp.world import HEADER, World, settings

pytestmark = pytest.mark.slow

TOKEN = base64.b64encode(b"\0joe\0secret").decode()
WRONG = base64.b64encode(b"\0joe\0wrong").decode()
AUTH = f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{TOKEN}</auth>".encode()
BAD_AUTH = f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{WRONG}</auth>".encode()
SCRAM = f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-1'>biwsbj1qb2Uscj1hYmM=</auth>".encode()
BIND = f"<iq type='set' id='b'><bind xmlns='{ns.BIND}'><resource>x</resource></bind></iq>".encode()
ENABLE = f"<enable xmlns='{ns.SM}'/>".encode()
START_TLS = f"<starttls xmlns='{ns.TLS}'/>".encode()
LOGIN = HEADER + AUTH + HEADER + BIND + b"<presence/>" + ENABLE + b"<message to='joe@localhost'/>"
ROUNDS = 500
"""Of each of the ways below."""


class TlsTransport(Transport):
    """A TCP transport whose TLS handshake never ends, and whose peer reads nothing."""

    dataBuffer = b""
    offset = _tempDataLen = 0
    socket = os.open(os.devnull, os.O_RDONLY)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing to do."""

    def loseWriteConnection(self) -> None:
        """Close this side."""
        self.disconnecting = True

    def startTLS(self, contextFactory: object, normal: bool = True) -> None:
        """Begin."""


class Listener:
    """A service with one listener."""

    def __init__(self) -> None:
        self.world = World(settings())
        limits = Limits(max_pending=100_000)
        self.strays = objects()
        service, clock = self.world.service, self.world.clock
        tls: Any = object()
        terms = TransportSettings(clock, Turns(clock, clock.seconds), limits, tls=tls)
        self.factory = PortListener(
            lambda connection, host: client_over_tcp(service, connection, host, loopback=True),
            terms,
            service.refusals.tell,
        )

    def connection(self) -> Connection:
        """A new connection."""
        protocol = self.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40000))
        assert isinstance(protocol, Connection)
        protocol.makeConnection(TlsTransport())
        return protocol

    def close(self, connection: Connection, *, clean: bool = True) -> None:
        """The client goes."""
        connection.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))
        self.world.turn(3)

    def reap(self) -> None:
        """The server has closed some connections; the network tells them."""
        for connection in list(self.factory.connections):
            if is_closing(connection):
                self.close(connection)


def is_closing(connection: Connection) -> bool:
    """Whether the server has closed it."""
    return bool(getattr(connection.transport, "disconnecting", False))


def vanish_at_any_byte(listener: Listener, number: int) -> None:
    connection = listener.connection()
    connection.dataReceived(LOGIN[: number % len(LOGIN)])
    listener.world.turn(3)
    listener.close(connection, clean=number % 2 == 0)


def give_wrong_passwords(listener: Listener, number: int) -> None:
    connection = listener.connection()
    connection.dataReceived(HEADER)
    for _ in range(number % 4):
        connection.dataReceived(BAD_AUTH)
        listener.world.turn(3)
    listener.reap()
    if connection in listener.factory.connections:
        listener.close(connection)


def abandon_scram(listener: Listener, number: int) -> None:
    connection = listener.connection()
    connection.dataReceived(HEADER + SCRAM)
    listener.world.turn(3)
    if number % 2:
        connection.dataReceived(f"<response xmlns='{ns.SASL}'>AAAA</response>".encode())
    listener.close(connection)


def never_send_anything(listener: Listener, number: int) -> None:
    listener.connection()


def never_log_in(listener: Listener, number: int) -> None:
    listener.connection().dataReceived(HEADER + AUTH + HEADER if number % 2 else HEADER)
    listener.world.turn(3)


def never_finish_tls(listener: Listener, number: int) -> None:
    connection = listener.connection()
    connection.dataReceived(HEADER + START_TLS)
    listener.world.turn(3)
    if number % 2:
        listener.close(connection)


def send_garbage(listener: Listener, number: int) -> None:
    connection = listener.connection()
    connection.dataReceived(LOGIN[: number % len(LOGIN)] + b"<!DOCTYPE x><\xff&&&</stream:stream>>" * 3)
    listener.world.turn(3)
    listener.reap()
    if connection in listener.factory.connections:
        listener.close(connection)


def log_in_and_vanish(listener: Listener, number: int) -> None:
    connection = listener.connection()
    connection.dataReceived(LOGIN)
    listener.world.turn(5)
    listener.close(connection, clean=False)


def log_in_twice(listener: Listener, number: int) -> None:
    first, second = listener.connection(), listener.connection()
    for connection in (first, second):
        connection.dataReceived(LOGIN)
        listener.world.turn(3)
    listener.reap()
    listener.close(second)


def end_in_good_order(listener: Listener, number: int) -> None:
    connection = listener.connection()
    connection.dataReceived(LOGIN + b"</stream:stream>")
    listener.world.turn(5)
    listener.reap()


WAYS = [
    vanish_at_any_byte,
    give_wrong_passwords,
    abandon_scram,
    never_send_anything,
    never_log_in,
    never_finish_tls,
    send_garbage,
    log_in_and_vanish,
    log_in_twice,
    end_in_good_order,
]


def objects() -> int:
    """Connections and clients that anything still refers to."""
    gc.collect()
    kinds = (Connection, StreamConnection, Negotiation, BoundStream, StreamDispatch, Client)
    return sum(isinstance(each, kinds) for each in gc.get_objects())


def left(listener: Listener) -> dict[str, int]:
    """What is still there, by name; empty for nothing."""
    world = listener.world
    node = world.node
    tables = world.store.tables
    counts = {
        "connections": len(listener.factory.connections),
        "admission": len(listener.factory.admission) + listener.factory.admission.strangers,
        "clients": len(world.service.domain.clients),
        "sessions": len(node.sessions),
        "subjects": len(node.subjects),
        "queues": len(node.queues),
        "timers": world.timers,
        "stored sessions": len(tables.sessions) + len(tables.handled),
        "stored messages": len(tables.messages),
        "objects": objects() - listener.strays,
    }
    # Of earlier tests something may be let go of only now.
    return {name: count for name, count in counts.items() if count > 0}


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.mark.parametrize("way", WAYS)
def test_after_500_broken_logins_of_a_kind_nothing_is_left(
    listener: Listener, way: Callable[[Listener, int], None]
) -> None:
    for number in range(ROUNDS):
        way(listener, number)
    for _ in range(8):
        listener.world.advance(100)  # deadlines and windows pass
        listener.reap()
    listener.world.store.commit()
    listener.world.turn()
    assert left(listener) == {}


def test_nothing_is_left_where_a_step_of_the_end_fails(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a bug")

    domain, streams = listener.world.service.domain, listener.world.streams
    domain.connect(replace(domain.hooks, ended=(fail, *domain.hooks.ended)))
    ending = streams.ending

    def tell_and_fail(session: Session) -> None:
        ending(session)
        fail(session)

    monkeypatch.setattr(streams, "ending", tell_and_fail)
    for number in range(20):
        log_in_and_vanish(listener, number)
        end_in_good_order(listener, number)
    for _ in range(8):
        listener.world.advance(100)
        listener.reap()
    listener.world.store.commit()
    listener.world.turn()
    found = left(listener)
    found.pop("objects", None)  # the log keeps the failures for a while, and they their frames
    assert found == {}


def test_an_address_may_have_only_so_many_connections_that_have_not_logged_in() -> None:
    listener = Listener()
    listener.factory.admission._max_pending = 3
    address = IPv4Address("TCP", "10.0.0.1", 1)
    for _ in range(3):
        protocol = listener.factory.buildProtocol(address)
        assert isinstance(protocol, Connection)
        protocol.makeConnection(TlsTransport())
    assert listener.factory.buildProtocol(address) is None
    assert listener.factory.buildProtocol(IPv4Address("TCP", "10.0.0.2", 1)) is not None
    listener.close(next(iter(listener.factory.connections)))
    assert listener.factory.buildProtocol(address) is not None


def test_a_client_that_reads_nothing_is_let_go_of(listener: Listener) -> None:
    # R4
    connection = listener.connection()
    connection.dataReceived(LOGIN)
    listener.world.turn(5)
    connection.pauseProducing()
    listener.world.turn()
    listener.world.advance(29)
    assert not is_closing(connection)
    listener.world.advance(2)
    assert is_closing(connection)


def test_a_handshake_that_takes_too_long_ends(listener: Listener) -> None:
    # R3
    connection = listener.connection()
    connection.dataReceived(HEADER + START_TLS)
    listener.world.advance(14)
    assert not is_closing(connection)
    listener.world.advance(2)
    assert is_closing(connection)
