"""The queue of a receiver against a naive model: order, limits of memory, restarts (spec xmlblaster §10)."""

from __future__ import annotations

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock

from broker.core.message import Envelope, Message
from broker.core.queues import Entry, Queue, QueueLimits
from broker.model.key import Key
from broker.model.qos import PublishQos
from broker.model.records import ONEWAY, MessageRecord
from broker.store.memory import MemoryStore

QUEUE = 1
CACHE = 4


def revive(record: MessageRecord) -> Message:
    priority = int(record.qos)
    qos = PublishQos(priority=priority, persistent=True)
    return Message(record.id, Envelope(Key(record.oid), qos, record.key, record.qos), record.content)


class QueueModel(RuleBasedStateMachine):
    """Whatever is done to a queue, it hands out what the model expects, and the store holds what it has to."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.numbers = count(1)
        self.queue = self.new_queue()
        self.expected: list[
            tuple[int, int, int, bool]
        ] = []  # (rank, order, message id, durable), as it is to be handed out
        self.taken: list[Entry] = []
        self.order = 0

    def new_queue(self) -> Queue:
        limits = QueueLimits(cache_entries=CACHE)
        return Queue(QUEUE, limits, self.store, lambda: next(self.numbers), revive)

    def loaded(self) -> None:
        self.queue.load()
        for _ in range(3):
            self.clock.advance(0)

    @rule(priority=st.sampled_from([1, 5, 9]), durable=st.booleans(), oneway=st.booleans())
    def put(self, priority: int, durable: bool, oneway: bool) -> None:
        qos = PublishQos(priority=priority, persistent=durable)
        envelope = Envelope(Key("a"), qos, b"<key oid='a'/>", str(priority).encode())
        message = Message(next(self.numbers), envelope, b"x")
        self.queue.put(message, "", ONEWAY if oneway else 0, durable)
        self.order += 1
        self.expected.append((9 - priority, self.order, message.id, durable))

    @precondition(lambda self: not self.taken)
    @rule(most=st.integers(1, 6))
    def take(self, most: int) -> None:
        self.loaded()
        self.taken = self.queue.take(most, -1)
        waiting = sorted(self.expected)
        assert [entry.message.id for entry in self.taken] == [each[2] for each in waiting[: len(self.taken)]]
        assert bool(self.taken) == bool(waiting)
        assert len({(entry.rank, entry.flags & ONEWAY) for entry in self.taken}) <= 1

    @precondition(lambda self: self.taken)
    @rule()
    def settle(self) -> None:
        gone = {entry.message.id for entry in self.taken}
        self.expected = [each for each in self.expected if each[2] not in gone]
        self.queue.settle(self.taken)
        self.taken = []

    @precondition(lambda self: self.taken)
    @rule(failed=st.booleans())
    def put_back(self, failed: bool) -> None:
        self.queue.put_back(self.taken, failed=failed)
        self.taken = []

    @rule()
    def crash(self) -> None:
        """Transient entries are lost, also those that were on disk for want of memory."""
        self.store.commit()
        self.taken = []
        recovered: list[object] = []
        self.store.recover().addCallback(recovered.append)
        self.clock.advance(0)
        self.queue = self.new_queue()
        for depth in recovered[0].depths:  # type: ignore[attr-defined]
            self.queue.restore(depth.rank, depth.entries, depth.bytes)
        self.expected = [each for each in self.expected if each[3]]

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == len(self.expected)
        assert (self.queue.bytes == 0) == (not self.expected)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.queue.in_memory <= max(CACHE, 1000)

    def teardown(self) -> None:
        """Nothing stays in the store when all is settled."""
        if self.taken:
            self.queue.settle(self.taken)
        while len(self.queue):
            self.loaded()
            self.queue.settle(self.queue.take(-1, -1))
        self.store.commit()
        assert not list(self.store.tables.entries())
        assert not self.store.tables.messages


TestQueueModel = QueueModel.TestCase
TestQueueModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_entries_above_the_cache_are_on_disk_only() -> None:
    clock = Clock()
    store = MemoryStore(clock)
    numbers = count(1)
    queue = Queue(QUEUE, QueueLimits(entries=10**6, cache_entries=10), store, lambda: next(numbers), revive)
    envelope = Envelope(Key("a"), PublishQos(), b"<key oid='a'/>", b"5")
    for _ in range(100):
        queue.put(Message(next(numbers), envelope, b"x"), "")
    store.commit()
    assert queue.in_memory == 10
    assert len(list(store.tables.entries())) == 90


def test_bytes_bound_the_cache_too() -> None:
    clock = Clock()
    store = MemoryStore(clock)
    numbers = count(1)
    queue = Queue(QUEUE, QueueLimits(cache_bytes=1000), store, lambda: next(numbers), revive)
    envelope = Envelope(Key("a"), PublishQos(), b"<key oid='a'/>", b"5")
    for _ in range(10):
        queue.put(Message(next(numbers), envelope, b"x" * 300), "")
    assert queue.in_memory == 2
