"""The broker and its connection managers are killed where something of their clients could be lost or doubled."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.failpoints import VARIABLE
from tests.campaign import managers
from tests.campaign.resuming import Patient
from tests.campaign.ways import Ways
from tests.system.launcher import BrokerProcess, wait_until

pytestmark = pytest.mark.system

MESSAGES = 60
OF_MANAGERS = [
    ("frames of the server received", 40),
    ("data of a client sent", 30),
    ("client given data", 40),
    ("session attached again", 2),
    ("stream resumed for its client", 1),
]
OF_ROUTES = [
    ("stanza of a client routed", 60),
    ("client given a stanza", 80),
    ("client taken on", 3),
]
OF_THE_BROKER = [
    ("frames of a manager received", 50),
    ("bytes of a client stored", 1),
    ("session on another link", 2),
    ("end of a managed session stored", 1),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    settings = {**managers.SETTINGS, "modules.mod_stream_management.buffer_max": "7"}
    broker = BrokerProcess(tmp_path / "broker" / "data", settings=settings)
    broker.add_accounts("joe", "jack")
    yield broker
    broker.close()


@pytest.fixture
def ways(broker: BrokerProcess) -> Iterator[Ways]:
    ways = Ways(broker, random.Random(7), 1.0, [kind for kind in managers.KINDS if kind.frames])
    yield ways
    ways.end()


@pytest.fixture
def routes(broker: BrokerProcess) -> Iterator[Ways]:
    ways = Ways(broker, random.Random(7), 1.0, [kind for kind in managers.KINDS if not kind.frames])
    yield ways
    ways.end()


class Talk:
    """Two clients over two managers, whose connections and links are cut.

    Args:
        broker: that runs.
        ways: that are open.
    """

    def __init__(self, broker: BrokerProcess, ways: Ways) -> None:
        self._broker = broker
        self._ways = ways
        self._clients = [Patient(ways, user) for user in ("joe", "jack")]
        self._sent: dict[Patient, list[str]] = {each: [] for each in self._clients}

    def go_through(self) -> None:
        """All of it, with one restart of the broker; each message must have come once, and in order."""
        for number in range(MESSAGES):
            self._attend()
            for sender, receiver in (self._clients, self._clients[::-1]):
                body = f"{sender.user} {number}"
                self._sent[receiver].append(body)
                sender.send(f"{receiver.user}@localhost/{receiver.resource}", body)
                sender.read()
            if number % 5 == 0:
                self._clients[0].ask()
            if number % 15 == 9:
                self._clients[number % 2].cut()
            if number % 10 == 4:
                for each in self._ways.managers:
                    each.proxy.cut_after(50 * number)
            if number == MESSAGES // 2:
                self._broker.restart()
                wait_until(self._is_counted)
        wait_until(self._is_over)
        for receiver, sent in self._sent.items():
            assert receiver.got == sent
        self._ways.check()

    def _attend(self) -> None:
        until = time.monotonic() + 30
        while not (self._broker.running and all(each.attached for each in self._clients)):
            assert time.monotonic() < until, "somebody does not come back"
            if not self._broker.running:
                self._broker.environment.pop(VARIABLE, None)
                self._broker.start()
            for each in self._ways.managers:
                if not each.process.running:
                    each.start()
            for client in self._clients:
                if not client.attached:
                    client.go_on()

    def _is_counted(self) -> bool:
        self._attend()
        for client in self._clients:
            client.ask()
            client.read(0.05)
        return not any(each.unacked for each in self._clients)

    def _is_over(self) -> bool:
        return self._is_counted() and all(len(each.got) >= len(sent) for each, sent in self._sent.items())


def go_through_deaths_of_managers(broker: BrokerProcess, ways: Ways, directory: Path, point: str, count: int) -> None:
    broker.start()
    ways.open(directory, point, count)
    Talk(broker, ways).go_through()
    assert any(each.points for each in ways.managers), "the point was not reached"
    ways.close()


@pytest.mark.parametrize(("point", "count"), OF_MANAGERS)
def test_each_message_comes_once_and_in_order_wherever_a_manager_is_killed(
    broker: BrokerProcess, ways: Ways, tmp_path: Path, point: str, count: int
) -> None:
    go_through_deaths_of_managers(broker, ways, tmp_path, point, count)


@pytest.mark.parametrize(("point", "count"), OF_ROUTES)
def test_streams_over_routes_that_are_resumed_lose_nothing_wherever_a_manager_is_killed(
    broker: BrokerProcess, routes: Ways, tmp_path: Path, point: str, count: int
) -> None:
    go_through_deaths_of_managers(broker, routes, tmp_path, point, count)


@pytest.mark.parametrize(("point", "count"), OF_THE_BROKER)
def test_each_message_comes_once_and_in_order_wherever_the_broker_is_killed(
    broker: BrokerProcess, ways: Ways, tmp_path: Path, point: str, count: int
) -> None:
    broker.environment[VARIABLE] = f"{point}:{count}"
    broker.start()
    ways.open(tmp_path)
    Talk(broker, ways).go_through()
    assert VARIABLE not in broker.environment, "the point was not reached"
    ways.close()
