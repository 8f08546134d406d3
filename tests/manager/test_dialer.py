"""A link is kept: it is dialled until there is one, and again when it is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionRefusedError, TimeoutError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from broker.manager.dialer import LONGEST_DELAY, Dialer
from broker.manager.link import LinkConnection
from broker.manager.settings import Address

ONE, TWO = Address("one", 5262), Address("two", 5262)


class Connection:
    """A connection to a server."""

    transport = object()

    def __init__(self, server: Address) -> None:
        self.server = str(server)
        self.opened = False


class Network:
    """Remembers who is dialled, and when."""

    def __init__(self, *servers: Address) -> None:
        self.clock = Clock()
        self.dialled: list[tuple[float, Address]] = []
        self.pending: list[Deferred[Any]] = []
        clock: Any = self.clock
        make: Any = lambda server, _: Connection(server)  # noqa: E731
        self.dialer = Dialer(servers, self._connect, make, clock)
        self.dialer.start()

    def _connect(self, server: Address, make: Callable[[], LinkConnection]) -> Deferred[LinkConnection]:
        self.dialled.append((self.clock.seconds(), server))
        self.pending.append(Deferred())
        return self.pending[-1]

    def refuse(self) -> None:
        """The server refuses the connection, and time passes until the next attempt."""
        self.pending[-1].errback(ConnectionRefusedError())
        self.wait()

    def accept(self, *, opened: bool = True) -> Any:
        """The server takes the connection."""
        connection = Connection(self.dialled[-1][1])
        connection.opened = opened
        self.pending[-1].callback(connection)
        return connection

    def wait(self) -> None:
        """Let time pass until the next attempt."""
        attempts = len(self.dialled)
        for _ in range(1000):
            if len(self.dialled) == attempts:
                self.clock.advance(0.05)

    @property
    def servers(self) -> list[Address]:
        """Those that were dialled, in order."""
        return [server for _, server in self.dialled]


def test_delays_become_longer_up_to_a_limit() -> None:
    network = Network(ONE)
    for _ in range(12):
        network.refuse()
    times = [when for when, _ in network.dialled]
    delays = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert delays[0] < 0.5
    assert delays[0] < delays[2] < delays[4]
    assert LONGEST_DELAY * 0.8 <= delays[-1] <= LONGEST_DELAY * 1.3


def test_the_next_server_is_dialled_where_one_is_not_reached() -> None:
    network = Network(ONE, TWO)
    network.refuse()
    network.refuse()
    assert network.servers == [ONE, TWO, ONE]


def test_the_next_server_is_dialled_where_one_refuses_the_link() -> None:
    network = Network(ONE, TWO)
    network.dialer.lost(network.accept(opened=False), "the server refuses the link")
    network.wait()
    assert network.servers == [ONE, TWO]


def test_a_server_that_was_there_is_dialled_first_when_its_link_is_lost() -> None:
    network = Network(ONE, TWO)
    for _ in range(9):
        network.refuse()
    lost = network.clock.seconds()
    network.dialer.lost(network.accept(), "gone")
    network.wait()
    assert network.servers[-2:] == [TWO, TWO]
    assert network.dialled[-1][0] - lost < 0.5


def test_the_log_tells_once_why_each_server_is_not_reached() -> None:
    with capturedLogs() as events:
        network = Network(ONE, TWO)
        for _ in range(6):
            network.refuse()
    assert [formatEvent(event) for event in events] == [
        f"there is no link to {server}: nothing listens there; the broker does once it has a secret for managers"
        " (xmpp.managers.secretFile)"
        for server in (ONE, TWO)
    ]


def test_a_server_that_does_not_answer_is_said_to_do_so() -> None:
    with capturedLogs() as events:
        network = Network(ONE)
        network.pending[-1].errback(TimeoutError())
    assert [formatEvent(event) for event in events] == [f"there is no link to {ONE}: no answer in time"]


class Connecting(Deferred[Any]):
    """An attempt of an endpoint, which calls its end differently from others."""

    def cancel(self) -> None:
        """It ends as an endpoint ends it."""
        self.errback(ConnectingCancelledError(None))


def test_an_attempt_that_the_end_of_the_manager_cuts_short_is_no_failure() -> None:
    with capturedLogs() as events:
        clock: Any = Clock()
        dialer = Dialer([ONE], lambda server, make: Connecting(), lambda server, dialer: Connection(server), clock)  # type: ignore[arg-type, return-value] # of it nothing more is asked
        dialer.start()
        dialer.stop()
    assert not events


def test_a_link_that_the_end_of_the_manager_finds_unopened_is_no_failure() -> None:
    network = Network(ONE)
    connection = network.accept(opened=False)
    connection.abort = lambda: network.dialer.lost(connection, "it was closed")
    with capturedLogs() as events:
        closed = network.dialer.stop()
    assert closed.called
    assert not events


@pytest.mark.parametrize("connecting", [True, False])
def test_nobody_is_dialled_after_the_end(connecting: bool) -> None:
    network = Network(ONE)
    if not connecting:
        network.pending[-1].errback(ConnectionRefusedError())
    network.dialer.stop()
    network.clock.advance(60)
    assert len(network.dialled) == 1
    assert not network.clock.getDelayedCalls()
