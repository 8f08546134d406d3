"""Rows of a database, checked before they are records.

SQLite keeps any type in any column, a disk may flip bits, and people use editors. What is no record must neither keep
others from being read nor get into memory, where it would fail later, or be written back as something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

from broker.errors import BrokerError, Code
from broker.model.records import (
    AccountRecord,
    AuditRecord,
    DocumentRecord,
    EntryRecord,
    ExpiredRecord,
    MessageRecord,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
    Unreadable,
    UnreadableMessage,
)
from broker.store import limits

R = TypeVar("R")

HIGHEST_ID = 2**62
"""Ids are nanoseconds since 1970: one above this is of the year 2116, and those after it would have no room."""
MAX_ENTRY_BYTES = 2**40
"""Size of an entry in its queue: more than any content has."""
MAX_REDELIVERED = 2**31 - 2
"""Of failed deliveries, so that there is room for one more."""
_MOST_SHOWN = 128

_new = tuple.__new__


class HandledRow(NamedTuple):
    """How many stanzas of a session's client are handled."""

    session_id: int
    handled: int


class NumberRow(NamedTuple):
    """A number by name."""

    name: str
    value: int


def _check_session(record: SessionRecord) -> None:
    limits.check_session(record)
    if not 0 <= record.epoch < HIGHEST_ID or abs(record.public_id) >= HIGHEST_ID:
        raise ValueError("its epoch or its number is out of range")


def _check_copy(record: EntryRecord) -> None:
    _check_entry(record, None)


def _check_handled(record: HandledRow) -> None:
    if not 0 <= record.handled < HIGHEST_ID:
        raise ValueError("it is out of range")


def _check_number(record: NumberRow) -> None:
    if not 0 <= record.value < HIGHEST_ID:
        raise ValueError("it is out of range")


_KINDS: dict[Any, tuple[str, int, Callable[[Any], None]]] = {
    SubjectRecord: ("subject", 2, limits.check_subject),
    SessionRecord: ("session", 3, _check_session),
    SubscriptionRecord: ("subscription", 1, limits.check_subscription),
    TopicRecord: ("topic", 2, limits.check_topic),
    EntryRecord: ("entry", 3, _check_copy),
    DocumentRecord: ("document", 3, limits.check_document),
    AccountRecord: ("account", 1, limits.check_account),
    AuditRecord: ("audit", 1, limits.check_audit),
    HandledRow: ("handled", 1, _check_handled),
    NumberRow: ("number", 1, _check_number),
}
"""What a record is called, how many of its fields name it, and what more it must be."""


def records(make: type[R], rows: Iterable[Sequence[Any]], tell: Callable[[Unreadable], object]) -> Iterator[R]:
    """The records among rows.

    Args:
        make: their class.
        rows: with a value for each of its fields.
        tell: told what is none.
    """
    kind, keys, _ = _KINDS[make]
    for row in rows:
        try:
            record = checked(make, row)
        except (BrokerError, ValueError) as error:
            tell(Unreadable(kind, key_of(row[:keys]), _reason(error)))
        else:
            yield record


def key_of(values: Iterable[object]) -> str:
    """How a row is named for people, by the values of its key."""
    return "/".join(map(_shown, values))


def account_of(name: str, found: Sequence[AccountRecord], unreadable: Sequence[Unreadable]) -> AccountRecord | None:
    """The account of a name, where there is one.

    Args:
        name: that was asked for.
        found: the account, or none.
        unreadable: its row, where that is none.

    Raises:
        BrokerError: ``resource.db.unknown`` where it cannot be read.
    """
    if unreadable:
        reason = f"The account '{name}' cannot be read: {unreadable[0].reason}; remove it, and add it anew"
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, reason, "/store")
    return found[0] if found else None


def pair(entry: Sequence[Any], message: Sequence[Any]) -> tuple[EntryRecord, MessageRecord] | None:
    """An entry and its message, as they were read.

    Returns:
        Where one of them is no record, an entry that only has its place in the queue, with an
        :class:`UnreadableMessage`; ``None`` where not even the place is known.
    """
    try:
        if tuple(map(type, entry)) != _ENTRY_TYPES:
            _check_types(EntryRecord, entry)
        if tuple(map(type, message)) != _MESSAGE_TYPES:
            _check_types(MessageRecord, message)
        row, record = _new(EntryRecord, entry), _new(MessageRecord, message)
        _check_entry(row, record)
        return row, record
    except (BrokerError, ValueError) as error:
        queue_id, rank, seq, message_id, _, flags, _, size, number = entry
        if not (type(queue_id) is type(rank) is type(seq) is int):
            return None
        # What its queue counts by, as far as it can be told.
        flags, number = (each if type(each) is int else 0 for each in (flags, number))
        size = size if type(size) is int and 0 <= size <= MAX_ENTRY_BYTES else 0
        id = message_id if type(message_id) is int else 0
        place = EntryRecord(queue_id, rank, seq, id, "", flags, 0, size, number)
        reason = f"in queue {queue_id}, rank {rank}, seq {seq}: {_reason(error)}"
        return place, UnreadableMessage(id, "", reason, b"", b"", b"", 0)


def expired_row(entry: Sequence[Any], message: Sequence[Any]) -> ExpiredRecord | None:
    """An entry and what is needed of its message to let it expire; ``None`` where one of them is no record.

    Args:
        entry: the row of the entry.
        message: oid, sender, key, QoS and expiry of its message.
    """
    oid, sender, key, qos, expires = message
    read = pair(entry, (entry[3], oid, sender, key, qos, b"", expires))
    if read is None or isinstance(read[1], UnreadableMessage):
        return None
    return ExpiredRecord(read[0], oid, sender, key, qos, expires)


def checked(make: type[R], row: Sequence[Any]) -> R:
    """A row as a record.

    Raises:
        ValueError: it is none.
        BrokerError: as the store raises where such a record is put.
    """
    _check_types(make, row)
    record: R = _new(make, row)  # type: ignore[type-var]
    if make in _KINDS:
        _KINDS[make][2](record)
    return record


def _check_entry(record: EntryRecord, message: MessageRecord | None) -> None:
    limits.check_entry(record, message)
    if not 0 <= record.redeliver <= MAX_REDELIVERED:
        raise ValueError("its number of deliveries is out of range")
    if not 0 <= record.size <= MAX_ENTRY_BYTES:
        raise ValueError("its size is out of range")


def _check_types(make: type, row: Sequence[Any]) -> None:
    fields = _types(make)
    if len(row) != len(fields):
        raise ValueError(f"it has {len(row)} fields instead of {len(fields)}")
    for (name, wanted), value in zip(fields.items(), row, strict=True):
        if not isinstance(value, wanted):
            raise ValueError(f"{name} is {type(value).__name__}, not {wanted.__name__}")
        if isinstance(value, int) and not -limits.MAX_INTEGER <= value <= limits.MAX_INTEGER:
            raise ValueError(f"{name} has more than 64 bits")


@cache
def _types(make: type) -> dict[str, type]:
    return get_type_hints(make)


_ENTRY_TYPES = tuple(_types(EntryRecord).values())
_MESSAGE_TYPES = tuple(_types(MessageRecord).values())


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, BrokerError) else str(error)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text[:_MOST_SHOWN].encode("utf-8", "backslashreplace").decode()
