"""Several receivers of the same messages against a naive model: whatever one of them does, each gets its own."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.core.waiting import Pending
from broker.errors import BrokerError
from broker.model.qos import Overflow, QueueQos
from tests.core.world import Client, World

MOST = 8
REACTIONS = {
    "joe/1": Overflow.DEAD_MESSAGE,
    "ann/1": Overflow.DISCARD,
    "bob/1": Overflow.DISCARD_OLDEST,
    "kim/1": Overflow.DISCARD_OLDEST,
    "pat/1": Overflow.EXCEPTION,
}


class Sent(NamedTuple):
    """A message as the model knows it."""

    content: bytes
    persistent: bool
    expires: float
    force: bool

    def is_there(self, now: float) -> bool:
        """In a history."""
        return not self.expires or now < self.expires

    def is_due(self, now: float) -> bool:
        """In a queue."""
        return not self.force or self.is_there(now)


class SharedMessages(RuleBasedStateMachine):
    """One topic, its history, and receivers with small caches that are there or not."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(Settings(history=QueueLimits(entries=5, cache_entries=2)))
        self.number = 0
        self.history: list[Sent] = []
        self.queues: dict[str, list[Sent]] = {name: [] for name in REACTIONS}
        self.clients: dict[str, Client] = {}
        for name in REACTIONS:
            self.log_in(name).subscribe("a", "<qos><persistent/><history numEntries='0'/></qos>")
        self.sender = self.world.client("pub/1")

    def log_in(self, name: str) -> Client:
        queue = QueueQos("callback", max_entries=MOST, max_entries_cache=2, on_overflow=REACTIONS[name])
        session = self.world.connect(name, persistent=True, queue=queue).session
        session.dispatch.active = False
        client = self.world.client(name, persistent=True, queue=queue)
        self.clients[name] = client
        return client

    @property
    def now(self) -> float:
        return self.world.clock.seconds()

    def drop_expired(self) -> None:
        now = self.now
        self.history = [each for each in self.history if each.is_there(now)]
        self.queues = {name: [each for each in queue if each.is_due(now)] for name, queue in self.queues.items()}

    @rule(persistent=st.booleans(), life=st.sampled_from([0, 0, 0, 5, 50]), force=st.booleans())
    def publish(self, persistent: bool, life: int, force: bool) -> None:
        self.number += 1
        self.world.advance(1.5)  # so that what is on disk may be looked for again
        self.drop_expired()
        sent = Sent(b"%d" % self.number, persistent, self.now + life if life else 0, force and life > 0)
        expiration = f"<expiration lifeTime='{life * 1000}' forceDestroy='{str(sent.force).lower()}'/>" if life else ""
        qos = f"<qos>{'<persistent/>' if persistent else ''}{expiration}</qos>"
        refused = len(self.queues["pat/1"]) >= MOST
        try:
            self.publish_patiently(sent.content, qos)
        except BrokerError:
            assert refused
            return
        assert not refused
        self.history = [*self.history, sent][-5:]
        for name, queue in self.queues.items():
            if len(queue) < MOST:
                queue.append(sent)
            elif REACTIONS[name] is Overflow.DISCARD_OLDEST:
                self.queues[name] = [*queue[1:], sent]

    def publish_patiently(self, content: bytes, qos: str) -> None:
        for _ in range(20):
            pending = self.sender.publish("a", content, qos)
            if not isinstance(pending, Pending):
                return
            ready: list[object] = []
            pending.wait().addBoth(ready.append)
            self.world.turn()
            assert ready == [None]
        raise AssertionError("it waits for ever")

    @rule(name=st.sampled_from(sorted(REACTIONS)))
    def deliver(self, name: str) -> None:
        client = self.clients[name]
        before = len(client.contents)
        self.drop_expired()
        client.session.dispatch.active = True
        self.world.turn(60)
        client.session.dispatch.active = False
        assert client.contents[before:] == [each.content for each in self.queues[name]]
        self.queues[name] = []

    @rule(name=st.sampled_from(sorted(REACTIONS)))
    def deliver_the_history(self, name: str) -> None:
        """Entries of one message are in several places, some on disk only."""
        self.world.advance(1.5)  # so that what is on disk may be looked for again
        self.drop_expired()
        if len(self.queues[name]) + len(self.history) > MOST:
            return
        once_more = "<multiSubscribe>false</multiSubscribe><history numEntries='-1' newestFirst='false'/>"
        self.clients[name].subscribe("a", f"<qos>{once_more}</qos>")
        self.queues[name] += self.history
        self.deliver(name)

    @rule()
    def get(self) -> None:
        self.drop_expired()
        found = self.sender.get("a", "<qos><history numEntries='-1'/></qos>")
        assert found == [each.content for each in reversed(self.history)]

    @rule(seconds=st.sampled_from([3, 20, 70]))
    def wait(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule()
    def restart(self) -> None:
        """What is not persistent is lost, wherever it was."""
        self.world.advance(1)
        self.drop_expired()
        self.world = self.world.crash()
        self.history = [each for each in self.history if each.persistent]
        self.queues = {name: [each for each in queue if each.persistent] for name, queue in self.queues.items()}
        for name in REACTIONS:
            self.log_in(name)
        self.sender = self.world.client("pub/1")

    @invariant()
    def limits_hold(self) -> None:
        assert all(len(client.session.queue) <= MOST for client in self.clients.values())

    @invariant()
    def every_entry_has_its_message(self) -> None:
        self.world.store.commit()
        tables = self.world.store.tables
        held = {entry.message_id for entry in tables.entries()}
        assert held == set(tables.messages)


TestSharedMessages = SharedMessages.TestCase
TestSharedMessages.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
