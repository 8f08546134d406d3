"""What connects to a broker that stands by is passed on to the one that has the database."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import connectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.errors import BrokerError
from broker.net.proxy_header import encode
from broker.net.relay import FIRST_TIMEOUT, Relay
from broker.net.relay_settings import RELAY_PORTS, RelayedPort, RelaySettings, relay_settings_of

CLIENT = IPv4Address("TCP", "192.0.2.7", 5555)
HERE = IPv4Address("TCP", "198.51.100.2", 5222)
HEADER = encode(CLIENT.host, CLIENT.port, HERE.host, HERE.port)


class Transport(StringTransport):
    """What a socket can do beyond."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing waits here."""


class Endpoint:
    """Connects when the test says so."""

    def __init__(self) -> None:
        self.done: Deferred[Any] = Deferred()
        self.factory: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        """Remember who wants to."""
        self.factory = factory
        return self.done

    def accept(self) -> Any:
        """The broker is there; returns what it is written to."""
        protocol = self.factory.buildProtocol(None)
        protocol.makeConnection(Transport())
        self.done.callback(protocol)
        return protocol

    def refuse(self) -> None:
        """Nobody listens there."""
        self.done.errback(ConnectionRefusedError())


class Stage:
    """A relay to two brokers."""

    def __init__(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.asked: list[tuple[str, int]] = []
        self.endpoints: list[Endpoint] = []
        settings = RelaySettings("198.51.100.2", ("203.0.113.1", "203.0.113.2"), (RelayedPort(5222, 15222),))
        self.relay = Relay(self.reactor, settings, self.endpoint)
        Deferred.fromCoroutine(self.relay.start())

    def endpoint(self, host: str, port: int) -> Any:
        self.asked.append((host, port))
        self.endpoints.append(Endpoint())
        return self.endpoints[-1]

    def connect(self, addr: IPv4Address = CLIENT) -> Any:
        (port, factory, *_) = self.reactor.tcpServers[0]
        assert port == 5222
        protocol = factory.buildProtocol(addr)
        if protocol is not None:
            protocol.makeConnection(Transport(hostAddress=HERE, peerAddress=addr))
        return protocol

    def begin(self) -> Any:
        """A client that has sent something."""
        client = self.connect()
        client.dataReceived(b"<?xml?>")
        return client


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_broker_is_told_who_the_client_is(stage: Stage) -> None:
    stage.begin()
    assert stage.asked == [("203.0.113.1", 15222)]
    assert stage.endpoints[0].accept().transport.value() == HEADER + b"<?xml?>"


def test_nothing_is_read_from_a_client_before_the_broker_is_there(stage: Stage) -> None:
    client = stage.begin()
    assert client.transport.producerState == "paused"
    stage.endpoints[0].accept()
    assert client.transport.producerState == "producing"


def test_bytes_are_passed_on_both_ways(stage: Stage) -> None:
    client = stage.begin()
    broker = stage.endpoints[0].accept()
    client.dataReceived(b"<stream")
    broker.dataReceived(b"<features")
    assert (broker.transport.value(), client.transport.value()) == (HEADER + b"<?xml?><stream", b"<features")


def test_each_side_waits_for_the_other_one_to_read(stage: Stage) -> None:
    client = stage.begin()
    broker = stage.endpoints[0].accept()
    assert client.transport.producer is broker.transport
    assert broker.transport.producer is client.transport


def test_the_next_broker_is_tried_where_one_does_not_answer(stage: Stage) -> None:
    client = stage.begin()
    stage.endpoints[0].refuse()
    assert stage.asked[1:] == [("203.0.113.2", 15222)]
    stage.endpoints[1].accept()
    assert not client.transport.disconnected


def test_a_client_is_closed_where_no_broker_answers(stage: Stage) -> None:
    client = stage.begin()
    stage.endpoints[0].refuse()
    stage.endpoints[1].refuse()
    assert client.transport.disconnected


def test_the_end_of_a_client_is_passed_on(stage: Stage) -> None:
    client = stage.begin()
    broker = stage.endpoints[0].accept()
    client.connectionLost(connectionDone)
    assert broker.transport.disconnecting


def test_the_end_of_a_broker_is_passed_on(stage: Stage) -> None:
    client = stage.begin()
    stage.endpoints[0].accept().connectionLost(connectionDone)
    assert client.transport.disconnecting


def test_a_client_that_goes_before_the_broker_is_there_is_forgotten(stage: Stage) -> None:
    client = stage.begin()
    client.connectionLost(connectionDone)
    assert (stage.relay.connections, len(stage.relay.admission)) == (set(), 0)


def test_what_another_broker_passes_on_is_not_passed_on_again(stage: Stage) -> None:
    client = stage.connect()
    for byte in HEADER[:12]:
        client.dataReceived(bytes((byte,)))
    assert client.transport.disconnected
    assert not stage.asked


def test_a_client_that_sends_nothing_is_closed(stage: Stage) -> None:
    client = stage.connect()
    stage.reactor.advance(FIRST_TIMEOUT)
    assert client.transport.disconnected


def test_a_client_that_has_sent_something_may_be_silent(stage: Stage) -> None:
    client = stage.begin()
    stage.endpoints[0].accept()
    stage.reactor.advance(FIRST_TIMEOUT)
    assert not client.transport.disconnected


def test_an_address_that_connects_too_often_is_not_let_in(stage: Stage) -> None:
    made = [stage.connect() for _ in range(1500)]
    assert None in made
    assert stage.connect(IPv4Address("TCP", "192.0.2.8", 1)) is not None


def test_all_ends_with_it(stage: Stage) -> None:
    client = stage.begin()
    Deferred.fromCoroutine(stage.relay.stop())
    assert client.transport.disconnected


def test_without_other_brokers_no_port_is_open() -> None:
    reactor: Any = MemoryReactorClock()
    Deferred.fromCoroutine(Relay(reactor, RelaySettings("127.0.0.1", (), (RelayedPort(5222, 5222),))).start())
    assert not reactor.tcpServers


def test_ports_are_given_by_one_or_two_numbers() -> None:
    properties = Properties([Setting("standby.relayPorts", "5222, 17607:7607", "here")])
    ports = relay_settings_of(properties).ports
    assert ports == (RelayedPort(5222, 5222), RelayedPort(17607, 7607))
    assert RELAY_PORTS.kind.write(ports) == "5222,17607:7607"


@pytest.mark.parametrize("text", ["xmpp", "0", "70000", "5222:", ":5222", "1:2:3"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(BrokerError, match=r"standby\.relayPorts"):
        relay_settings_of(Properties([Setting("standby.relayPorts", text, "here")]))
