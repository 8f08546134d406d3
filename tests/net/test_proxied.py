"""Connections of proxies count as those of the clients whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from broker.model.host import addresses_in
from broker.net.proxied import TIMEOUT, ProxiedFactory

HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 5555 5222\r\n"
PROXY = IPv4Address("TCP", "203.0.113.1", 40000)


class Client(Protocol):
    """What is spoken behind the header."""

    def __init__(self, addr: Any) -> None:
        self.addr = addr
        self.seen = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.seen += data

    def connectionLost(self, reason: object = None) -> None:
        """Keep that."""
        self.lost = True


class Clients(Factory):
    """Makes it, or nothing where nobody is let in."""

    def __init__(self) -> None:
        self.made: list[Client] = []
        self.full = False

    def buildProtocol(self, addr: Any) -> Client | None:
        """Make one."""
        if self.full:
            return None
        self.made.append(Client(addr))
        return self.made[-1]


class Stage:
    """A port that one proxy connects to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clients = Clients()
        self.factory = ProxiedFactory(self.clients, addresses_in(["203.0.113.1"]), self.clock)
        self.transport = StringTransport(peerAddress=PROXY)

    def connect(self, addr: Any = PROXY) -> Any:
        protocol = self.factory.buildProtocol(addr)
        assert protocol is not None
        self.transport.protocol = protocol  # type: ignore[attr-defined]
        protocol.makeConnection(self.transport)
        return protocol

    def feed(self, data: bytes) -> None:
        self.transport.protocol.dataReceived(data)  # type: ignore[attr-defined]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_who_is_no_proxy_has_no_header(stage: Stage) -> None:
    addr = IPv4Address("TCP", "192.0.2.9", 1)
    assert stage.connect(addr) is stage.clients.made[0]
    stage.feed(HEADER)
    assert stage.clients.made[0].seen == HEADER


def test_what_a_proxy_connects_is_the_clients(stage: Stage) -> None:
    stage.connect()
    stage.feed(HEADER + b"<stream")
    [client] = stage.clients.made
    assert (client.addr.host, client.addr.port, client.seen) == ("192.0.2.7", 5555, b"<stream")
    assert stage.transport.getPeer() == client.addr


def test_a_header_may_come_in_pieces(stage: Stage) -> None:
    stage.connect()
    for byte in HEADER:
        assert not stage.clients.made
        stage.feed(bytes((byte,)))
    assert stage.clients.made[0].addr.host == "192.0.2.7"


def test_a_connection_of_the_proxy_itself_is_its_own(stage: Stage) -> None:
    stage.connect()
    stage.feed(b"PROXY UNKNOWN\r\n")
    assert stage.clients.made[0].addr == PROXY


def test_a_client_who_is_not_let_in_is_closed(stage: Stage) -> None:
    stage.clients.full = True
    stage.connect()
    stage.feed(HEADER)
    assert stage.transport.disconnected


def test_a_proxy_that_sends_no_header_is_closed(stage: Stage) -> None:
    stage.connect()
    stage.feed(b"<?xml version='1.0'?>")
    assert (stage.transport.disconnected, stage.clients.made) == (True, [])


def test_a_proxy_that_sends_nothing_is_closed(stage: Stage) -> None:
    stage.connect()
    stage.clock.advance(TIMEOUT)
    assert stage.transport.disconnected


def test_a_header_that_came_has_no_deadline(stage: Stage) -> None:
    stage.connect()
    stage.feed(HEADER)
    assert not stage.clock.getDelayedCalls()


def test_an_address_of_ipv4_in_ipv6_is_that_of_ipv4(stage: Stage) -> None:
    stage.connect(IPv4Address("TCP", "::ffff:203.0.113.1", 1))
    assert not stage.clients.made


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.0/8", ""])
def test_a_proxy_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        addresses_in([text])
