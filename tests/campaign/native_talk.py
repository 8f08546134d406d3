"""The native side of the campaign: publishers, persistent subscribers, and an account that is away."""

from __future__ import annotations

import random
import threading
import time

from broker.client import BlockingClient, ConnectOptions, PublishOptions, SubscribeOptions, Update
from broker.errors import BrokerError
from tests.campaign.checks import (
    Arrival,
    Failed,
    check_arrivals,
    check_equal,
    check_history,
    check_order,
    check_repeats,
)
from tests.campaign.publishers import RETRY, Eraser, Publisher
from tests.system.launcher import BrokerProcess

PERSISTENT = PublishOptions(persistent=True)
HISTORY = 10
QUIET = 2.0
"""Seconds without an update after which a queue is taken for empty; its length is asked for then."""
DRAINING = 120.0
"""Seconds for a queue to become empty."""


class Receiver(threading.Thread):
    """Takes what comes to one persistent session, and subscribes to topics.

    Args:
        broker: that is killed.
        name: login name.
        session: public number.
        topics: to subscribe to.
        burst: messages in one update.
        naps: longest pause between two updates in seconds, so that its queue grows.
        chance: decides how long the pauses are.

    Attributes:
        got: by topic, in order.
        all: the same of all topics.
        paused: while it is set, nothing is taken.
    """

    def __init__(
        self,
        broker: BrokerProcess,
        name: str,
        session: int,
        topics: tuple[str, ...],
        chance: random.Random,
        *,
        burst: int = 20,
        naps: float = 0.0,
    ) -> None:
        super().__init__(daemon=True, name=f"{name}/{session}")
        self.got: dict[str, list[Arrival]] = {topic: [] for topic in topics}
        self.all: list[Arrival] = []
        self.paused = threading.Event()
        self.naps = naps
        self._chance = chance
        self._stopped = threading.Event()
        self._options = ConnectOptions(name, "secret", session=session, persistent=True, burst=burst)
        self._broker = broker
        self._client = self._connected()
        for topic in topics:
            self._client.subscribe(topic, options=SubscribeOptions(persistent=True, history=0))

    def run(self) -> None:
        while not self._stopped.is_set():
            if self.paused.is_set():
                self._stopped.wait(0.05)
                continue
            for update in self._client.updates(timeout=0.2):
                self._take(update)
                if self.paused.is_set() or self._stopped.is_set():
                    break
                if self.naps and self._chance.random() < 0.02:
                    self._stopped.wait(self._chance.uniform(0, self.naps))

    def stop(self) -> None:
        """Take no more; the session stays."""
        self._stopped.set()
        self.join(30)
        self._client.acknowledge()

    def leave(self) -> None:
        """End the session."""
        self._client.disconnect()

    def rest(self) -> None:
        """Take what is left; to be called when the thread has ended."""
        for update in self._client.updates(timeout=QUIET):
            self._take(update)

    def _connected(self) -> BlockingClient:
        client = BlockingClient(*self._broker.address(), self._options, delay=RETRY)
        client.connect()
        return client

    def _take(self, update: Update) -> None:
        arrival = Arrival(update.text.rstrip(), update.received, update.redelivered > 0, update.qos.publish.priority)
        self.all.append(arrival)
        self.got.setdefault(update.oid, []).append(arrival)


class Visitor:
    """An account that messages are forced to, and that looks in now and then.

    Args:
        broker: that is killed.
    """

    OPTIONS = ConnectOptions("away", "secret", session=1, burst=10)

    def __init__(self, broker: BrokerProcess) -> None:
        self.got: list[Arrival] = []
        self._broker = broker

    def look_in(self, patience: float) -> None:
        """Log in, take what has come within some seconds, and go."""
        client = BlockingClient(*self._broker.address(), self.OPTIONS, delay=RETRY, retries=0)
        try:
            client.connect()
            until = time.monotonic() + patience
            for update in client.updates(timeout=patience):
                self.got.append(Arrival(update.text, update.received, update.redelivered > 0, 5))
                if time.monotonic() > until and patience < QUIET:
                    break
            client.acknowledge()
            client.leave()
        except BrokerError:
            return  # the broker died meanwhile


class NativeTalk:
    """All native clients.

    Args:
        broker: that is killed.
        chance: decides what they do.
    """

    def __init__(self, broker: BrokerProcess, chance: random.Random) -> None:
        self._broker = broker

        def seeded() -> random.Random:
            return random.Random(chance.randrange(2**32))

        self.receivers = [
            Receiver(broker, "jack", 1, ("numbers", "bulk", "volatile", "oneway"), seeded()),
            Receiver(broker, "jack", 2, ("numbers", "bulk"), seeded(), burst=7, naps=0.5),
            Receiver(broker, "jim", 1, ("numbers",), seeded(), burst=1),
        ]
        to_away = PublishOptions(persistent=True, to=("away/1",), force=True, subscribable=False)
        self.numbers = Publisher(broker, "numbers", PERSISTENT, seeded(), pace=0.01)
        self.bulk = Publisher(broker, "bulk", PERSISTENT, seeded(), most=12, priorities=(1, 5, 9), pace=0.05)
        self.volatile = Publisher(broker, "volatile", PublishOptions(), seeded(), pace=0.05)
        self.oneway = Publisher(broker, "oneway", PERSISTENT, seeded(), pace=0.05, oneway=True)
        self.direct = Publisher(broker, "direct", to_away, seeded(), pace=0.04)
        self.archive = Publisher(broker, "archive", PERSISTENT, seeded(), pace=0.05)
        short = PublishOptions(persistent=True, life_time=0.3)
        self.fleeting = Publisher(broker, "fleeting", short, seeded(), pace=0.1)
        self.publishers = [
            self.numbers,
            self.bulk,
            self.volatile,
            self.oneway,
            self.direct,
            self.archive,
            self.fleeting,
        ]
        self.eraser = Eraser(broker, seeded())
        self.visitor = Visitor(broker)

    @property
    def acknowledged(self) -> int:
        """Messages that were acknowledged."""
        return sum(each.acknowledged for each in self.publishers)

    def start(self) -> None:
        """Begin."""
        for each in (*self.receivers, *self.publishers, self.eraser):
            each.start()

    def stop(self) -> None:
        """Publish no more; the broker must run."""
        for each in self.publishers:
            each.stop()
        self.eraser.stop()

    def drain(self) -> None:
        """Take what is left.

        Raises:
            Failed: a queue does not become empty.
        """
        for each in self.receivers:
            each.stop()
        administrator = Administrator(self._broker)
        until = time.monotonic() + DRAINING
        for each in self.receivers:
            queue = f"client/{each.name}/?cbQueueNumMsgs"
            while True:
                each.rest()
                waiting = administrator.number(queue)
                if not waiting:
                    break
                if time.monotonic() > until:
                    raise Failed(f"{each.name}: {waiting} messages are queued and do not come")
        self.visitor.look_in(QUIET)
        administrator.close()

    def check(self, others: int) -> None:
        """Compare with the model; to be called after :meth:`drain`.

        Args:
            others: subscriptions that are not of native clients.

        Raises:
            Failed: a promise is broken.
        """
        acknowledged = {each.id for publisher in self.publishers for each in publisher.sent if each.id}
        for receiver in self.receivers:
            check_repeats(receiver.name, receiver.all)
            check_order(receiver.name, acknowledged, receiver.all)
            for publisher in self.publishers:
                if publisher.oid in receiver.got:
                    promised = publisher in (self.numbers, self.bulk)
                    who = f"{receiver.name}, {publisher.oid}"
                    check_arrivals(who, publisher.sent, receiver.got[publisher.oid], everything=promised)
        check_arrivals("away/1", self.direct.sent, self.visitor.got)
        administrator = Administrator(self._broker)
        check_history("archive", self.archive.sent, administrator.history("archive"), HISTORY)
        for oid in self.eraser.kept:
            # A publish whose answer was lost is sent again, and there are two messages then.
            check_equal(f"the topic {oid}", {oid}, {each.text for each in administrator.history(oid)})
        for oid in self.eraser.erased:
            check_equal(f"the topic {oid}, erased", [], administrator.history(oid))
        check_equal("dead messages", [], [each.text for each in administrator.history("__sys__deadMessage")])
        check_equal("messages of away", 0, administrator.number("client/away/?subjectQueueNumMsgs", missing=0))
        subscriptions = sum(len(each.got) for each in self.receivers) + others
        check_equal("subscriptions", subscriptions, administrator.number("?numSubscriptions"))
        administrator.close()

    def leave(self) -> None:
        """All sessions end."""
        for each in self.receivers:
            each.leave()


class Administrator:
    """Asks the broker what it has."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._client = BlockingClient(*broker.address(), ConnectOptions("adm", "secret", callbacks=False))
        self._client.connect()

    def number(self, attribute: str, missing: int | None = None) -> int:
        """A number of ``__cmd:…``, or ``missing`` where what it belongs to is not known."""
        try:
            (answer,) = self._client.get(f"__cmd:{attribute}")
        except BrokerError:
            if missing is None:
                raise
            return missing
        return int(answer.text)

    def history(self, oid: str) -> list[Arrival]:
        """What a topic keeps, the newest first."""
        found = self._client.get(oid, options=SubscribeOptions(history=-1))
        return [Arrival(each.text.rstrip(), each.received) for each in found]

    def close(self) -> None:
        """Log out."""
        self._client.disconnect()
