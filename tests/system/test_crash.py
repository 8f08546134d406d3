"""Nothing that was acknowledged is lost, and only what is marked is repeated, however often the power goes."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from broker.client import BlockingClient, ConnectOptions, PublishOptions, SubscribeOptions, Update
from broker.errors import BrokerError
from tests.system.launcher import BrokerProcess, wait_until
from tests.system.native_client import connected

pytestmark = pytest.mark.system

RECEIVER = ConnectOptions("jack", "secret", session=1, persistent=True, burst=20)
SENDER = ConnectOptions("joe", "secret", callbacks=False)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path / "data")
    broker.add_accounts("joe", "jack")
    with broker:
        yield broker


class Sender(threading.Thread):
    """Publishes numbers one after the other until it is stopped, and notes which were acknowledged."""

    def __init__(self, broker: BrokerProcess, options: PublishOptions) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[int] = []
        self.tried = 0
        self._options = options
        self._stopped = threading.Event()
        self._client = connected(broker, SENDER)

    def run(self) -> None:
        for number in itertools.count():
            if self._stopped.is_set():
                break
            self.tried = number + 1
            try:
                published = self._client.publish("numbers", str(number), self._options)
            except BrokerError:
                continue
            if not published.info:
                self.acknowledged.append(number)
            else:
                self._stopped.wait(0.01)  # it waits in the client; no need to fill its memory

    def has_acknowledged(self, count: int) -> bool:
        return len(self.acknowledged) >= count

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        self._client.disconnect()


def drain(broker: BrokerProcess, client: BlockingClient, *, quiet: float = 1.5) -> list[Update]:
    return list(client.updates(timeout=quiet))


def numbers_of(updates: list[Update]) -> list[int]:
    return [int(update.text) for update in updates]


def test_acknowledged_point_to_point_messages_survive_many_crashes(broker: BrokerProcess) -> None:
    # given a receiver that is away, and a sender
    connected(broker, RECEIVER).leave()
    sender = Sender(broker, PublishOptions(persistent=True, to=("jack/1",), force=True, subscribable=False))
    sender.start()
    # when the broker is killed again and again while it sends
    chance = random.Random(7)
    for _ in range(4):
        target = len(sender.acknowledged) + chance.randrange(20, 300)
        wait_until(partial(sender.has_acknowledged, target))
        broker.restart()
    sender.stop()
    # then everything that was acknowledged arrives, in order
    receiver = connected(broker, RECEIVER)
    got = numbers_of(drain(broker, receiver))
    receiver.disconnect()
    assert set(sender.acknowledged) <= set(got)
    assert got == sorted(got)


def test_what_a_receiver_has_acknowledged_is_not_repeated_without_a_mark(broker: BrokerProcess) -> None:
    # given a receiver that takes messages while the broker is killed again and again
    receiver = connected(broker, RECEIVER)
    receiver.subscribe("numbers", options=SubscribeOptions(persistent=True, history=0))
    sender = Sender(broker, PublishOptions(persistent=True))
    sender.start()
    got: list[Update] = []
    for _ in range(3):
        got += itertools.islice(receiver.updates(timeout=5), 100)
        broker.restart()
        got += itertools.islice(receiver.updates(timeout=10), 50)
    sender.stop()
    got += drain(broker, receiver)
    receiver.disconnect()
    # then nothing that was acknowledged to the sender is missing
    assert set(sender.acknowledged) <= set(numbers_of(got))
    # and what is repeated is marked (a message that the sender sent again is another one)
    seen: set[int] = set()
    for update in got:
        assert update.received not in seen or update.redelivered
        seen.add(update.received)
    # and the order of first arrivals is that of sending
    first = list(dict.fromkeys(numbers_of(got)))
    assert first == sorted(first)


def test_subscription_and_session_come_back_under_the_same_names(broker: BrokerProcess) -> None:
    # given
    client = connected(broker, RECEIVER)
    subscribed = client.subscribe("weather", options=SubscribeOptions(persistent=True))
    secret = client.secret_id
    # when
    broker.restart()
    wait_until(lambda: client.reconnected)
    # then
    assert client.secret_id == secret
    client.publish("weather", "sunny")
    assert [update.subscription_id for update in client.updates(timeout=2)] == [subscribed.id]
    client.disconnect()
