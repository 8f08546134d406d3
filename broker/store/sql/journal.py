"""Batches in one row each: what is committed, and will be in the tables later (design D4)."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, delete, literal_column, select, update

from broker.errors import BrokerError, Code
from broker.model.records import Unreadable
from broker.store.batch import Batch
from broker.store.packing import unpack
from broker.store.sql.database import Database
from broker.store.sql.dialects import insert_into
from broker.store.sql.schema import COMMIT_NUMBER, journal, meta

MAX_BYTES = 16 * 1024 * 1024
"""Of a journal that is not folded yet: what is kept in memory, and read back after a crash."""
MAX_ENTRIES = 20_000
"""Queue entries that are in the journal and not settled yet."""
SMALL = 32
"""Entries of a batch that is worth a row whatever becomes of them: its few rows are written with those of others."""
_LEAST_SHARE = 0.25
_MEMORY = 0.75

_ROW = (
    select(bindparam("number", type_=BigInteger), bindparam("batch", type_=LargeBinary))
    .where(meta.c.name == literal_column(f"'{COMMIT_NUMBER}'"), meta.c.value == bindparam("owner"))
    .with_for_update(read=True)  # who takes the database over comes before or after, on PostgreSQL too
)
_FIND = select(journal.c.number).where(journal.c.number == bindparam("number"))
_SELECT = select(journal.c.number, journal.c.batch).order_by(journal.c.number)
_SET_ASIDE = update(journal).where(journal.c.number == bindparam("found")).values(number=-journal.c.number)


class JournalPolicy:
    """Decides which batches are committed as one row of the journal.

    That saves work where most entries are settled before the journal is folded, and costs some where they stay, or
    where batches settle what is in the tables. So it goes by what came last: entries put, and entries settled.

    Attributes:
        journal_size: bytes in the journal.
    """

    def __init__(self) -> None:
        self.journal_size = 0
        self._put = 0.0
        self._settled = 0.0

    def is_worth_a_row(self, batch: Batch, waiting: int) -> bool:
        """Whether a batch, which is shown here once, goes to the journal.

        Args:
            batch: to be committed.
            waiting: entries that are in the journal and not settled.
        """
        put = sum(map(len, batch.entries.values()))
        settled = sum(len(step.settled) for step in batch.steps)
        self._put = self._put * _MEMORY + put
        self._settled = self._settled * _MEMORY + settled
        if batch.accounts or self.journal_size + batch.bytes > MAX_BYTES or waiting + put > MAX_ENTRIES:
            return False
        if put + settled <= SMALL:
            return True
        return min(self._put, self._settled) >= _LEAST_SHARE * max(self._put, self._settled)

    def appended(self, size: int) -> None:
        """A batch went to the journal.

        Args:
            size: in bytes.
        """
        self.journal_size += size

    def folded(self) -> None:
        """The journal is empty."""
        self.journal_size = 0


def append(database: Database, owner: int, number: int, data: bytes) -> bool:
    """Commit a packed batch, unless an earlier attempt has; in a transaction of its own.

    Args:
        database: to write to.
        owner: what the database's commit number must be.
        number: of the batch.
        data: the batch.

    Returns:
        ``False`` where the commit number is another one: nothing is written.
    """
    statement = _insertion(database.engine.dialect.name)
    if database.execute_alone(statement, {"number": number, "batch": data, "owner": owner}):
        return True
    with database.transaction(write=False) as connection:
        return connection.execute(_FIND, {"number": number}).scalar() is not None


@cache
def _insertion(dialect: str) -> Any:
    return insert_into(journal, dialect).from_select(["number", "batch"], _ROW).on_conflict_do_nothing()


def read(connection: Connection) -> tuple[list[Batch], list[Unreadable]]:
    """All batches, in order of their commits.

    One that cannot be read is set aside: its number becomes negative, so that nothing deletes it. It stays so when it
    can be read one day: those behind it are in the tables by then, and know better.

    Returns:
        The batches, and those that are set aside, now or at an earlier start.
    """
    batches: list[Batch] = []
    unreadable: list[Unreadable] = []
    with connection.execute(_SELECT) as result:
        cursor: Any = result.cursor
        rows = list(cursor.fetchall())
    for number, data in rows:
        try:
            if number < 0:
                raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "It was set aside at an earlier start")
            batches.append(unpack(data))
        except BrokerError as error:
            unreadable.append(Unreadable("journal", str(abs(number)), error.message))
            if number > 0:
                connection.execute(_SET_ASIDE, {"found": number})
    return batches, unreadable


def clear(connection: Connection, *, keep: bool) -> None:
    """Delete all batches.

    Args:
        connection: in a transaction.
        keep: some are set aside, and stay.
    """
    if keep:
        connection.execute(delete(journal).where(journal.c.number >= 0))
        return
    # TRUNCATE gives PostgreSQL its space back at once, instead of some minutes and hundreds of megabytes later.
    statement = "TRUNCATE journal" if connection.dialect.name == "postgresql" else "DELETE FROM journal"
    connection.exec_driver_sql(statement)
