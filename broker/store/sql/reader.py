"""Reading back. Runs in the writer thread, after the batches that precede the question."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    LargeBinary,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)
from twisted.logger import Logger

from broker.failpoints import reach
from broker.model.records import (
    COPIED,
    HAD,
    TRANSIENT,
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
)
from broker.store.sql.database import Database
from broker.store.sql.schema import document, entry, handled, message, session, subject, subscription, topic
from broker.store.sql.writer import HEARTBEAT, LAST_ID, read_numbers

log = Logger()

_new = tuple.__new__
_ENTRY_WIDTH = len(EntryRecord._fields)
_SIZE = EntryRecord._fields.index("size")
_WITH_MESSAGE = select(*entry.columns, *message.columns).join_from(entry, message, entry.c.message_id == message.c.id)
_LATER = (
    entry.c.queue_id == bindparam("queue_id"),
    entry.c.rank == bindparam("rank"),
    entry.c.seq > bindparam("after"),
)
_NEXT = _WITH_MESSAGE.where(*_LATER).order_by(entry.c.seq).limit(bindparam("limit"))
_NO_CONTENT = literal(b"", LargeBinary).label("content")
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


def _next_of_size() -> Select[Any]:
    first = select(entry.c.seq, entry.c.size).where(*_LATER).order_by(entry.c.seq).limit(bindparam("limit")).subquery()
    before = func.sum(first.c.size).over(order_by=first.c.seq) - first.c.size
    summed = select(first.c.seq, before.label("before")).subquery()
    last = select(func.max(summed.c.seq)).where((summed.c.before < bindparam("most_bytes")) | (summed.c.before == 0))
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
        .where((summed.c.before < bindparam("most_bytes")) | (summed.c.before == 0))
        .order_by(*(summed.c[name] for name in names))
    )


_EXPIRED = _expired_of_size()


class Reader:
    """What the broker asks of its database, but for accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recover(self) -> Recovered:
        """Drop what does not outlive a crash, and read everything but messages."""
        with self._database.transaction() as connection:
            _clean(connection)
            reach("recovery cleaned")
        with self._database.transaction(write=False) as connection:
            numbers = read_numbers(connection)
            depth = func.count().label("entries"), func.sum(entry.c.size)
            key = entry.c.queue_id, entry.c.rank
            depths = connection.execute(select(*key, *depth).group_by(*key).order_by(*key))
            return Recovered(
                subjects=[SubjectRecord._make(row) for row in _all(connection, subject)],
                sessions=[SessionRecord._make(row) for row in _all(connection, session)],
                subscriptions=sorted(SubscriptionRecord._make(row) for row in _all(connection, subscription)),
                topics=[TopicRecord._make(row) for row in _all(connection, topic)],
                depths=[QueueDepth(queue_id, rank, count, int(size)) for queue_id, rank, count, size in depths],
                last_id=numbers.get(LAST_ID, 0),
                heartbeat=numbers.get(HEARTBEAT, 0),
                # A result has keys(), so dict() would take it for a mapping.
                handled=dict(iter(_all(connection, handled))),
                copies=[EntryRecord._make(row) for row in connection.execute(_COPIES)],
            )

    def entries(
        self, queue_id: int, rank: int, after: int, limit: int, most_bytes: int = -1
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        """Entries of one queue and rank with ``seq > after``, in order; ``most_bytes`` as in the port."""
        values = {"queue_id": queue_id, "rank": rank, "after": after, "limit": limit}
        if most_bytes >= 0 and self._database.sends_ahead:
            return self._pairs(_NEXT_OF_SIZE, {**values, "most_bytes": most_bytes})
        return self._pairs(_NEXT, values, most_bytes)

    def headers(self, queue_id: int, rank: int, after: int, limit: int) -> list[tuple[EntryRecord, MessageRecord]]:
        """The same without contents."""
        return self._pairs(_HEADERS, {"queue_id": queue_id, "rank": rank, "after": after, "limit": limit})

    def documents(self, owner: str, kind: str) -> list[DocumentRecord]:
        """Documents of one kind, of one owner or (empty) of all."""
        query = _DOCUMENTS_OF_OWNER if owner else _DOCUMENTS
        rows = self._database.read_alone(query, {"kind": kind, "owner": owner})
        return sorted(map(DocumentRecord._make, rows))

    def expired(self, now: int, limit: int, most_bytes: int, after: ExpiredPlace) -> list[ExpiredRecord]:
        """Entries of messages with ``0 < expires <= now`` (ms since 1970), as in the port."""
        names = "after_expires", "after_message_id", "after_queue_id", "after_rank", "after_seq"
        values = {"now": now, "limit": limit, "most_bytes": most_bytes, **dict(zip(names, after, strict=True))}
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(_EXPIRED, values)
            return [ExpiredRecord(EntryRecord(*row[:_ENTRY_WIDTH]), *row[_ENTRY_WIDTH:]) for row in rows]

    def _pairs(
        self, query: Select[Any], values: dict[str, int], most_bytes: int = -1
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        found = []
        size = 0
        with self._database.transaction(write=False) as connection, connection.execute(query, values) as result:
            # As the driver has them: SQLAlchemy would make a row of each, and bytes of bytes, in twice the time.
            rows: Any = result.cursor
            for row in rows:
                found.append((_new(EntryRecord, row[:_ENTRY_WIDTH]), _new(MessageRecord, row[_ENTRY_WIDTH:])))
                size += row[_SIZE]
                if size and 0 <= most_bytes <= size:
                    break
        return found


def _all(connection: Connection, table: Table) -> Any:
    return connection.execute(select(*table.columns).order_by(*table.primary_key.columns))


def _clean(connection: Connection) -> None:
    transient = entry.c.flags.bitwise_and(TRANSIENT) != 0
    connection.execute(delete(entry).where(transient))
    referred = select(literal(1)).where(entry.c.message_id == message.c.id).exists()
    connection.execute(delete(message).where(~referred))
    present = select(literal(1)).where(message.c.id == entry.c.message_id).exists()
    lost = connection.execute(delete(entry).where(~present)).rowcount
    if lost:
        log.error("Dropped {lost} queue entries whose messages are not in the database", lost=lost)
