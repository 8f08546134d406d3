"""Batches as bytes, for the journal (design D4)."""

from __future__ import annotations

import re
from typing import Any

import msgpack

from broker.errors import BrokerError, Code
from broker.model.records import (
    AuditRecord,
    DocumentRecord,
    EntryRecord,
    MessageRecord,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
)
from broker.store.batch import Batch, ClearQueue, MoveQueue, Step
from broker.store.limits import MAX_INTEGER
from broker.store.rows import HIGHEST_ID, checked

VERSION = 5
"""Of the format; a record that gets another field needs another one, and a way to read the old."""

_WITHOUT_OWNERS = 2
"""The version whose topics had their owner, if any, in the meta data of the key."""
_WITHOUT_CREATORS = 3
"""The version whose topics counted for their owner, if for anybody."""
_WITHOUT_AUDIT = 4
"""The version that had no rows of the audit, and whose subjects had neither block nor limit."""
_READ = (_WITHOUT_OWNERS, _WITHOUT_CREATORS, _WITHOUT_AUDIT, VERSION)
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
            list(batch.audit.items()),
            batch.forgotten,
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
    except Exception as error:  # one batch that is none must not keep the broker from starting, whatever it holds
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"The journal cannot be read: {error}", "/store") from error


def _unpacked(fields: Any) -> Batch:
    if not isinstance(fields, tuple) or not fields or fields[0] not in _READ:
        raise ValueError("it was written by another version of this program")
    (version, last_id, heartbeat, steps, ended, subjects, sessions, subscriptions, topics, handled, purge, *rest) = (
        fields
    )
    if version < VERSION:
        rest = [*rest, (), 0]
        subjects = [(id, None if row is None else (*row, 0, 0)) for id, row in subjects]
    documents, messages, entries, audit, forgotten = rest
    batch = Batch()
    for settled, redelivered, numbered, flagged, then in steps:
        for each in settled:
            batch.settle(*_numbers(each, 4))
        for key, count in redelivered:
            batch.set_redeliver(*_numbers((*key, count), 4))
        for key, number in numbered:
            batch.set_number(*_numbers((*key, number), 4))
        for key, flags in flagged:
            batch.set_flags(*_numbers((*key, flags), 4))
        match then:
            case (kind, queue_id) if kind == _CLEAR:
                batch.settle_all(*_numbers((queue_id,), 1))
            case (kind, queue_id, target, flags_mask) if kind == _MOVE:
                batch.move_all(*_numbers((queue_id, target, flags_mask), 3))
            case ():
                pass
            case _:
                raise ValueError("it does something unknown to a queue")
    for id in _numbers(ended, len(ended)):
        batch.delete_session(id)
    batch.subjects.update(_records(SubjectRecord, subjects))
    batch.sessions.update(_records(SessionRecord, sessions))
    for id, record in _records(SubscriptionRecord, subscriptions):
        batch.delete_subscription(id) if record is None else batch.put_subscription(record)
    if version == _WITHOUT_OWNERS:
        topics = [(id, None if row is None else (*row, _owner_of(row[2]))) for id, row in topics]
    if version < _WITHOUT_AUDIT:
        topics = [(id, None if row is None else (*row, row[-1])) for id, row in topics]
    batch.topics.update(_records(TopicRecord, topics))
    for session_id, count in handled:
        batch.put_handled(*_numbers((session_id, count), 2))
    batch.purge = None if purge is None else _numbers((purge,), 1)[0]
    batch.documents.update(_records(DocumentRecord, documents))
    records = {row[0]: checked(MessageRecord, row) for row in messages}
    for row in entries:
        entry = checked(EntryRecord, row)
        batch.put_entry(entry, records.pop(entry.message_id, None))
    batch.audit.update(_records(AuditRecord, audit))
    (batch.forgotten,) = _numbers((forgotten,), 1)
    batch.heartbeat = None if heartbeat is None else _numbers((heartbeat,), 1)[0]
    (batch.last_id,) = _numbers((last_id,), 1)
    if batch.last_id > HIGHEST_ID:
        raise ValueError("its highest id is out of range")
    return batch


def _numbers(values: Any, count: int) -> tuple[int, ...]:
    """That many numbers, each of which a column has room for."""
    if len(values) != count or not all(type(each) is int and -MAX_INTEGER <= each <= MAX_INTEGER for each in values):
        raise ValueError("a number is none")
    return tuple(values)


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
    found = [(key, None if row is None else checked(kind, row)) for key, row in items]
    for key, record in found:
        _check_key(kind, key, record)
    return found


def _check_key(kind: Any, key: Any, record: Any) -> None:
    """A key is the first field of its record, of a document the first three."""
    wanted = (str, str, str) if kind is DocumentRecord else (str,) if kind is SubscriptionRecord else (int,)
    parts = key if kind is DocumentRecord else (key,)
    if tuple(map(type, parts)) != wanted or (record is not None and record[: len(wanted)] != parts):
        raise ValueError("a key is not that of its record")
