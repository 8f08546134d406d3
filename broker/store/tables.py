"""The store's tables as plain dictionaries, each operation applied at once: the meaning of every operation."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from broker.model.records import (
    COPIED,
    FIRST_EXPIRED,
    HAD,
    SECURITY_OWNER,
    TRANSIENT,
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
    QueueDepth,
    Recovered,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
    Unreadable,
)
from broker.store.account_changes import KIND, change_record, read_change
from broker.store.rows import MAX_ENTRY_BYTES, HandledRow, expired_row, pair, records


def _size(entry: EntryRecord) -> int:
    return entry.size if type(entry.size) is int and 0 <= entry.size <= MAX_ENTRY_BYTES else 0


def _is_wanted(record: AuditRecord, query: AuditQuery) -> bool:
    return (
        query.since <= record.at
        and (not query.until or record.at < query.until)
        and (not query.before or record.id < query.before)
        and all(_is_like(getattr(record, name), getattr(query, name)) for name in ("principal", "action", "target"))
    )


def _is_like(text: str, wanted: str) -> bool:
    return not wanted or (text.startswith(wanted[:-1]) if wanted.endswith("*") else text == wanted)


class _Rank:
    """Entries of one queue and rank, in order of ``seq``."""

    __slots__ = ("entries", "order")

    def __init__(self) -> None:
        self.entries: dict[int, EntryRecord] = {}
        self.order: list[int] = []

    def put(self, entry: EntryRecord) -> None:
        if entry.seq not in self.entries:
            insort(self.order, entry.seq)  # at the end but for a moved queue
        self.entries[entry.seq] = entry

    def pop(self, seq: int) -> EntryRecord | None:
        entry = self.entries.pop(seq, None)
        if entry is not None:
            del self.order[bisect_right(self.order, seq) - 1]
        return entry

    def after(self, seq: int, limit: int) -> list[EntryRecord]:
        start = bisect_right(self.order, seq)
        return [self.entries[found] for found in self.order[start : start + limit]]

    def before(self, seq: int, limit: int) -> list[EntryRecord]:
        end = bisect_left(self.order, seq)
        return [self.entries[found] for found in reversed(self.order[max(0, end - limit) : end])]


class Tables:
    """What is "on disk" for the store that has no disk. Methods are those of :class:`broker.ports.IStore`, at once."""

    def __init__(self) -> None:
        self.subjects: dict[int, SubjectRecord] = {}
        self.sessions: dict[int, SessionRecord] = {}
        self.subscriptions: dict[str, SubscriptionRecord] = {}
        self.topics: dict[int, TopicRecord] = {}
        self.messages: dict[int, MessageRecord] = {}
        self.accounts: dict[str, AccountRecord] = {}
        self.documents: dict[tuple[str, str, str], DocumentRecord] = {}
        self.audit: dict[int, AuditRecord] = {}
        self.handled: dict[int, int] = {}
        self.last_id = 0
        self.heartbeat = 0
        self._queues: dict[int, dict[int, _Rank]] = {}
        self._references: dict[int, int] = {}

    def beat(self, now: int, last_id: int) -> None:
        """Keep the heartbeat and the highest id."""
        self.heartbeat = now
        self._use(last_id)

    def row_counts(self) -> dict[str, int]:
        """How many rows there are, by the names of the tables that a database has."""
        ranks = [rank for ranks in self._queues.values() for rank in ranks.values()]
        return {
            "account": len(self.accounts),
            "audit": len(self.audit),
            "document": len(self.documents),
            "entry": sum(len(rank.entries) for rank in ranks),
            "handled": len(self.handled),
            "message": len(self.messages),
            "session": len(self.sessions),
            "subject": len(self.subjects),
            "subscription": len(self.subscriptions),
            "topic": len(self.topics),
        }

    def put_subject(self, record: SubjectRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.subjects[record.id] = record

    def delete_subject(self, id: int) -> None:
        """Delete."""
        self.subjects.pop(id, None)

    def put_session(self, record: SessionRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.sessions[record.id] = record

    def delete_session(self, id: int) -> None:
        """Delete it and its subscriptions."""
        self.sessions.pop(id, None)
        self.handled.pop(id, None)
        for subscription in [known for known in self.subscriptions.values() if known.session_id == id]:
            del self.subscriptions[subscription.id]

    def put_subscription(self, record: SubscriptionRecord) -> None:
        """Insert or replace."""
        self.subscriptions[record.id] = record

    def delete_subscription(self, id: str) -> None:
        """Delete."""
        self.subscriptions.pop(id, None)

    def put_topic(self, record: TopicRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.topics[record.id] = record

    def delete_topic(self, id: int) -> None:
        """Delete."""
        self.topics.pop(id, None)

    def put_entry(self, record: EntryRecord, message: MessageRecord | None = None) -> None:
        """Insert an entry, with its message unless that is there."""
        if message is not None:
            self._use(message.id)
            self.messages[message.id] = message
            self._references.setdefault(message.id, 0)
        self._use(record.seq)
        self._references[record.message_id] += 1
        self._put(record)

    def settle(self, queue_id: int, rank: int, seq: int, message_id: int) -> None:
        """Delete an entry, and its message with the last one."""
        entries = self._queues.get(queue_id, {}).get(rank)
        entry = entries.pop(seq) if entries else None
        if entry is not None:
            self._release(entry.message_id)

    def settle_all(self, queue_id: int) -> None:
        """Delete all entries of a queue."""
        for rank in self._queues.pop(queue_id, {}).values():
            for entry in rank.entries.values():
                self._release(entry.message_id)

    def move_all(self, queue_id: int, target: int, flags_mask: int) -> None:
        """Hand all entries of a queue to another one."""
        for rank in self._queues.pop(queue_id, {}).values():
            for entry in rank.entries.values():
                self._put(entry._replace(queue_id=target, flags=entry.flags & flags_mask))

    def set_redeliver(self, queue_id: int, rank: int, seq: int, redeliver: int) -> None:
        """Note a failed delivery of an entry."""
        self._change(queue_id, rank, seq, redeliver=redeliver)

    def set_number(self, queue_id: int, rank: int, seq: int, number: int) -> None:
        """Note the number under which an entry is sent."""
        self._change(queue_id, rank, seq, number=number)

    def set_flags(self, queue_id: int, rank: int, seq: int, flags: int) -> None:
        """Note other flags of an entry."""
        self._change(queue_id, rank, seq, flags=flags)

    def put_handled(self, session_id: int, handled: int) -> None:
        """Note how many stanzas are handled."""
        self.handled[session_id] = handled

    def put_document(self, record: DocumentRecord) -> None:
        """Insert or replace."""
        self.documents[record[:3]] = record

    def delete_document(self, owner: str, kind: str, name: str) -> None:
        """Delete."""
        self.documents.pop((owner, kind, name), None)

    def purge_documents(self, now: int) -> None:
        """Delete what has expired."""
        for key in [key for key, record in self.documents.items() if 0 < record.expires <= now]:
            del self.documents[key]

    def put_audit(self, record: AuditRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.audit[record.id] = record

    def forget_audit(self, upto: int) -> None:
        """Delete older rows."""
        for id in [id for id in self.audit if id <= upto]:
            del self.audit[id]

    def read_audit(
        self, query: AuditQuery, tell: Callable[[Unreadable], object] = lambda unreadable: None
    ) -> list[AuditRecord]:
        """Rows of the audit, the newest first."""
        rows = [self.audit[id] for id in sorted(self.audit, reverse=True) if _is_wanted(self.audit[id], query)]
        return list(records(AuditRecord, rows[query.skip : query.skip + query.limit], tell))

    def read_documents(
        self, owner: str, kind: str, tell: Callable[[Unreadable], object] = lambda unreadable: None
    ) -> list[DocumentRecord]:
        """Documents of one kind or of all, of one owner or of all."""
        rows = [each for each in self.documents.values() if kind in ("", each[1]) and owner in ("", each[0])]
        return sorted(records(DocumentRecord, rows, tell))

    def read_entries(
        self, queue_id: int, rank: int, after: int, limit: int, max_bytes: int = -1
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        """Read entries of one queue and rank."""
        entries = self._queues.get(queue_id, {}).get(rank)
        return self._limited(entries.after(after, limit) if entries else [], max_bytes)

    def _limited(self, entries: list[EntryRecord], max_bytes: int) -> list[tuple[EntryRecord, MessageRecord]]:
        found: list[tuple[EntryRecord, MessageRecord]] = []
        size = 0
        for entry in entries:
            if 0 <= max_bytes <= size and found:
                break
            read = pair(entry, self.messages[entry.message_id])
            if read is not None:
                found.append(read)
                size += read[0].size
        return found

    def read_back(
        self, queue_id: int, rank: int, before: int, limit: int, max_bytes: int
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        """Read entries of one queue and rank, the last first."""
        entries = self._queues.get(queue_id, {}).get(rank)
        return self._limited(entries.before(before, limit) if entries else [], max_bytes)

    def read_headers(self, queue_id: int, rank: int, after: int, limit: int) -> list[tuple[EntryRecord, MessageRecord]]:
        """Read entries of one queue and rank without contents."""
        found = self.read_entries(queue_id, rank, after, limit)
        return [(entry, message._replace(content=b"")) for entry, message in found]

    def read_expired(
        self, now: int, limit: int, max_bytes: int, after: ExpiredPlace = FIRST_EXPIRED
    ) -> list[ExpiredRecord]:
        """Read entries of expired messages, the longest expired first."""
        messages = ((entry, self.messages[entry.message_id]) for entry in self.entries())
        expired = [
            row
            for entry, message in messages
            if (row := expired_row(entry, (message.oid, message.sender, message.key, message.qos, message.expires)))
            and 0 < row.expires <= now
        ]
        found: list[ExpiredRecord] = []
        size = 0
        for row in sorted(expired, key=lambda row: row.place):
            if row.place > after:
                if len(found) == limit or size >= max_bytes:
                    break
                found.append(row)
                size += len(row.key) + len(row.qos)
        return found

    def recover(self) -> Recovered:
        """Drop what does not outlive a crash, and read the rest."""
        for entry in [known for known in self.entries() if type(known.flags) is int and known.flags & TRANSIENT]:
            self.settle(entry.queue_id, entry.rank, entry.seq, entry.message_id)
        for id in [id for id, references in self._references.items() if not references]:
            del self.messages[id], self._references[id]
        unreadable: list[Unreadable] = []
        tell = unreadable.append
        depths = [
            QueueDepth(queue_id, rank, len(entries.order), sum(map(_size, entries.entries.values())))
            for queue_id, ranks in self._queues.items()
            for rank, entries in ranks.items()
            if entries.order
        ]
        unreadable += self.list_accounts()[1]
        return Recovered(
            subjects=sorted(records(SubjectRecord, self.subjects.values(), tell)),
            sessions=sorted(records(SessionRecord, self.sessions.values(), tell)),
            subscriptions=sorted(records(SubscriptionRecord, self.subscriptions.values(), tell)),
            topics=sorted(records(TopicRecord, self.topics.values(), tell)),
            depths=sorted(depths),
            last_id=self.last_id,
            heartbeat=self.heartbeat,
            handled=dict(records(HandledRow, self.handled.items(), tell)),
            copies=sorted(
                entry
                for entry in records(EntryRecord, self.entries(), lambda row: None)
                if entry.flags & (COPIED | HAD) == COPIED
            ),
            unreadable=unreadable,
        )

    def entries(self) -> Iterator[EntryRecord]:
        """All entries, in no particular order."""
        for ranks in self._queues.values():
            for rank in ranks.values():
                yield from rank.entries.values()

    def put_account(self, record: AccountRecord, by: str = "") -> None:
        """Insert or replace."""
        action = AccountAction.PASSWORD if record.name in self.accounts else AccountAction.ADDED
        self.put_document(change_record(record.name, action, by))
        self.accounts[record.name] = record

    def delete_account(self, name: str, by: str = "") -> bool:
        """Delete; tell whether there was one."""
        found = self.accounts.pop(name, None) is not None
        if found:
            self.put_document(change_record(name, AccountAction.REMOVED, by))
        return found

    def append_account(self, record: AccountRecord) -> None:
        """Insert or replace; what has changed of it is told apart."""
        self.accounts[record.name] = record

    def append_removal(self, name: str) -> None:
        """Delete; likewise."""
        self.accounts.pop(name, None)

    def read_account_changes(self) -> list[AccountChange]:
        """What was changed of accounts."""
        return [read_change(each) for each in self.read_documents(SECURITY_OWNER, KIND)]

    def list_roles(self) -> dict[str, str]:
        """Roles of the accounts that have one."""
        return {each.name: each.role for each in self.accounts.values() if each.role}

    def set_role(self, name: str, role: str, by: str = "") -> bool:
        """Give an account another role; tell whether there is one."""
        record = self.accounts.get(name)
        if record is not None:
            self.accounts[name] = record._replace(role=role)
            self.put_document(change_record(name, AccountAction.ROLE, by))
        return record is not None

    def get_account(self, name: str) -> tuple[list[AccountRecord], list[Unreadable]]:
        """Read: as a list that is empty where there is none, and what is none."""
        return self._accounts([self.accounts[name]] if name in self.accounts else [])

    def list_accounts(self) -> tuple[list[AccountRecord], list[Unreadable]]:
        """All, by name, and what is none."""
        return self._accounts(self.accounts.values())

    def _accounts(self, rows: Iterable[AccountRecord]) -> tuple[list[AccountRecord], list[Unreadable]]:
        unreadable: list[Unreadable] = []
        return sorted(records(AccountRecord, rows, unreadable.append)), unreadable

    def _change(self, queue_id: int, rank: int, seq: int, **values: Any) -> None:
        entries = self._queues.get(queue_id, {}).get(rank)
        if entries and seq in entries.entries:
            entries.entries[seq] = entries.entries[seq]._replace(**values)

    def _use(self, id: int) -> None:
        self.last_id = max(self.last_id, id)

    def _put(self, entry: EntryRecord) -> None:
        self._queues.setdefault(entry.queue_id, {}).setdefault(entry.rank, _Rank()).put(entry)

    def _release(self, message_id: int) -> None:
        self._references[message_id] -= 1
        if not self._references[message_id]:
            del self.messages[message_id], self._references[message_id]
