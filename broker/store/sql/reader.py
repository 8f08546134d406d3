"""Reading back. Runs in the writer thread, after the batches that precede the question."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, Table, bindparam, delete, func, literal, literal_column, select
from twisted.logger import Logger

from broker.failpoints import reach
from broker.model.records import (
    COPIED,
    HAD,
    TRANSIENT,
    DocumentRecord,
    EntryRecord,
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
# The index holds these rows only, and is found only where the condition is spelled out.
_EXPIRED = (
    _WITH_MESSAGE.where(message.c.expires > literal_column("0"), message.c.expires <= bindparam("now"))
    .order_by(message.c.expires, message.c.id, entry.c.queue_id, entry.c.rank, entry.c.seq)
    .limit(bindparam("limit"))
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

    def expired(self, now: int, limit: int) -> list[tuple[EntryRecord, MessageRecord]]:
        """Entries of messages with ``0 < expires <= now`` (ms since 1970), the longest expired first."""
        return self._pairs(_EXPIRED, {"now": now, "limit": limit})

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
