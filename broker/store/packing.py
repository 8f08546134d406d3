"""Batches as bytes, for the journal (design D4)."""

from __future__ import annotations

import re
from typing import Any

import msgpack

from broker.errors import BrokerError, Code
from broker.model.records import (
    DocumentRecord,
    EntryRecord,
    MessageRecord,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
)
from broker.store.batch import Batch, ClearQueue, MoveQueue, Step

VERSION = 3
"""Of the format; a record that gets another field needs another one, and a way to read the old."""

_WITHOUT_OWNERS = 2
"""The version whose topics had their owner, if any, in the meta data of the key."""
_OWNER = re.compile(rb"<key\b[^>]*><node owner=['\"]([^'\"@]+)@")

_CLEAR, _MOVE = 1, 2


def pack(batch: Batch) -> bytes:
    """Write a batch that is closed."""
    packed: bytes = msgpack.packb(
        (
            VERSION,
            batch.last_id,
            batch.heartbeat,
            [_packed_step(step) for step in batch.steps],
            list(batch.ended_sessions),
            list(batch.subjects.items()),
            list(batch.sessions.items()),
            list(batch.subscriptions.items()),
            list(batch.topics.items()),
            list(batch.handled.items()),
            batch.purge,
            list(batch.documents.items()),
            list(batch.messages.values()),
            [entry for queue in batch.entries.values() for entry in queue.values()],
        )
    )
    return packed


def unpack(data: bytes) -> Batch:
    """Read a batch, to be merged into another one.

    Raises:
        BrokerError: ``resource.db.unknown`` where the data are not those of a batch.
    """
    try:
        return _unpacked(msgpack.unpackb(data, use_list=False, strict_map_key=False))
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"The journal can not be read: {error}", "/store") from error


def _unpacked(fields: Any) -> Batch:
    if not isinstance(fields, tuple) or not fields or fields[0] not in (VERSION, _WITHOUT_OWNERS):
        raise ValueError("it was written by another version of this program")
    (version, last_id, heartbeat, steps, ended, subjects, sessions, subscriptions, topics, handled, purge, *rest) = (
        fields
    )
    documents, messages, entries = rest
    batch = Batch()
    for settled, redelivered, numbered, flagged, then in steps:
        for each in settled:
            batch.settle(*each)
        for key, count in redelivered:
            batch.set_redeliver(key[0], key[1], key[2], count)
        for key, number in numbered:
            batch.set_number(key[0], key[1], key[2], number)
        for key, flags in flagged:
            batch.set_flags(key[0], key[1], key[2], flags)
        match then:
            case (kind, queue_id) if kind == _CLEAR:
                batch.settle_all(queue_id)
            case (kind, queue_id, target, flags_mask) if kind == _MOVE:
                batch.move_all(queue_id, target, flags_mask)
    for id in ended:
        batch.delete_session(id)
    batch.subjects.update(_records(SubjectRecord, subjects))
    batch.sessions.update(_records(SessionRecord, sessions))
    for id, record in _records(SubscriptionRecord, subscriptions):
        batch.delete_subscription(id) if record is None else batch.put_subscription(record)
    if version == _WITHOUT_OWNERS:
        topics = [(id, None if row is None else (*row, _owner_of(row[2]))) for id, row in topics]
    batch.topics.update(_records(TopicRecord, topics))
    batch.handled.update(handled)
    batch.purge = purge
    batch.documents.update(_records(DocumentRecord, documents))
    records = {row[0]: MessageRecord._make(row) for row in messages}
    for row in entries:
        entry = EntryRecord._make(row)
        batch.put_entry(entry, records.pop(entry.message_id, None))
    batch.heartbeat = heartbeat
    batch.last_id = last_id
    return batch


def _packed_step(step: Step) -> tuple[Any, ...]:
    then = step.then
    match then:
        case ClearQueue():
            packed: tuple[int, ...] = (_CLEAR, *then)
        case MoveQueue():
            packed = (_MOVE, *then)
        case None:
            packed = ()
    changed = (list(each.items()) for each in (step.redelivered, step.numbered, step.flagged))
    return step.settled, *changed, packed


def _owner_of(key: bytes) -> str:
    found = _OWNER.search(key)
    return found[1].decode("utf-8", "replace") if found else ""


def _records(kind: Any, items: Any) -> list[tuple[Any, Any]]:
    return [(key, None if row is None else kind._make(row)) for key, row in items]
