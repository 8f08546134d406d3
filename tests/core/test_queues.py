"""The queue of a receiver against a naive model: order, limits of memory, restarts (spec xmlblaster §10)."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock

from broker.core.cached_entries import CACHE_SHARE
from broker.core.codec import Encoded
from broker.core.entries import ENTRY_OVERHEAD, CacheBudget, Entry, QueueLimits
from broker.core.message import Envelope, Message
from broker.core.queues import Queue
from broker.model.key import Key
from broker.model.qos import PublishQos
from broker.model.records import ONEWAY, MessageRecord, Recovered
from broker.native.codec.records import RecordCodec
from broker.store.memory import MemoryStore

QUEUE = 1
CACHE = 4


def revive(record: MessageRecord) -> Message:
    priority = int(record.qos)
    qos = PublishQos(priority=priority, persistent=True)
    envelope = Envelope(Key(record.oid), qos, RecordCodec(), Encoded(record.key, record.qos))
    return Message(record.id, envelope, record.content)


class Expected(NamedTuple):
    """An entry as the model knows it; the order of fields is the order of delivery."""

    rank: int
    order: int
    message: int
    durable: bool
    failures: int


class QueueModel(RuleBasedStateMachine):
    """Whatever is done to a queue, it hands out what the model expects, and the store holds what it has to."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.store.held = True
        self.numbers = count(1)
        self.queue = self.new_queue()
        self.expected: list[Expected] = []
        self.committed: list[Expected] = []
        self.taken: list[Entry] = []

    def new_queue(self) -> Queue:
        limits = QueueLimits(cache_entries=CACHE)
        return Queue(QUEUE, limits, self.store, lambda: next(self.numbers), revive)

    def loaded(self) -> None:
        self.queue.load()
        self.commit()

    @rule()
    def commit(self) -> None:
        self.store.commit()
        self.committed = [each for each in self.expected if each.durable]

    @rule(priority=st.sampled_from([1, 5, 9]), durable=st.booleans(), oneway=st.booleans())
    def put(self, priority: int, durable: bool, oneway: bool) -> None:
        qos = PublishQos(priority=priority, persistent=durable)
        envelope = Envelope(Key("a"), qos, RecordCodec(), Encoded(b"<key oid='a'/>", str(priority).encode()))
        message = Message(next(self.numbers), envelope, b"x")
        self.queue.put(message, "", ONEWAY if oneway else 0, durable)
        self.expected.append(Expected(9 - priority, message.id, message.id, durable, 0))

    @precondition(lambda self: len(self.taken) == len(self.expected))
    @rule(priority=st.sampled_from([1, 5, 9]), durable=st.booleans(), number=st.integers(0, 3))
    def put_taken(self, priority: int, durable: bool, number: int) -> None:
        """What passes the queue by counts like what was taken from it."""
        qos = PublishQos(priority=priority, persistent=durable)
        envelope = Envelope(Key("a"), qos, RecordCodec(), Encoded(b"<key oid='a'/>", str(priority).encode()))
        message = Message(next(self.numbers), envelope, b"x")
        had_room = self.queue.in_memory < CACHE
        entry = self.queue.put_taken(message, "", 0, durable, None, number)
        assert (entry is not None) == had_room
        if entry is not None:
            assert (entry.message, entry.number) == (message, number)
            self.expected.append(Expected(9 - priority, message.id, message.id, durable, 0))
            self.taken.append(entry)

    @precondition(lambda self: not self.taken)
    @rule(most=st.integers(1, 6))
    def take(self, most: int) -> None:
        self.loaded()
        self.taken = self.queue.take(most, -1)
        waiting = sorted(self.expected)
        assert [(entry.message.id, entry.redeliver) for entry in self.taken] == [
            (each.message, each.failures) for each in waiting[: len(self.taken)]
        ]
        assert bool(self.taken) == bool(waiting)
        assert len({(entry.rank, entry.flags & ONEWAY) for entry in self.taken}) <= 1

    @precondition(lambda self: self.taken)
    @rule()
    def settle(self) -> None:
        self.without({entry.message.id for entry in self.taken})
        self.queue.settle(self.taken)
        self.taken = []

    @precondition(lambda self: self.taken)
    @rule(failed=st.booleans())
    def put_back(self, failed: bool) -> None:
        self.queue.put_back(self.taken, failed=failed)
        back = {entry.message.id for entry in self.taken}
        self.expected = [
            each._replace(failures=each.failures + failed) if each.message in back else each for each in self.expected
        ]
        self.taken = []

    @rule(limit=st.integers(1, 12), size=st.integers(1, 3))
    def discard_oldest(self, limit: int, size: int) -> None:
        """Whatever is on disk only, the oldest of the lowest priority make room, and as many as it takes."""
        one = 1 + ENTRY_OVERHEAD
        self.queue.limits = QueueLimits(entries=limit, bytes=(limit + 1) * one, cache_entries=CACHE)
        if self.queue.is_full:
            while not self.queue.can_discard_oldest(size * one - ENTRY_OVERHEAD):
                reading = self.queue.read_oldest()
                if reading is None:  # all others are being delivered
                    break
                self.commit()
                assert reading.called
            self.queue.discard_oldest(size * one - ENTRY_OVERHEAD)
            taken = {entry.message.id for entry in self.taken}
            others = [each for each in self.expected if each.message not in taken]
            others.sort(key=lambda each: (-each.rank, each.order))
            surplus = max(len(self.expected) + 1 - limit, len(self.expected) + size - (limit + 1))
            self.without({each.message for each in others[:surplus]})
        self.queue.limits = QueueLimits(cache_entries=CACHE)

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """An entry goes while it is on disk, even if it is just being read."""
        known = {each.message for each in self.expected}
        rows = sorted(row for row in self.store.tables.entries() if row.message_id in known)
        if rows:
            row = data.draw(st.sampled_from(rows))
            before = len(self.queue)
            self.queue.settle_swapped(row)
            if len(self.queue) < before:
                self.without({row.message_id})

    @rule(committed=st.booleans())
    def crash(self, committed: bool) -> None:
        """What is transient is lost, also what was on disk for want of memory; so is what was not committed."""
        if committed:
            self.commit()
        self.store.crash()
        self.taken = []
        recovered: list[Recovered] = []
        self.store.recover().addCallback(recovered.append)
        self.store.commit()
        self.queue = self.new_queue()
        for depth in recovered[0].depths:
            self.queue.restore(depth.rank, depth.entries, depth.bytes)
        self.expected = list(self.committed)

    def without(self, gone: set[int]) -> None:
        self.expected = [each for each in self.expected if each.message not in gone]

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == len(self.expected)
        assert self.queue.durable == len([each for each in self.expected if each.durable])
        assert self.queue.bytes == len(self.expected) * (1 + ENTRY_OVERHEAD)

    @invariant()
    def memory_is_bounded(self) -> None:
        """Each priority may have a few beyond the limit, so that none gets stuck behind the others."""
        beyond = 3 * (1 + CACHE // CACHE_SHARE)
        assert self.queue.in_memory <= CACHE + beyond + len(self.taken)

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


TestQueueModel = pytest.mark.slow(QueueModel.TestCase)
TestQueueModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_the_number_of_what_passes_the_queue_by_is_in_the_store() -> None:
    clock = Clock()
    store = MemoryStore(clock)
    queue = Queue(QUEUE, QueueLimits(), store, lambda: 7, revive)
    envelope = Envelope(Key("a"), PublishQos(persistent=True), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))

    queue.put_taken(Message(1, envelope, b"x"), "", 0, True, None, 12)
    store.commit()

    assert [row.number for row in store.tables.entries()] == [12]


def test_nothing_passes_by_who_waits_for_an_arrival() -> None:
    queue = Queue(QUEUE, QueueLimits(), MemoryStore(Clock()), lambda: 7, revive)
    envelope = Envelope(Key("a"), PublishQos(), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    told: list[int] = []
    queue.arrival().addCallback(lambda _: told.append(len(queue)))

    assert queue.put_taken(Message(1, envelope, b"x"), "", 0, False, None, 0) is None
    queue.put(Message(1, envelope, b"x"), "")

    assert told == [1]


def test_entries_above_the_cache_are_on_disk_only() -> None:
    clock = Clock()
    store = MemoryStore(clock)
    numbers = count(1)
    queue = Queue(QUEUE, QueueLimits(entries=10**6, cache_entries=10), store, lambda: next(numbers), revive)
    envelope = Envelope(Key("a"), PublishQos(), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
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
    envelope = Envelope(Key("a"), PublishQos(), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    for _ in range(10):
        queue.put(Message(next(numbers), envelope, b"x" * 300), "")
    assert queue.in_memory == 2


def test_all_queues_together_are_bounded() -> None:
    """Given a queue that has used the memory up, when another one fills, it goes to disk until there is room again."""
    clock = Clock()
    store = MemoryStore(clock)
    numbers = count(1)
    budget = CacheBudget(1000)
    limits = QueueLimits(cache_bytes=10_000)
    one, other = (Queue(id, limits, store, lambda: next(numbers), revive, budget) for id in (QUEUE, QUEUE + 1))
    envelope = Envelope(Key("a"), PublishQos(), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    for _ in range(3):
        one.put(Message(next(numbers), envelope, b"x" * 300), "")
    other.put(Message(next(numbers), envelope, b"x" * 300), "")
    assert (one.in_memory, other.in_memory) == (3, 0)

    one.settle(one.take(-1, -1))
    one.put(Message(next(numbers), envelope, b"x" * 300), "")
    store.commit()
    ready: list[int] = []
    other.on_ready = lambda: ready.append(other.in_memory)
    assert other.take(1, -1) == []
    store.commit()

    assert (one.in_memory, ready) == (1, [1])
    assert budget.used == 1000
    one.abandon()
    other.abandon()
    assert budget.used == 0


def test_large_entries_come_back_one_by_one() -> None:
    """Given entries of which one fills the cache, when they are read back, then one at a time is."""
    clock = Clock()
    store = MemoryStore(clock)
    numbers = count(1)
    queue = Queue(QUEUE, QueueLimits(cache_bytes=1000), store, lambda: next(numbers), revive)
    envelope = Envelope(Key("a"), PublishQos(), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    for _ in range(10):
        queue.put(Message(next(numbers), envelope, b"x" * 2000), "")
    assert queue.in_memory == 0
    queue.load()
    store.commit()
    assert queue.in_memory == 1


def test_message_that_cannot_be_read_stops_no_other_and_stays_on_disk() -> None:
    clock = Clock()
    store = MemoryStore(clock)
    numbers = count(1)
    queue = Queue(QUEUE, QueueLimits(cache_entries=0), store, lambda: next(numbers), unreadable)
    envelope = Envelope(Key("a"), PublishQos(persistent=True), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    for content in (b"broken", b"fine"):
        queue.put(Message(next(numbers), envelope, content), "", durable=True)
    delivered = []
    while len(queue):
        queue.load()
        store.commit()
        entries = queue.take(-1, -1)
        delivered += [entry.message.content for entry in entries]
        queue.settle(entries)
    store.commit()
    assert delivered == [b"fine"]
    assert [message.content for message in store.tables.messages.values()] == [b"broken"]
    assert queue.bytes == queue.durable == 0


def unreadable(record: MessageRecord) -> Message | None:
    return None if record.content.startswith(b"broken") else revive(record)


def test_messages_behind_a_whole_read_of_unreadable_ones_are_delivered() -> None:
    clock = Clock()
    store = MemoryStore(clock)
    numbers = count(1)
    queue = Queue(QUEUE, QueueLimits(cache_entries=0), store, lambda: next(numbers), unreadable)
    envelope = Envelope(Key("a"), PublishQos(persistent=True), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    for content in (b"broken 1", b"broken 2", b"fine"):
        queue.put(Message(next(numbers), envelope, content), "", durable=True)
    queue.load()  # one entry at a time, as nothing fits into memory
    for _ in range(3):
        store.commit()
    assert [entry.message.content for entry in queue.take(-1, -1)] == [b"fine"]


def test_who_waits_for_room_may_be_called_off_by_another() -> None:
    queue = Queue(QUEUE, QueueLimits(entries=1), MemoryStore(Clock()), count(1).__next__, revive)
    envelope = Envelope(Key("a"), PublishQos(), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    queue.put(Message(1, envelope, b"x"), "")
    first, second = queue.room(), queue.room()
    called_off: list[object] = []
    second.addErrback(called_off.append)
    first.addCallback(lambda _: second.cancel())
    queue.settle(queue.take(1, -1))
    assert first.called
    assert len(called_off) == 1


def test_entry_that_expires_while_it_is_being_read_is_counted_once() -> None:
    store = MemoryStore(Clock())
    queue = Queue(QUEUE, QueueLimits(cache_entries=0), store, count(1).__next__, revive)
    envelope = Envelope(Key("a"), PublishQos(), RecordCodec(), Encoded(b"<key oid='a'/>", b"5"))
    for number in (1, 2):
        queue.put(Message(number, envelope, b"x"), "")
    store.commit()
    (first, _) = sorted(store.tables.entries())
    queue.load()
    queue.settle_swapped(first)
    store.commit()
    assert [entry.message.id for entry in queue.take(1, -1)] == [1]
    assert len(queue) == 2
