"""Reading back. Runs in the writer thread, after the batches that precede the question."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnClause,
    Connection,
    Executable,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)

from broker.failpoints import reach
from broker.model.records import (
    COPIED,
    HAD,
    TRANSIENT,
    AccountRecord,
    AuditQuery,
    AuditRecord,
    DocumentRecord,
    EntryRecord,
    ExpiredPlace,
    ExpiredRecord,
    MessageRecord,
    QueueDepth,
    Recovered,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
    Unreadable,
)
from broker.store.rows import MAX_ENTRY_BYTES, HandledRow, expired_row, key_of, pair, records
from broker.store.sql.database import Database
from broker.store.sql.schema import (
    account,
    audit,
    document,
    entry,
    handled,
    message,
    metadata,
    session,
    subject,
    subscription,
    topic,
)
from broker.store.sql.writer import HEARTBEAT, LAST_ID, read_last_id, read_numbers

_ENTRY_WIDTH = len(EntryRecord._fields)
_WITH_MESSAGE = select(*entry.columns, *message.columns).join_from(entry, message, entry.c.message_id == message.c.id)
_LATER = (
    entry.c.queue_id == bindparam("queue_id"),
    entry.c.rank == bindparam("rank"),
    entry.c.seq > bindparam("after"),
)
_NEXT = _WITH_MESSAGE.where(*_LATER).order_by(entry.c.seq).limit(bindparam("limit"))
MAX_FLAGS = 2**31 - 1
_NO_CONTENT = literal(b"", LargeBinary).label("content")
_BACK = (
    _WITH_MESSAGE.where(
        entry.c.queue_id == bindparam("queue_id"), entry.c.rank == bindparam("rank"), entry.c.seq < bindparam("before")
    )
    .order_by(entry.c.seq.desc())
    .limit(bindparam("limit"))
)
_HEADERS = (
    select(*entry.columns, *(_NO_CONTENT if each is message.c.content else each for each in message.columns))
    .join_from(entry, message, entry.c.message_id == message.c.id)
    .where(*_LATER)
    .order_by(entry.c.seq)
    .limit(bindparam("limit"))
)
_COPIES = (
    select(*entry.columns).where(entry.c.flags.bitwise_and(COPIED | HAD) == COPIED).order_by(*entry.primary_key.columns)
)
_DOCUMENTS = select(*document.columns).where(document.c.kind == bindparam("kind"))
_DOCUMENTS_OF_OWNER = _DOCUMENTS.where(document.c.owner == bindparam("owner"))
_ALL_OF_OWNER = select(*document.columns).where(document.c.owner == bindparam("owner"))


_WHOLE = 2**31 - 1
"""Characters of the beginning of a text that is the text itself."""


def _rows_of_audit() -> Select[Any]:
    since, until, before = (bindparam(name, type_=BigInteger) for name in ("since", "until", "before"))
    zero: ColumnClause[int] = literal_column("0")
    texts = [
        func.substr(audit.c[name], literal_column("1"), bindparam(f"{name}_length", type_=Integer))
        == bindparam(f"{name}_begin", type_=Text)
        for name in ("principal", "action", "target")
    ]
    return (
        select(*audit.columns)
        .where(*texts, audit.c.at >= since)
        .where(or_(until == zero, audit.c.at < until), or_(before == zero, audit.c.id < before))
        .order_by(audit.c.id.desc())
        .limit(bindparam("limit"))
        .offset(bindparam("skip"))
    )


_AUDIT = _rows_of_audit()


def _next_of_size() -> Select[Any]:
    first = select(entry.c.seq, entry.c.size).where(*_LATER).order_by(entry.c.seq).limit(bindparam("limit")).subquery()
    before = func.sum(first.c.size).over(order_by=first.c.seq) - first.c.size
    summed = select(first.c.seq, before.label("before")).subquery()
    last = select(func.max(summed.c.seq)).where((summed.c.before < bindparam("max_bytes")) | (summed.c.before == 0))
    return _NEXT.where(entry.c.seq <= last.scalar_subquery())


_NEXT_OF_SIZE = _next_of_size()


def _expired_of_size() -> Select[Any]:
    place = message.c.expires, message.c.id, entry.c.queue_id, entry.c.rank, entry.c.seq
    names = "expires", "message_id", "queue_id", "rank", "seq"
    after: list[BindParameter[int]] = [bindparam(f"after_{name}") for name in names]
    length = func.length(message.c.key) + func.length(message.c.qos)
    first = (
        select(*(column.label(name) for column, name in zip(place, names, strict=True)), length.label("length"))
        .join_from(message, entry, entry.c.message_id == message.c.id)
        .where(
            message.c.expires >= after[0],
            message.c.expires <= bindparam("now"),
            # The index holds these rows only, and is found only where the condition is spelled out.
            message.c.expires > literal_column("0"),
            or_(message.c.expires > after[0], tuple_(*place[1:]) > tuple_(*after[1:])),
        )
        .order_by(*place)
        .limit(bindparam("limit"))
        .subquery()
    )
    ordered = [first.c[name] for name in names]
    before = func.sum(first.c.length).over(order_by=ordered) - first.c.length
    summed = select(*ordered, before.label("before")).subquery()
    known = message.c.oid, message.c.sender, message.c.key, message.c.qos, message.c.expires
    return (
        select(*entry.columns, *known)
        .join_from(
            summed,
            entry,
            and_(*(entry.c[name] == summed.c[name] for name in ("queue_id", "rank", "seq"))),
        )
        .join(message, message.c.id == summed.c.message_id)
        .where((summed.c.before < bindparam("max_bytes")) | (summed.c.before == 0))
        .order_by(*(summed.c[name] for name in names))
    )


_EXPIRED = _expired_of_size()


_STORED_AS: dict[type, str] = {int: "integer", str: "text", bytes: "blob"}
MAX_MISFITS = 1000
"""Rows of one table that are named at a start."""


class Reader:
    """What the broker asks of its database, but for single accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def row_counts(self) -> dict[str, int]:
        """How many rows each table has, by its name."""
        with self._database.transaction(write=False) as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
            }

    def recover(self, unreadable: Sequence[Unreadable] = ()) -> Recovered:
        """Drop what does not outlive a crash, and read everything but messages.

        Args:
            unreadable: what could not be read of the journal. Entries without a message stay then: it may be in there.
        """
        found = list(unreadable)
        tell = found.append
        with self._database.transaction() as connection:
            _clean(connection, tell, keep_lost=bool(found))
            reach("recovery cleaned")
        with self._database.transaction(write=False) as connection:
            numbers = read_numbers(connection, tell)
            # Odd ones could have a sum that SQLite refuses to compute.
            size = case((entry.c.size.between(0, MAX_ENTRY_BYTES), entry.c.size), else_=0)
            depth = func.count().label("entries"), func.sum(size)
            key = entry.c.queue_id, entry.c.rank
            depths = _rows(connection, select(*key, *depth).group_by(*key).order_by(*key))
            # Accounts are read at each login; here they are only looked through, so that an administrator is told.
            deque(records(AccountRecord, _all(connection, account), tell), maxlen=0)
            for table in (document, entry):
                _tell_misfits(connection, table, tell)
            return Recovered(
                subjects=list(records(SubjectRecord, _all(connection, subject), tell)),
                sessions=list(records(SessionRecord, _all(connection, session), tell)),
                subscriptions=sorted(records(SubscriptionRecord, _all(connection, subscription), tell)),
                topics=list(records(TopicRecord, _all(connection, topic), tell)),
                depths=list(_depths(depths, tell)),
                last_id=numbers[LAST_ID] if LAST_ID in numbers else read_last_id(connection),
                heartbeat=numbers.get(HEARTBEAT, 0),
                handled=dict(records(HandledRow, _all(connection, handled), tell)),
                copies=list(records(EntryRecord, _rows(connection, _COPIES), tell)),
                unreadable=found,
            )

    def entries(
        self, queue_id: int, rank: int, after: int, limit: int, max_bytes: int = -1
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        """Entries of one queue and rank with ``seq > after``, in order; ``max_bytes`` as in the port."""
        values = {"queue_id": queue_id, "rank": rank, "after": after, "limit": limit}
        if max_bytes >= 0 and self._database.sends_ahead:
            return self._pairs(_NEXT_OF_SIZE, {**values, "max_bytes": max_bytes})
        return self._pairs(_NEXT, values, max_bytes)

    def headers(self, queue_id: int, rank: int, after: int, limit: int) -> list[tuple[EntryRecord, MessageRecord]]:
        """The same without contents."""
        return self._pairs(_HEADERS, {"queue_id": queue_id, "rank": rank, "after": after, "limit": limit})

    def back(
        self, queue_id: int, rank: int, before: int, limit: int, max_bytes: int
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        """Entries of one queue and rank with ``seq < before``, the last first; ``max_bytes`` as in the port."""
        values = {"queue_id": queue_id, "rank": rank, "before": before, "limit": limit}
        return self._pairs(_BACK, values, max_bytes)

    def documents(self, owner: str, kind: str) -> tuple[list[DocumentRecord], list[Unreadable]]:
        """Documents of one kind of one owner, one of them empty for all, and the rows that are none."""
        query = _DOCUMENTS if not owner else _DOCUMENTS_OF_OWNER if kind else _ALL_OF_OWNER
        rows = self._database.read_alone(query, {"kind": kind, "owner": owner})
        unreadable: list[Unreadable] = []
        return sorted(records(DocumentRecord, rows, unreadable.append)), unreadable

    def audit(self, query: AuditQuery) -> tuple[list[AuditRecord], list[Unreadable]]:
        """Rows of the audit, the newest first, and those that are none."""
        values: dict[str, Any] = query._asdict()
        for name in ("principal", "action", "target"):
            text = values.pop(name)
            is_whole = text and not text.endswith("*")
            values[f"{name}_begin"] = text if is_whole else text[:-1]
            values[f"{name}_length"] = _WHOLE if is_whole else len(text[:-1])
        unreadable: list[Unreadable] = []
        rows = self._database.read_alone(_AUDIT, values)
        return list(records(AuditRecord, rows, unreadable.append)), unreadable

    def expired(self, now: int, limit: int, max_bytes: int, after: ExpiredPlace) -> list[ExpiredRecord]:
        """Entries of messages with ``0 < expires <= now`` (ms since 1970), as in the port."""
        names = "after_expires", "after_message_id", "after_queue_id", "after_rank", "after_seq"
        values = {"now": now, "limit": limit, "max_bytes": max_bytes, **dict(zip(names, after, strict=True))}
        with self._database.transaction(write=False) as connection, connection.execute(_EXPIRED, values) as result:
            rows: Any = result.cursor
            return [each for row in rows if (each := expired_row(row[:_ENTRY_WIDTH], row[_ENTRY_WIDTH:])) is not None]

    def _pairs(
        self, query: Select[Any], values: dict[str, int], max_bytes: int = -1
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        found = []
        size = 0
        with self._database.transaction(write=False) as connection, connection.execute(query, values) as result:
            # As the driver has them: SQLAlchemy would make a row of each, and bytes of bytes, in twice the time.
            rows: Any = result.cursor
            for row in rows:
                read = pair(row[:_ENTRY_WIDTH], row[_ENTRY_WIDTH:])
                if read is None:
                    continue
                found.append(read)
                size += read[0].size
                if size and 0 <= max_bytes <= size:
                    break
        return found


def _all(connection: Connection, table: Table) -> Any:
    return _rows(connection, select(*table.columns).order_by(*table.primary_key.columns))


def _rows(connection: Connection, query: Executable) -> list[Sequence[Any]]:
    """Rows as the driver has them: SQLAlchemy would convert what may be no value of its column."""
    with connection.execute(query) as result:
        cursor: Any = result.cursor
        return list(cursor.fetchall())


def _tell_misfits(connection: Connection, table: Table, tell: Callable[[Unreadable], object]) -> None:
    """Tell of rows with values that are none of their columns, in tables that are not read at the start.

    What is not found by its key would never be read. Only SQLite keeps such values.
    """
    if connection.dialect.name != "sqlite":
        return
    wrong = or_(*(func.typeof(each) != _STORED_AS[each.type.python_type] for each in table.columns))
    for row in _rows(connection, select(*table.primary_key.columns).where(wrong).limit(MAX_MISFITS)):
        tell(Unreadable(table.name, key_of(row), "a value is none of its column"))


def _depths(rows: list[Sequence[Any]], tell: Callable[[Unreadable], object]) -> Iterator[QueueDepth]:
    for queue_id, rank, count, size in rows:
        if type(queue_id) is type(rank) is int:
            yield QueueDepth(queue_id, rank, count, int(size))
        else:
            tell(Unreadable("queue", f"{queue_id!r}/{rank!r}", f"{count} entries have no place in a queue"))


def _clean(connection: Connection, tell: Callable[[Unreadable], object], *, keep_lost: bool) -> None:
    """Drop what does not outlive a crash: entries that were only swapped out, and messages without an entry.

    Entries whose messages are not there are told of, and stay; so do all messages then: one of them may be theirs.
    """
    transient = entry.c.flags.bitwise_and(TRANSIENT) != 0
    flags = entry.c.flags.between(0, MAX_FLAGS)  # SQLite finds every bit in a number that is none, such as infinity
    connection.execute(delete(entry).where(transient, flags))
    if keep_lost:
        return
    present = select(literal(1)).where(message.c.id == entry.c.message_id).exists()
    lost = _rows(connection, select(*entry.primary_key.columns).where(~present).limit(MAX_MISFITS))
    for row in lost:
        tell(Unreadable(entry.name, key_of(row), "its message is not in the database"))
    if not lost:
        referred = select(literal(1)).where(entry.c.message_id == message.c.id).exists()
        connection.execute(delete(message).where(~referred))
