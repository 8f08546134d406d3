"""The broker is killed at each point where something could be lost or doubled (spec xmpp §1.10 B6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.failpoints import VARIABLE
from tests.system.launcher import BrokerProcess, wait_until
from tests.system.manager_process import ManagedClient
from tests.system.routed_client import SETTINGS as ROUTES
from tests.system.routed_client import RoutedClient
from tests.system.stream_client import StreamClient

pytestmark = pytest.mark.system

MESSAGES = 60
POINTS = [
    ("commit begun", 25),
    ("commit written", 2),  # to the tables, every second; the first one is that of the start
    ("commit done", 25),  # after the inbound commit, before the answer; or numbered, before the bytes leave
    ("answer due", 5),
    ("bytes received", 60),  # answers and stanzas before are on their way
    ("stanzas due", 10),
    ("stanzas written", 10),
    ("resume taken over", 2),
    ("resume committed", 2),
    ("resume sent", 2),
    ("messages handed over", 1),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    settings = {"xmpp.plainWithoutTls": "true", "modules.mod_stream_management.buffer_max": "7"}
    broker = BrokerProcess(tmp_path / "data", settings=settings)
    broker.add_accounts("joe", "jack")
    yield broker
    broker.close()


class Play:
    """Two clients that talk while connections are cut and the broker dies.

    Args:
        broker: not started yet.
        monkeypatch: arms the point.
        make: a client of the broker, for joe; jack's connection is his own.
    """

    def __init__(
        self,
        broker: BrokerProcess,
        monkeypatch: pytest.MonkeyPatch,
        make: Callable[[BrokerProcess, str], StreamClient] = StreamClient,
    ) -> None:
        self.broker = broker
        self.kills = 0
        self._monkeypatch = monkeypatch
        self.joe = make(broker, "joe")
        self.jack = StreamClient(broker, "jack")
        self.sent: dict[StreamClient, list[str]] = {self.joe: [], self.jack: []}

    def start(self, point: str, count: int) -> None:
        """Start the broker, which will die at this point."""
        self._monkeypatch.setenv(VARIABLE, f"{point}:{count}")
        self.broker.start()

    def revive(self) -> None:
        """Start the broker again if it has died, and have everybody there."""
        if not self.broker.running:
            self.kills += 1
            self._monkeypatch.delenv(VARIABLE)
            self.broker.start()
            for client in (self.joe, self.jack):
                if not client.outlives_broker:
                    client.cut()

    def attend(self, client: StreamClient) -> None:
        """Have a client connected, whatever that takes."""
        deadline = time.monotonic() + 30
        while not client.attached or not self.broker.running:
            assert time.monotonic() < deadline, "it does not come back"
            self.revive()
            if not client.attached:
                client.go_on()

    def say(self, sender: StreamClient, receiver: StreamClient, body: str, *, bare: bool) -> None:
        """One message."""
        self.sent[receiver].append(body)
        sender.send(f"{receiver.user}@localhost" if bare else f"{receiver.user}@localhost/{receiver.resource}", body)

    def finish(self) -> None:
        """Everybody takes what is left."""

        def everything_has_come() -> bool:
            for client in (self.joe, self.jack):
                self.attend(client)
                client.ask()
                client.read(0.05)
            return all(
                len(client.got) >= len(self.sent[client]) and not client.unacked for client in (self.joe, self.jack)
            )

        wait_until(everything_has_come)


@pytest.mark.parametrize(("point", "count"), POINTS)
def test_each_message_comes_once_and_in_order_wherever_the_broker_is_killed(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch, point: str, count: int
) -> None:
    talk(Play(broker, monkeypatch), point, count)


@pytest.mark.parametrize(("point", "count"), [("commit done", 25), ("answer due", 5), ("resume sent", 2)])
def test_so_it_is_for_a_client_behind_a_connection_manager(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch, point: str, count: int
) -> None:
    broker.settings.update(ROUTES)
    talk(Play(broker, monkeypatch, RoutedClient), point, count)


@pytest.mark.parametrize(
    ("point", "count"), [("commit done", 25), ("answer due", 5), ("stanzas written", 10), ("bytes received", 60)]
)
def test_so_it_is_for_a_client_that_stays_connected_to_the_brokers_own_manager(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch, point: str, count: int
) -> None:
    broker.settings.update(ROUTES)
    talk(Play(broker, monkeypatch, ManagedClient), point, count)


def talk(play: Play, point: str, count: int) -> None:
    """Both write while their connections are cut, and the broker dies at a point."""
    joe, jack = play.joe, play.jack
    play.start(point, count)
    play.attend(joe)
    for number in range(3):  # they wait until jack comes for the first time
        play.say(joe, jack, f"early {number}", bare=True)
        joe.ask()
        joe.read(0.05)
    for number in range(MESSAGES):
        play.attend(joe)
        play.attend(jack)
        play.say(joe, jack, f"to jack {number}", bare=number % 3 == 0)
        if number % 2:
            play.say(jack, joe, f"to joe {number}", bare=False)
        if number % 5 == 0:
            joe.ask()
        if number % 10 == 9:
            jack.cut()
        joe.read()
        jack.read()
    play.finish()
    assert jack.got == play.sent[jack]
    assert joe.got == play.sent[joe]
    assert play.kills == 1, "the point was not reached"


def test_nothing_is_lost_where_the_broker_is_killed_while_a_session_ends(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.settings["modules.mod_stream_management.resume_timeout"] = "3"
    play = Play(broker, monkeypatch)
    joe, jack = play.joe, play.jack
    play.start("message returned", 4)
    for client in (joe, jack):
        play.attend(client)
    for number in range(20):
        play.say(joe, jack, str(number), bare=True)
    joe.ask()
    jack.wait_for_message()
    jack.end()
    wait_until(lambda: not broker.running)
    monkeypatch.delenv(VARIABLE)
    broker.start()
    heir = StreamClient(broker, "jack", "another")

    def everything_has_come() -> bool:
        for client in (joe, heir):
            client.go_on() if not client.attached else client.ask()
            client.read(0.05)
        return not joe.unacked and {*jack.got, *heir.got} == set(play.sent[jack])

    wait_until(everything_has_come)
    assert heir.got == play.sent[jack][-len(heir.got) :]
