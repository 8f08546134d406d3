"""One batch, one transaction. Runs in the writer thread."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table, bindparam, delete, func, literal, literal_column, select, update

from broker.failpoints import reach
from broker.model.records import Unreadable
from broker.store.batch import Batch, ClearQueue, MoveQueue
from broker.store.packing import pack
from broker.store.rows import HIGHEST_ID, NumberRow, records
from broker.store.sql import journal
from broker.store.sql.bulk import bulk_for
from broker.store.sql.database import Database
from broker.store.sql.dialects import insert_into
from broker.store.sql.journal import JournalPolicy
from broker.store.sql.ownership import DatabaseInUse, DatabaseTakenOver
from broker.store.sql.schema import (
    COMMIT_NUMBER,
    account,
    audit,
    document,
    entry,
    handled,
    message,
    meta,
    released,
    session,
    subject,
    subscription,
    topic,
)

LAST_ID = "last_id"
HEARTBEAT = "heartbeat"


_CLAIM = (
    update(meta)
    .where(meta.c.name == COMMIT_NUMBER, meta.c.value == bindparam("before"))
    .values(value=bindparam("number"))
)


class Writer:
    """Writes batches, each exactly once.

    Every commit has a number. A transaction raises the database's commit number to its own, from what this writer
    believes it to be. So a batch whose commit had no answer can be written again: if the number has been raised
    already, it was committed. And if it has any other value, somebody else owns the database now, and this writer must
    not write: each one begins to count at a number of its own that nobody else will come near.

    A batch may be committed as one row of the journal, under its number, where the database's commit number still is
    that of this writer's last transaction: one statement, whose row is there already if it is written again. Such
    batches are gathered, and written to the tables by :meth:`fold` or together with a batch that is not worth a row: of
    a message that was delivered meanwhile nothing is left to write. What the journal holds when the broker dies is
    folded when it starts. A batch that cannot be read then is set aside (:func:`broker.store.sql.journal.read`).

    Attributes:
        unreadable: batches of the journal that cannot be read.
        folds: how often what the journal held was written to the tables; never falls.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bulk = bulk_for(database.engine.dialect.name)
        self._policy = JournalPolicy()
        self._number = 0  # of the last commit
        self._owner = 0  # of the last transaction, which the database has
        self._known = 0  # no higher id is in the tables
        self._gathered = Batch()  # what the journal holds, and a batch that goes to the tables with it
        self._batch: Batch | None = None  # that was begun, and may have to be tried again
        self._folding = False  # begun, and may have to be tried again
        self.folds = 0
        self.unreadable: list[Unreadable] = []

    def start(self) -> int:
        """Take over from the last writer.

        Returns:
            The highest id that was ever written.
        """
        number = secrets.randbits(62)
        self._policy = JournalPolicy()
        self._gathered = Batch()
        self._batch = None
        self._folding = False
        with self._database.transaction() as connection:
            upsert(connection, meta, [(COMMIT_NUMBER, number)])
            known = read_numbers(connection).get(LAST_ID)
            self._known = read_last_id(connection) if known is None else known
            batches, self.unreadable = journal.read(connection)
            for batch in batches:
                self._gathered.merge(batch)
                self._folding = True
        self._number = self._owner = number
        self._fold_again()
        return self._known

    def stop(self, last_id: int) -> None:
        """Leave nothing in the journal, and write down the highest id that was used, also where nothing was written."""
        self.fold()
        if last_id > self._known:
            with self._database.transaction() as connection:
                upsert(connection, meta, [(LAST_ID, last_id)])

    def write(self, batch: Batch) -> None:
        """Commit a batch, unless an earlier attempt has.

        Raises:
            DatabaseTakenOver: another broker has had the database meanwhile.
            Exception: what the driver raises; nothing is changed, or the commit's outcome is unknown.
        """
        try:
            self._write(batch)
        except DatabaseInUse:  # by another broker, or by the session that this one had until its connection broke
            self._check_owner()
            raise

    def _write(self, batch: Batch) -> None:
        if batch is not self._batch:  # no other attempt
            self._fold_again()
            self._batch = batch
            waiting = sum(map(len, self._gathered.entries.values()))
            if not self._policy.is_worth_a_row(batch, waiting):
                self._gathered.merge(batch)
                self._folding = True
        if self._folding:
            self._fold_again()
        else:
            data = pack(batch)
            self._append(data)
            self._gathered.merge(batch)
            self._policy.appended(len(data))
        self._batch = None

    def fold(self, concerns: Callable[[Batch], bool] = lambda batch: True) -> None:
        """Write what the journal holds to the tables, so that questions find it there; raises as :meth:`write`.

        Args:
            concerns: whether a question may ask for something in a batch; what does not concern it stays.
        """
        if self._policy.journal_size > 0 and concerns(self._gathered):
            self._folding = True
        self._fold_again()

    def _fold_again(self) -> None:
        if self._folding:
            self._commit(self._fold)
            self.folds += 1
            self._known = max(self._known, self._gathered.last_id)
            self._gathered = Batch(self._gathered.last_id)
            self._policy.folded()
            self._folding = False

    def _fold(self, connection: Connection) -> None:
        self._apply(connection, self._gathered)
        reach("journal written to the tables")
        journal.clear(connection, keep=bool(self.unreadable))

    def _append(self, data: bytes) -> None:
        number = self._number + 1
        reach("commit begun")
        if not journal.append(self._database, self._owner, number, data):
            raise DatabaseTakenOver
        reach("commit done")
        self._number = number

    def _commit(self, write: Callable[[Connection], None]) -> None:
        number = self._number + 1
        with self._database.transaction() as connection:
            if self._claim(connection, number):
                reach("commit begun")
                write(connection)
                reach("commit written")
        reach("commit done")
        self._number = self._owner = number

    def _claim(self, connection: Connection, number: int) -> bool:
        if connection.execute(_CLAIM, {"before": self._owner, "number": number}).rowcount == 1:
            return True
        found = connection.execute(select(meta.c.value).where(meta.c.name == COMMIT_NUMBER)).scalar()
        if found == number:
            return False
        raise DatabaseTakenOver

    def _check_owner(self) -> None:
        """Look whether the database is this broker's still, which needs no lock."""
        with self._database.engine.connect() as connection:
            found = connection.execute(select(meta.c.value).where(meta.c.name == COMMIT_NUMBER)).scalar()
        if found not in {self._owner, self._number + 1}:  # the outcome of a commit of the latter may be unknown
            raise DatabaseTakenOver

    def _apply(self, connection: Connection, batch: Batch) -> None:
        cleared = False
        for step in batch.steps:
            if step.settled:
                self._bulk.delete_entries(connection, step.settled)
            if step.redelivered:
                self._bulk.update_entries(connection, "redeliver", step.redelivered)
            if step.numbered:
                self._bulk.update_entries(connection, "number", step.numbered)
            if step.flagged:
                self._bulk.update_entries(connection, "flags", step.flagged)
            if isinstance(step.then, ClearQueue):
                cleared = True
                _clear_queue(connection, step.then)
            elif isinstance(step.then, MoveQueue):
                _move_queue(connection, step.then)
        if batch.ended_sessions:
            _delete(connection, subscription, "session_id", batch.ended_sessions)
            _delete(connection, handled, "session_id", batch.ended_sessions)
        _replace(connection, subject, batch.subjects)
        _replace(connection, session, batch.sessions)
        _replace(connection, subscription, batch.subscriptions)
        _replace(connection, topic, batch.topics)
        upsert(connection, handled, batch.handled.items())
        _replace(connection, account, batch.accounts)
        _write_documents(connection, batch)
        if batch.forgotten:
            connection.execute(delete(audit).where(audit.c.id <= batch.forgotten))
        upsert(connection, audit, batch.audit.values())
        if batch.messages:
            self._bulk.insert_messages(connection, batch.messages.values(), self._known)
        if batch.entries:
            entries = [row for queue in batch.entries.values() for row in queue.values()]
            self._bulk.insert_entries(connection, entries, self._known)
        if batch.released:
            self._bulk.delete_released(connection, batch.released)
        if cleared:
            _delete_released(connection)
        self._write_numbers(connection, batch)

    def _write_numbers(self, connection: Connection, batch: Batch) -> None:
        numbers = []
        if batch.last_id > self._known:
            numbers.append((LAST_ID, batch.last_id))
        if batch.heartbeat is not None:
            numbers.append((HEARTBEAT, batch.heartbeat))
        upsert(connection, meta, numbers)


def read_numbers(
    connection: Connection, tell: Callable[[Unreadable], object] = lambda unreadable: None
) -> dict[str, int]:
    """The rows of ``meta``; ``tell`` is told of those that are none. They are written anew when their number is."""
    with connection.execute(select(meta.c.name, meta.c.value)) as result:
        rows: Any = result.cursor
        return dict(records(NumberRow, rows.fetchall(), tell))


def read_last_id(connection: Connection) -> int:
    """The highest id in the tables, for when nobody has written it down."""
    columns = (subject.c.id, session.c.id, topic.c.id, message.c.id, entry.c.seq)
    highest = (select(func.max(column)).where(column < HIGHEST_ID) for column in columns)
    return max(connection.execute(query).scalar() or 0 for query in highest)


def upsert(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows, or replace those with their primary keys."""
    names = [column.name for column in table.columns]
    values = [dict(zip(names, row, strict=True)) for row in rows]
    if not values:
        return
    connection.execute(_upsert(table, connection.dialect.name), values)


@cache
def _upsert(table: Table, dialect: str) -> Any:
    # Making a statement costs more than running it, so each is made once.
    statement = insert_into(table, dialect)
    keys = list(table.primary_key.columns)
    replaced = {column.name: column for column in statement.excluded if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)


def _replace(connection: Connection, table: Table, records: Mapping[Any, tuple[Any, ...] | None]) -> None:
    if not records:
        return
    gone = [key for key, record in records.items() if record is None]
    if gone:
        _delete(connection, table, table.primary_key.columns[0].name, gone)
    upsert(connection, table, (record for record in records.values() if record is not None))


def _write_documents(connection: Connection, batch: Batch) -> None:
    gone = [key for key, record in batch.documents.items() if record is None]
    if gone:
        columns = document.c.owner, document.c.kind, document.c.name
        statement = delete(document).where(*(column == bindparam(f"gone_{column.name}") for column in columns))
        names = [f"gone_{column.name}" for column in columns]
        connection.execute(statement, [dict(zip(names, key, strict=True)) for key in gone])
    if batch.purge is not None:  # those of this batch that were put before it are gone already
        connection.execute(
            delete(document).where(document.c.expires > literal_column("0"), document.c.expires <= batch.purge)
        )
    upsert(connection, document, (record for record in batch.documents.values() if record is not None))


def _delete(connection: Connection, table: Table, column: str, values: Iterable[Any]) -> None:
    connection.execute(_deletion(table, column), [{"value": value} for value in values])


@cache
def _deletion(table: Table, column: str) -> Executable:
    return delete(table).where(table.c[column] == bindparam("value"))


def _clear_queue(connection: Connection, change: ClearQueue) -> None:
    found = select(entry.c.message_id).where(entry.c.queue_id == change.queue_id).distinct()
    known = select(released.c.message_id)
    connection.execute(released.insert().from_select(["message_id"], found.where(entry.c.message_id.not_in(known))))
    connection.execute(delete(entry).where(entry.c.queue_id == change.queue_id))


def _move_queue(connection: Connection, change: MoveQueue) -> None:
    connection.execute(
        update(entry)
        .where(entry.c.queue_id == change.queue_id)
        .values(queue_id=change.target, flags=entry.c.flags.bitwise_and(change.flags_mask))
    )


def _delete_released(connection: Connection) -> None:
    referred = select(literal(1)).where(entry.c.message_id == message.c.id).exists()
    connection.execute(delete(message).where(message.c.id.in_(select(released.c.message_id)), ~referred))
    connection.execute(delete(released))
