"""The store without a disk: for tests, and for brokers that may forget (``db.url=memory:``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from broker.errors import BrokerError
from broker.histogram import Histogram
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
from broker.store import limits
from broker.store.account_changes import KIND, change_record
from broker.store.batch import size_of
from broker.store.commits import CommitWaiters
from broker.store.rows import account_of
from broker.store.tables import Tables

P = ParamSpec("P")
T = TypeVar("T")


@implementer(IStore)
class MemoryStore:
    """A store whose "disk" is :attr:`tables`; it commits in the next turn of the reactor.

    So that tests can look between an operation and its commit, commits can be held back (:attr:`held`, :meth:`commit`),
    made to fail (:meth:`fail`), and what was not committed can be lost (:meth:`crash`).

    Args:
        clock: schedules commits.

    Attributes:
        held: while true nothing is committed but by :meth:`commit`.
        tables: what is committed; it survives :meth:`close` and :meth:`crash`.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.before_commit: Callable[[bool], None] | None = None
        self.on_unreadable: Callable[[Unreadable], None] = lambda row: None
        self.position = 0
        self.committed = 0
        self.backlog = 0
        self.failure: BrokerError | None = None
        self.failing_since: float | None = None
        self.commit_seconds, self.commit_operations = Histogram(()), Histogram(())
        self.reads = self.folds = self.waiting = 0
        self.stands_by = False
        self.on_taken_over: Callable[[BrokerError], object] = lambda failure: None
        self.held = False
        self.tables = Tables()
        self._clock = clock
        self._waiters = CommitWaiters()
        self._pending: list[Callable[[], object]] = []
        self._answers: list[Callable[[], None]] = []
        self._turn: IDelayedCall | None = None

    def commit(self) -> None:
        """Commit what has gathered, now; then tell who waits for it."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self.before_commit is not None:
            self.before_commit(False)
        pending, self._pending = self._pending, []
        for operation in pending:
            operation()
        self.backlog = 0
        self.committed = self.position
        self._waiters.fire(self.committed)
        answers, self._answers = self._answers, []
        for answer in answers:
            answer()

    def fail(self, failure: BrokerError) -> None:
        """Commit nothing until :meth:`heal`."""
        self.failure = failure
        self.failing_since = self._clock.seconds()

    def heal(self) -> None:
        """Commit again, in the next turn."""
        self.failure = self.failing_since = None
        self._wake()

    def crash(self) -> None:
        """Lose what was not committed, and everybody who waits for it."""
        self._pending.clear()
        self._answers.clear()
        self._waiters.clear()
        self.committed = self.position
        self.backlog = 0

    def open(self) -> Deferred[None]:
        """Nothing to open."""
        return succeed(None)

    def stop_waiting(self) -> None:
        """Nothing is waited for."""

    def close(self) -> Deferred[None]:
        """Commit what has gathered."""
        if self.failure is None:
            self.commit()
        return succeed(None)

    def when_committed(self, position: int, callback: Callable[[], object]) -> None:
        """Call back once ``position`` is committed."""
        if position <= self.committed:
            callback()
        else:
            self._waiters.add(position, callback)

    def end_turn(self) -> None:
        """It commits in the next turn all the same."""

    def recover(self) -> Deferred[Recovered]:
        """Drop what does not outlive a crash, and read the rest."""
        return self._read(self.tables.recover)

    def beat(self, now: int, last_id: int) -> None:
        """Note that the broker is running, and has used no id above ``last_id``."""
        self._append(self.tables.beat, now, last_id)

    def put_subject(self, record: SubjectRecord) -> None:
        """Insert or replace."""
        limits.check_subject(record)
        self._append(self.tables.put_subject, record)

    def delete_subject(self, id: int) -> None:
        """Delete."""
        self._append(self.tables.delete_subject, id)

    def put_session(self, record: SessionRecord) -> None:
        """Insert or replace."""
        limits.check_session(record)
        self._append(self.tables.put_session, record)

    def delete_session(self, id: int) -> None:
        """Delete it and its subscriptions."""
        self._append(self.tables.delete_session, id)

    def put_subscription(self, record: SubscriptionRecord) -> None:
        """Insert or replace."""
        limits.check_subscription(record)
        self._append(self.tables.put_subscription, record)

    def delete_subscription(self, id: str) -> None:
        """Delete."""
        self._append(self.tables.delete_subscription, id)

    def put_topic(self, record: TopicRecord) -> None:
        """Insert or replace."""
        limits.check_topic(record)
        self._append(self.tables.put_topic, record)

    def delete_topic(self, id: int) -> None:
        """Delete."""
        self._append(self.tables.delete_topic, id)

    def put_entry(self, record: EntryRecord, message: MessageRecord | None = None) -> None:
        """Insert an entry, with its message."""
        limits.check_entry(record, message)
        if message is not None:
            self.backlog += size_of(message)
        self._append(self.tables.put_entry, record, message)

    def settle(self, queue_id: int, rank: int, seq: int, message_id: int) -> None:
        """Delete an entry, and its message with the last one."""
        self._append(self.tables.settle, queue_id, rank, seq, message_id)

    def settle_all(self, queue_id: int) -> None:
        """Delete all entries of a queue."""
        self._append(self.tables.settle_all, queue_id)

    def move_all(self, queue_id: int, target: int, flags_mask: int) -> None:
        """Hand all entries of a queue to another one."""
        self._append(self.tables.move_all, queue_id, target, flags_mask)

    def set_redeliver(self, queue_id: int, rank: int, seq: int, redeliver: int) -> None:
        """Note a failed delivery of an entry."""
        self._append(self.tables.set_redeliver, queue_id, rank, seq, redeliver)

    def set_flags(self, queue_id: int, rank: int, seq: int, flags: int) -> None:
        """Note other flags of an entry."""
        self._append(self.tables.set_flags, queue_id, rank, seq, flags)

    def set_number(self, queue_id: int, rank: int, seq: int, number: int) -> None:
        """Note the number under which an entry is sent."""
        self._append(self.tables.set_number, queue_id, rank, seq, number)

    def put_handled(self, session_id: int, handled: int) -> None:
        """Note how many stanzas of a session's client are handled."""
        self._append(self.tables.put_handled, session_id, handled)

    def put_document(self, record: DocumentRecord) -> None:
        """Insert or replace."""
        limits.check_document(record)
        self._append(self.tables.put_document, record)

    def delete_document(self, owner: str, kind: str, name: str) -> None:
        """Delete."""
        self._append(self.tables.delete_document, owner, kind, name)

    def purge_documents(self, now: int) -> None:
        """Delete what has expired."""
        self._append(self.tables.purge_documents, now)

    def put_audit(self, record: AuditRecord) -> None:
        """Insert or replace."""
        limits.check_audit(record)
        self._append(self.tables.put_audit, record)

    def forget_audit(self, upto: int) -> None:
        """Delete older rows."""
        self._append(self.tables.forget_audit, upto)

    def read_audit(self, query: AuditQuery) -> Deferred[list[AuditRecord]]:
        """Read rows of the audit."""
        return self._read(self.tables.read_audit, query, self.on_unreadable)

    def count_rows(self) -> Deferred[dict[str, int]]:
        """Count what there is of each kind."""
        return self._read(self.tables.row_counts)

    def read_documents(self, owner: str, kind: str) -> Deferred[list[DocumentRecord]]:
        """Read documents of one kind."""
        return self._read(self.tables.read_documents, owner, kind, self.on_unreadable)

    def read_entries(
        self, queue_id: int, rank: int, after: int, limit: int, max_bytes: int = -1
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank."""
        return self._read(self.tables.read_entries, queue_id, rank, after, limit, max_bytes)

    def read_headers(
        self, queue_id: int, rank: int, after: int, limit: int
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank without contents."""
        return self._read(self.tables.read_headers, queue_id, rank, after, limit)

    def read_back(
        self, queue_id: int, rank: int, before: int, limit: int, max_bytes: int
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank, the last first."""
        return self._read(self.tables.read_back, queue_id, rank, before, limit, max_bytes)

    def read_expired(
        self, now: int, limit: int, max_bytes: int, after: ExpiredPlace = FIRST_EXPIRED
    ) -> Deferred[list[ExpiredRecord]]:
        """Read entries of expired messages."""
        return self._read(self.tables.read_expired, now, limit, max_bytes, after)

    def put_account(self, record: AccountRecord, by: str = "") -> Deferred[None]:
        """Insert or replace an account."""
        limits.check_account(record)
        return self._read(self.tables.put_account, record, by)

    def delete_account(self, name: str, by: str = "") -> Deferred[bool]:
        """Delete an account."""
        return self._read(self.tables.delete_account, name, by)

    def get_account(self, name: str) -> Deferred[AccountRecord | None]:
        """Read an account."""
        return self._read(self.tables.get_account, name).addCallback(self._account, name)

    def set_role(self, name: str, role: str, by: str = "") -> Deferred[bool]:
        """Give an account another role."""
        return self._read(self.tables.set_role, name, role, by)

    def list_roles(self) -> Deferred[dict[str, str]]:
        """Roles of the accounts that have one."""
        return self._read(self.tables.list_roles)

    def list_accounts(self) -> Deferred[list[AccountRecord]]:
        """All accounts by name."""
        return self._read(self.tables.list_accounts).addCallback(self._accounts)

    def read_account_changes(self) -> Deferred[list[AccountChange]]:
        """What was changed of accounts; waits for no commit."""
        if self.failure is not None:
            return fail(self.failure)
        return deferLater(self._clock, 0, self.tables.read_account_changes)

    def append_account(self, record: AccountRecord, action: AccountAction, by: str = "") -> None:
        """Insert or replace an account with the other operations."""
        limits.check_account(record)
        self._append(self.tables.append_account, record)
        self.put_document(change_record(record.name, action, by))

    def append_removal(self, name: str, by: str = "") -> None:
        """Delete an account with the other operations."""
        self._append(self.tables.append_removal, name)
        self.put_document(change_record(name, AccountAction.REMOVED, by))

    def forget_account_change(self, id: str) -> None:
        """A change has had its effect."""
        self.delete_document(SECURITY_OWNER, KIND, id)

    def _account(self, read: tuple[list[AccountRecord], list[Unreadable]], name: str) -> AccountRecord | None:
        self._accounts(read)
        return account_of(name, *read)

    def _accounts(self, read: tuple[list[AccountRecord], list[Unreadable]]) -> list[AccountRecord]:
        found, unreadable = read
        for row in unreadable:
            self.on_unreadable(row)
        return found

    def _append(self, operation: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        self.position += 1
        self._schedule(lambda: operation(*args, **kwargs))

    def _read(self, query: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run a query after the operations before it, and answer after their commit."""
        deferred: Deferred[T] = Deferred()

        def run() -> None:
            result = query(*args, **kwargs)
            self._answers.append(lambda: deferred.callback(result))

        self._schedule(run)
        return deferred

    def _schedule(self, operation: Callable[[], object]) -> None:
        self._pending.append(operation)
        self._wake()

    def _wake(self) -> None:
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        if not self.held and self.failure is None:
            self.commit()
