"""A batch has the effect of its operations, with fewer writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
from hypothesis import given
from hypothesis.strategies import integers, sampled_from

from broker.model.records import (
    AuditRecord,
    DocumentRecord,
    EntryRecord,
    MessageRecord,
    Recovered,
    SubjectRecord,
    TopicRecord,
)
from broker.store.batch import Batch, ClearQueue, MoveQueue
from broker.store.packing import pack, unpack
from broker.store.tables import Tables
from tests.contract.records import EPOCH, RANK, entry, message, session, subscription
from tests.store.operations import COMMIT, QUEUES, Operation, operations


class Disk:
    """Applies batches literally, in the order that :mod:`broker.store.batch` documents."""

    def __init__(self) -> None:
        self.records: dict[str, dict[Any, Any]] = {
            name: {} for name in ("subjects", "sessions", "subscriptions", "topics")
        }
        self.messages: dict[int, MessageRecord] = {}
        self.entries: dict[tuple[int, int, int], EntryRecord] = {}
        self.handled: dict[int, int] = {}
        self.documents: dict[tuple[str, str, str], DocumentRecord] = {}
        self.audit: dict[int, AuditRecord] = {}
        self.heartbeat = 0
        self.last_id = 0

    def apply(self, batch: Batch) -> None:
        released = set(batch.released)
        for step in batch.steps:
            for settled in step.settled:
                self.entries.pop(settled[:3], None)
            for key, count in step.redelivered.items():
                if key in self.entries:
                    self.entries[key] = self.entries[key]._replace(redeliver=count)
            for key, number in step.numbered.items():
                if key in self.entries:
                    self.entries[key] = self.entries[key]._replace(number=number)
            for key, flags in step.flagged.items():
                if key in self.entries:
                    self.entries[key] = self.entries[key]._replace(flags=flags)
            match step.then:
                case ClearQueue(queue_id):
                    for gone in [row for row in self.entries.values() if row.queue_id == queue_id]:
                        del self.entries[gone[:3]]
                        released.add(gone.message_id)
                case MoveQueue(queue_id, target, flags_mask):
                    for moved in [row for row in self.entries.values() if row.queue_id == queue_id]:
                        del self.entries[moved[:3]]
                        changed = moved._replace(queue_id=target, flags=moved.flags & flags_mask)
                        self.entries[changed[:3]] = changed
        subscriptions = self.records["subscriptions"]
        for id in [id for id, row in subscriptions.items() if row[1] in batch.ended_sessions]:
            del subscriptions[id]
        for id in batch.ended_sessions:
            self.handled.pop(id, None)
        self.handled.update(batch.handled)
        self._apply_documents(batch)
        self.audit = {id: row for id, row in self.audit.items() if id > batch.forgotten} | batch.audit
        for name, table in self.records.items():
            for id, record in getattr(batch, name).items():
                table.pop(id, None)
                if record is not None:
                    table[id] = record
        self.messages.update(batch.messages)
        for queue in batch.entries.values():
            self.entries.update({row[:3]: row for row in queue.values()})
        for id in released - {row.message_id for row in self.entries.values()}:
            self.messages.pop(id, None)
        self.heartbeat = self.heartbeat if batch.heartbeat is None else batch.heartbeat
        self.last_id = batch.last_id

    def _apply_documents(self, batch: Batch) -> None:
        for key in [key for key, row in self.documents.items() if 0 < row.expires <= (batch.purge or 0)]:
            del self.documents[key]
        for key, record in batch.documents.items():
            self.documents.pop(key, None)
            if record is not None:
                self.documents[key] = record

    def recovered(self) -> Recovered:
        tables, messages = Tables(), dict(self.messages)
        for row in self.entries.values():
            tables.put_entry(row, messages.pop(row.message_id, None))
        tables.subjects, tables.sessions = self.records["subjects"], self.records["sessions"]
        tables.subscriptions, tables.topics = self.records["subscriptions"], self.records["topics"]
        tables.handled, tables.heartbeat, tables.last_id = self.handled, self.heartbeat, self.last_id
        return tables.recover()


def batch_of(*given: Operation) -> Batch:
    batch = Batch()
    for operation in given:
        getattr(batch, operation.name)(*operation.args)
    return batch


def play(given: list[Operation], commit: Callable[[Batch], None]) -> Tables:
    """Hand batches of operations to ``commit``; returns what the operations come to, one by one."""
    one_by_one, batch = Tables(), Batch()
    for operation in [*given, COMMIT]:
        if operation is COMMIT:
            commit(batch)
            batch = Batch(batch.last_id)
        else:
            getattr(one_by_one, operation.name)(*operation.args)
            getattr(batch, operation.name)(*operation.args)
    return one_by_one


def assert_same(disk: Disk, expected: Tables) -> None:
    assert sorted(disk.entries.values()) == sorted(expected.entries())
    assert disk.messages == expected.messages
    assert disk.documents == expected.documents
    assert disk.audit == expected.audit
    assert disk.recovered() == expected.recover()


@given(operations())
def test_applying_batches_equals_applying_operations_one_by_one(given: list[Operation]) -> None:
    disk = Disk()

    one_by_one = play(given, disk.apply)

    assert_same(disk, one_by_one)


@given(operations())
def test_merging_batches_equals_one_batch_of_all_their_operations(given: list[Operation]) -> None:
    disk, merged = Disk(), Batch()

    one_by_one = play(given, merged.merge)
    disk.apply(merged)

    assert_same(disk, one_by_one)
    assert merged.bytes == sum(len(row.content) + len(row.key) + len(row.qos) for row in merged.messages.values())


@given(operations(), integers(1, 5))
def test_merging_packed_batches_onto_what_is_on_disk_changes_nothing(given: list[Operation], at_once: int) -> None:
    disk, merged, count = Disk(), Batch(), 0

    def commit(batch: Batch) -> None:
        nonlocal merged, count
        merged.merge(unpack(pack(batch)))
        count += 1
        if count % at_once == 0:
            disk.apply(merged)
            merged = Batch(merged.last_id)

    one_by_one = play(given, commit)
    disk.apply(merged)

    assert_same(disk, one_by_one)


@given(operations())
def test_the_bytes_of_a_batch_are_those_of_the_messages_that_it_writes(given: list[Operation]) -> None:
    batch = batch_of(*(operation for operation in given if operation is not COMMIT))

    assert batch.bytes == sum(len(row.content) + len(row.key) + len(row.qos) for row in batch.messages.values())


@given(operations())
def test_a_batch_that_is_empty_changes_nothing(given: list[Operation]) -> None:
    batch = batch_of(*(operation for operation in given if operation is not COMMIT))
    disk = Disk()
    disk.apply(batch)

    if batch.is_empty:
        assert disk.recovered()._replace(last_id=0) == Tables().recover()


@given(operations(), sampled_from(QUEUES), integers(0, 20))
def test_what_a_batch_changes_of_no_entry_it_leaves_as_it_is(given: list[Operation], queue_id: int, after: int) -> None:
    disk = Disk()

    def later() -> list[tuple[EntryRecord, MessageRecord | None]]:
        rows = [row for row in disk.entries.values() if row.queue_id == queue_id and row.seq > EPOCH + after]
        return sorted((row, disk.messages.get(row.message_id)) for row in rows)

    def commit(batch: Batch) -> None:
        before = later()
        changes = batch.changes_entries(queue_id, EPOCH + after)
        disk.apply(batch)
        assert changes or later() == before

    play([each for operation in given for each in (operation, COMMIT)], commit)


def test_put_and_settle_leave_an_empty_batch() -> None:
    batch = batch_of(
        Operation("put_entry", (entry(7, 1, 1), message(1))),
        Operation("put_entry", (entry(8, 2, 1),)),
        Operation("settle", (7, RANK, EPOCH + 1, EPOCH + 1)),
        Operation("settle", (8, RANK, EPOCH + 2, EPOCH + 1)),
    )

    assert batch.is_empty
    assert batch.bytes == 0
    assert batch.last_id == EPOCH + 2


def test_settling_what_is_on_disk_is_one_step_for_any_number() -> None:
    batch = batch_of(*(Operation("settle", (7, RANK, seq, seq)) for seq in range(100)))

    (step,) = batch.steps
    assert len(step.settled) == 100
    assert len(batch.released) == 100


def test_of_many_changes_of_a_record_the_last_is_kept() -> None:
    batch = batch_of(*(Operation("put_session", (session(1, epoch=epoch),)) for epoch in range(5)))

    assert batch.sessions == {1: session(1, epoch=4)}


def test_a_message_that_is_put_again_counts_once() -> None:
    batch = batch_of(
        Operation("put_entry", (entry(7, 1, 1), message(1, content=bytes(100)))),
        Operation("put_entry", (entry(8, 2, 1), message(1, content=bytes(10)))),
    )

    assert batch.bytes == 10 + len(b"<key/>") + len(b"<qos/>")


def test_a_subscription_that_another_session_took_over_outlives_the_first() -> None:
    batch = batch_of(
        Operation("put_subscription", (subscription("s1", 1),)),
        Operation("put_subscription", (subscription("s1", 2),)),
        Operation("delete_session", (1,)),
    )

    assert batch.subscriptions == {"s1": subscription("s1", 2)}


WITHOUT_AUDIT = 14
"""Fields of a packed batch of the versions that had no audit."""


def test_a_batch_from_before_the_audit_is_read_with_subjects_without_limits() -> None:
    batch = Batch()
    batch.put_subject(SubjectRecord(1, "joe", 5, 6))
    batch.delete_subject(2)
    fields = list(msgpack.unpackb(pack(batch), use_list=False))[:WITHOUT_AUDIT]
    fields[0] = 4
    fields[5] = [(id, None if row is None else row[:2]) for id, row in fields[5]]

    found = unpack(msgpack.packb(fields))

    assert found.subjects == {1: SubjectRecord(1, "joe"), 2: None}
    assert not found.changes_audit


def test_a_batch_from_before_topics_had_owners_is_read_with_those_that_their_keys_name() -> None:
    batch = Batch()
    batch.put_topic(TopicRecord(1, "news", b"<key oid='news'><node owner='joe@localhost'/></key>", b""))
    batch.put_topic(TopicRecord(2, "plain", b"<key oid='plain'/>", b""))
    batch.delete_topic(3)
    fields = list(msgpack.unpackb(pack(batch), use_list=False))[:WITHOUT_AUDIT]
    fields[0] = 2
    fields[8] = [(id, None if row is None else row[:4]) for id, row in fields[8]]

    found = unpack(msgpack.packb(fields)).topics

    assert {id: record and record.owner for id, record in found.items()} == {1: "joe", 2: "", 3: None}
    assert {id: record and record.creator for id, record in found.items()} == {1: "joe", 2: "", 3: None}


def test_a_batch_from_before_topics_had_creators_is_read_with_their_owners() -> None:
    batch = Batch()
    batch.put_topic(TopicRecord(1, "news", b"<key/>", b"", "joe", "mary"))
    batch.delete_topic(2)
    fields = list(msgpack.unpackb(pack(batch), use_list=False))[:WITHOUT_AUDIT]
    fields[0] = 3
    fields[8] = [(id, None if row is None else row[:5]) for id, row in fields[8]]

    assert unpack(msgpack.packb(fields)).topics == {1: TopicRecord(1, "news", b"<key/>", b"", "joe", "joe"), 2: None}
