"""The store on SQLite or PostgreSQL (design D1–D5, D14)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from broker.errors import BrokerError, Code
from broker.model.records import (
    FIRST_EXPIRED,
    SECURITY_OWNER,
    AccountAction,
    AccountChange,
    AccountRecord,
    AuditQuery,
    AuditRecord,
    DocumentRecord,
    EntryRecord,
    ExpiredPlace,
    ExpiredRecord,
    MessageRecord,
    Recovered,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
    Unreadable,
)
from broker.ports import IStore
from broker.store import account_changes, limits
from broker.store.batch import Batch
from broker.store.rows import account_of
from broker.store.sql import accounts
from broker.store.sql.commit_loop import CommitLoop
from broker.store.sql.database import Database
from broker.store.sql.failures import translate
from broker.store.sql.ownership import DatabaseInUse, DatabaseTakenOver
from broker.store.sql.reader import Reader
from broker.store.sql.worker import Worker, WriterThread
from broker.store.sql.writer import Writer

log = Logger()

P = ParamSpec("P")
T = TypeVar("T")

STANDBY_LOOK = 0.5
"""Seconds until a broker that stands by tries again to get the database; a server is waited for in between, too."""


@implementer(IStore)
class SqlStore(CommitLoop):
    """A durable store: what operations and queries there are. When they are done is its :class:`CommitLoop`.

    All of them go through it to one thread and one connection.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.
        reactor: schedules commits, and takes answers of the writer thread.
        worker: runs what blocks; by default a thread.
        patience: seconds to wait at start for the PostgreSQL session of a broker that has just died.
        copy_before_upgrade: copy a database of SQLite before its schema is changed.
        on_standby: called where another broker has the database, which is then waited for until that one is gone;
            ``None`` where that is an error.

    Attributes:
        stands_by: another broker has the database, and this one waits for it.

    Raises:
        BrokerError: ``resource.configuration`` where the URL is none that it can use.
    """

    def __init__(
        self,
        url: str,
        reactor: IReactorTime,
        *,
        worker: Worker | None = None,
        patience: float = 3.0,
        copy_before_upgrade: bool = True,
        on_standby: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.stands_by = False
        self._on_standby = on_standby
        self._clock = reactor
        self.database = Database(url, exclusive=True, patience=patience, copy_before_upgrade=copy_before_upgrade)
        self._writer = Writer(self.database)
        self._reader = Reader(self.database)
        self.on_unreadable: Callable[[Unreadable], None] = lambda row: None
        if worker is None:
            worker = WriterThread(IReactorFromThreads(reactor))
        super().__init__(reactor, worker, self._writer.write, self._writer.fold)

    @property
    def folds(self) -> int:
        """How often what the journal held was written to the tables."""
        return self._writer.folds  # which another thread counts, and this one may tell a little late

    def open(self) -> Deferred[None]:
        """Open the database, alone, and bring its schema up to date."""
        return Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        if self.is_open:
            raise BrokerError(Code.INTERNAL_ILLEGAL_STATE, "The store is open already", "/store")
        last_id = await self._take()
        while last_id is None:
            await deferLater(self._clock, STANDBY_LOOK)
            if not self.stands_by:
                raise BrokerError(Code.RESOURCE_UNAVAILABLE, "told to stop while it stood by", "/store")
            last_id = await self._take()
        self.stands_by = False
        self.start(last_id)

    async def _take(self) -> int | None:
        """Take the database; returns the highest id in it, or ``None`` where it has to be waited for."""
        try:
            await self._worker.run(self.database.open)
            return await self._worker.run(self._writer.start)
        except Exception as error:
            await self._let_go()
            if not isinstance(error, DatabaseInUse) or self._on_standby is None:
                raise translate(error) from error
            if not self.stands_by:
                self.stands_by = True
                log.info("standing by, and takes over when it can: {reason}", reason=error.message)
                await self._on_standby()
            return None

    def stop_waiting(self) -> None:
        """Do not wait any more for a database that another broker has: what opens the store fails at its next look."""
        self.stands_by = False

    def close(self) -> Deferred[None]:
        """Commit what has gathered and let go of the database.

        A database that fails now is tried once and no more: the Deferred fails with ``resource.*``, after everything
        is let go of.
        """
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        if not self.is_open:
            if isinstance(self.failure, DatabaseTakenOver):
                await self._let_go()
            return
        try:
            await self.stop()
            last_id = self.batch.last_id
            await self._worker.run(lambda: self._writer.stop(last_id))
        except Exception as error:
            raise translate(error) from error
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        await self._worker.run(self.database.close)
        self._worker.stop()

    def beat(self, now: int, last_id: int) -> None:
        """Note that the broker is running, and has used no id above ``last_id``."""
        self.batch.beat(now, last_id)
        self.appended()

    def put_subject(self, record: SubjectRecord) -> None:
        """Insert or replace."""
        limits.check_subject(record)
        self.batch.put_subject(record)
        self.appended()

    def delete_subject(self, id: int) -> None:
        """Delete."""
        self.batch.delete_subject(id)
        self.appended()

    def put_session(self, record: SessionRecord) -> None:
        """Insert or replace."""
        limits.check_session(record)
        self.batch.put_session(record)
        self.appended()

    def delete_session(self, id: int) -> None:
        """Delete it and its subscriptions."""
        self.batch.delete_session(id)
        self.appended()

    def put_subscription(self, record: SubscriptionRecord) -> None:
        """Insert or replace."""
        limits.check_subscription(record)
        self.batch.put_subscription(record)
        self.appended()

    def delete_subscription(self, id: str) -> None:
        """Delete."""
        self.batch.delete_subscription(id)
        self.appended()

    def put_topic(self, record: TopicRecord) -> None:
        """Insert or replace."""
        limits.check_topic(record)
        self.batch.put_topic(record)
        self.appended()

    def delete_topic(self, id: int) -> None:
        """Delete."""
        self.batch.delete_topic(id)
        self.appended()

    def put_entry(self, record: EntryRecord, message: MessageRecord | None = None) -> None:
        """Insert an entry, with its message."""
        limits.check_entry(record, message)
        self.batch.put_entry(record, message)
        self.appended()

    def settle(self, queue_id: int, rank: int, seq: int, message_id: int) -> None:
        """Delete an entry, and its message with the last one."""
        self.batch.settle(queue_id, rank, seq, message_id)
        self.appended()

    def settle_all(self, queue_id: int) -> None:
        """Delete all entries of a queue."""
        self.batch.settle_all(queue_id)
        self.appended()

    def move_all(self, queue_id: int, target: int, flags_mask: int) -> None:
        """Hand all entries of a queue to another one."""
        self.batch.move_all(queue_id, target, flags_mask)
        self.appended()

    def set_redeliver(self, queue_id: int, rank: int, seq: int, redeliver: int) -> None:
        """Note a failed delivery of an entry."""
        self.batch.set_redeliver(queue_id, rank, seq, redeliver)
        self.appended()

    def set_number(self, queue_id: int, rank: int, seq: int, number: int) -> None:
        """Note the number under which an entry is sent."""
        self.batch.set_number(queue_id, rank, seq, number)
        self.appended()

    def set_flags(self, queue_id: int, rank: int, seq: int, flags: int) -> None:
        """Note other flags of an entry."""
        self.batch.set_flags(queue_id, rank, seq, flags)
        self.appended()

    def put_handled(self, session_id: int, handled: int) -> None:
        """Note how many stanzas of a session's client are handled."""
        self.batch.put_handled(session_id, handled)
        self.appended()

    def put_document(self, record: DocumentRecord) -> None:
        """Insert or replace."""
        limits.check_document(record)
        self.batch.put_document(record)
        self.appended()

    def delete_document(self, owner: str, kind: str, name: str) -> None:
        """Delete."""
        self.batch.delete_document(owner, kind, name)
        self.appended()

    def purge_documents(self, now: int) -> None:
        """Delete what has expired."""
        self.batch.purge_documents(now)
        self.appended()

    def put_audit(self, record: AuditRecord) -> None:
        """Insert or replace."""
        limits.check_audit(record)
        self.batch.put_audit(record)
        self.appended()

    def forget_audit(self, upto: int) -> None:
        """Delete older rows."""
        self.batch.forget_audit(upto)
        self.appended()

    def read_audit(self, query: AuditQuery) -> Deferred[list[AuditRecord]]:
        """Read rows of the audit; waits while the database fails."""
        read = self._ask_tables(lambda: self._reader.audit(query), lambda batch: batch.changes_audit)
        return read.addCallback(self._readable)

    def count_rows(self) -> Deferred[dict[str, int]]:
        """Count the rows of each table; waits while the database fails."""
        return self._ask_tables(self._reader.row_counts)

    def read_documents(self, owner: str, kind: str) -> Deferred[list[DocumentRecord]]:
        """Read documents of one kind; waits while the database fails."""
        read = self._ask_tables(lambda: self._reader.documents(owner, kind), lambda batch: batch.changes_documents)
        return read.addCallback(self._readable)

    def _readable(self, read: tuple[list[T], list[Unreadable]]) -> list[T]:
        found, unreadable = read
        self._tell(unreadable)
        return found

    def _tell(self, unreadable: list[Unreadable]) -> None:
        for row in unreadable:
            self.on_unreadable(row)

    def recover(self) -> Deferred[Recovered]:
        """Drop what does not outlive a crash, and read everything but messages."""
        return self._ask_tables(lambda: self._reader.recover(self._writer.unreadable))

    def read_entries(
        self, queue_id: int, rank: int, after: int, limit: int, max_bytes: int = -1
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank; waits while the database fails."""
        return self._ask_tables(
            lambda: self._reader.entries(queue_id, rank, after, limit, max_bytes),
            lambda batch: batch.changes_entries(queue_id, after),
        )

    def read_headers(
        self, queue_id: int, rank: int, after: int, limit: int
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank without contents; waits while the database fails."""
        return self._ask_tables(
            lambda: self._reader.headers(queue_id, rank, after, limit),
            lambda batch: batch.changes_entries(queue_id, after),
        )

    def read_back(
        self, queue_id: int, rank: int, before: int, limit: int, max_bytes: int
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank, the last first; waits while the database fails."""
        return self._ask_tables(
            lambda: self._reader.back(queue_id, rank, before, limit, max_bytes),
            lambda batch: batch.changes_entries(queue_id, -1),
        )

    def read_expired(
        self, now: int, limit: int, max_bytes: int, after: ExpiredPlace = FIRST_EXPIRED
    ) -> Deferred[list[ExpiredRecord]]:
        """Read entries of expired messages; waits while the database fails."""
        return self._ask_tables(lambda: self._reader.expired(now, limit, max_bytes, after))

    def _ask_tables(
        self, query: Callable[[], T], concerns: Callable[[Batch], bool] = lambda batch: True
    ) -> Deferred[T]:
        """Ask the tables once what was appended before, and concerns the query, is there."""

        def ask() -> T:
            self._writer.fold(concerns)
            return query()

        return self.ask(ask, patient=True, concerns=concerns)

    def put_account(self, record: AccountRecord, by: str = "") -> Deferred[None]:
        """Insert or replace an account; fails at once while the database fails, as all that is about accounts."""
        limits.check_account(record)
        return self._ask_accounts(accounts.put_account, record, by)

    def delete_account(self, name: str, by: str = "") -> Deferred[bool]:
        """Delete an account."""
        return self._ask_accounts(accounts.delete_account, name, by)

    def get_account(self, name: str) -> Deferred[AccountRecord | None]:
        """Read an account as it is on disk now."""
        read = self._ask_accounts(accounts.get_account, name)
        return read.addCallback(self._readable_account, name)

    def _readable_account(self, read: tuple[list[AccountRecord], list[Unreadable]], name: str) -> AccountRecord | None:
        self._tell(read[1])
        return account_of(name, *read)

    def set_role(self, name: str, role: str, by: str = "") -> Deferred[bool]:
        """Give an account another role."""
        return self._ask_accounts(accounts.set_role, name, role, by)

    def list_roles(self) -> Deferred[dict[str, str]]:
        """Roles of the accounts that have one."""
        return self._ask_accounts(accounts.list_roles)

    def list_accounts(self) -> Deferred[list[AccountRecord]]:
        """All accounts by name."""
        return self._ask_accounts(accounts.list_accounts).addCallback(self._readable)

    def read_account_changes(self) -> Deferred[list[AccountChange]]:
        """What was changed of accounts; may tell of a change again whose end is appended and not in its table yet."""
        read = self.ask(
            lambda: self._reader.documents(SECURITY_OWNER, account_changes.KIND),
            patient=False,
            concerns=lambda batch: batch.changes_accounts,
        )
        return read.addCallback(self._readable).addCallback(lambda found: list(map(account_changes.read_change, found)))

    def append_account(self, record: AccountRecord, action: AccountAction, by: str = "") -> None:
        """Insert or replace an account with the other operations."""
        limits.check_account(record)
        self.batch.put_account(record)
        self.put_document(account_changes.change_record(record.name, action, by))

    def append_removal(self, name: str, by: str = "") -> None:
        """Delete an account with the other operations."""
        self.batch.delete_account(name)
        self.put_document(account_changes.change_record(name, AccountAction.REMOVED, by))

    def forget_account_change(self, id: str) -> None:
        """A change has had its effect."""
        self.delete_document(SECURITY_OWNER, account_changes.KIND, id)

    def _ask_accounts(
        self, query: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        # Few batches have accounts, and those are never in the journal.
        return self.ask(
            lambda: query(self.database, *args, **kwargs),
            patient=False,
            concerns=lambda batch: batch.changes_accounts,
        )
