"""The open batch: operations that wait for their commit, coalesced (design D2, D4, D5).

Pure values, no I/O. What is put and deleted again within the batch leaves no trace in it; what has to be done to rows
that are on disk already is kept as a list of steps, because settling and moving do not commute.

A batch is applied in this order: :attr:`Batch.steps` one after the other, then :attr:`Batch.ended_sessions`,
:attr:`Batch.purge` and :attr:`Batch.forgotten`, then the records by table, then messages and entries, and last the
:attr:`Batch.released` messages as far as no entry refers to them any more.
"""

from __future__ import annotations

from typing import NamedTuple

from broker.model.records import (
    AccountRecord,
    AuditRecord,
    DocumentRecord,
    EntryRecord,
    MessageRecord,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
)

_new = tuple.__new__
_FLAGS, _REDELIVER, _NUMBER = map(EntryRecord._fields.index, ("flags", "redeliver", "number"))

EntryKey = tuple[int, int, int]
"""``(queue_id, rank, seq)``."""

SettledEntry = tuple[int, int, int, int]
"""``(queue_id, rank, seq, message_id)``."""

DocumentKey = tuple[str, str, str]
"""``(owner, kind, name)``."""

ALL = 2**63
"""Higher than every ``seq``."""


class ClearQueue(NamedTuple):
    """Delete all entries of a queue, and messages nothing refers to any more."""

    queue_id: int


class MoveQueue(NamedTuple):
    """Hand all entries of a queue to ``target`` and and ``flags_mask`` to their flags."""

    queue_id: int
    target: int
    flags_mask: int


class Step:
    """Changes of entries on disk that commute with each other, and then one change of a whole queue that does not.

    Args:
        settled: entries to delete, each with the id of its message.
        redelivered: entries and their new count of failed deliveries; an entry may have been settled meanwhile.
        numbered: entries and the number under which they are sent; likewise.
        flagged: entries and their flags; likewise.
        then: what follows.
    """

    __slots__ = ("flagged", "numbered", "redelivered", "settled", "then")

    def __init__(self) -> None:
        self.settled: list[SettledEntry] = []
        self.redelivered: dict[EntryKey, int] = {}
        self.numbered: dict[EntryKey, int] = {}
        self.flagged: dict[EntryKey, int] = {}
        self.then: ClearQueue | MoveQueue | None = None


class Batch:
    """Operations in order, as the fewest writes that have the same effect.

    Args:
        last_id: the highest id that was used before this batch.

    Attributes:
        position: of the last operation in it; set by the store that closes the batch.
        bytes: size of the messages that are to be written.
        last_id: the highest id that was ever used, in this batch or before, also by what was elided.
        heartbeat: milliseconds since 1970, or ``None``.
        subjects: by id, ``None`` to delete; likewise sessions, topics, subscriptions.
        ended_sessions: ids of sessions whose subscriptions and counters on disk are to be deleted.
        handled: how many stanzas are handled, by session id.
        accounts: by name, ``None`` to delete; a batch that has any goes to the tables, where other programs read them.
        documents: by owner, kind and name, ``None`` to delete.
        audit: rows of the audit to be inserted or replaced, by id.
        forgotten: older rows of the audit are to be deleted up to this id; 0 for none.
        purge: documents that expired until then are to be deleted; milliseconds since 1970, or ``None``.
        messages: to be inserted, by id.
        entries: to be inserted, by queue and then by ``(rank, seq)``.
        steps: changes of entries on disk, in order.
        released: ids of messages on disk that lost an entry.
    """

    __slots__ = (
        "_changed_to",
        "_references",
        "_step",
        "_subscriptions_of",
        "accounts",
        "audit",
        "bytes",
        "documents",
        "ended_sessions",
        "entries",
        "forgotten",
        "handled",
        "heartbeat",
        "last_id",
        "messages",
        "position",
        "purge",
        "released",
        "sessions",
        "steps",
        "subjects",
        "subscriptions",
        "topics",
    )

    def __init__(self, last_id: int = 0) -> None:
        self.position = 0
        self.bytes = 0
        self.last_id = last_id
        self.heartbeat: int | None = None
        self.subjects: dict[int, SubjectRecord | None] = {}
        self.sessions: dict[int, SessionRecord | None] = {}
        self.topics: dict[int, TopicRecord | None] = {}
        self.subscriptions: dict[str, SubscriptionRecord | None] = {}
        self.ended_sessions: set[int] = set()
        self.handled: dict[int, int] = {}
        self.accounts: dict[str, AccountRecord | None] = {}
        self.documents: dict[DocumentKey, DocumentRecord | None] = {}
        self.purge: int | None = None
        self.audit: dict[int, AuditRecord] = {}
        self.forgotten = 0
        self.messages: dict[int, MessageRecord] = {}
        self.entries: dict[int, dict[tuple[int, int], EntryRecord]] = {}
        self.released: set[int] = set()
        self._step = Step()
        self.steps: list[Step] = [self._step]
        self._changed_to: dict[int, int] = {}  # highest seq of what is changed on disk, by queue
        self._references: dict[int, int] = {}  # entries here of messages here, where they are more than one
        self._subscriptions_of: dict[int, set[str]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (
            self.entries
            or self.released
            or self.messages
            or self._step.redelivered
            or self._step.numbered
            or self._step.flagged
            or len(self.steps) > 1
            or self.sessions
            or self.subscriptions
            or self.topics
            or self.subjects
            or self.handled
            or self.documents
            or self.accounts
            or self.audit
            or self.forgotten
            or self.purge is not None
            or self.heartbeat is not None
        )

    @property
    def changes_documents(self) -> bool:
        """Whether a document may be another one than before it."""
        return bool(self.documents) or self.purge is not None

    @property
    def changes_accounts(self) -> bool:
        """Whether an account may be another one than before it."""
        return bool(self.accounts)

    @property
    def changes_audit(self) -> bool:
        """Whether a row of the audit may be another one than before it."""
        return bool(self.audit) or self.forgotten > 0

    def changes_entries(self, queue_id: int, after: int) -> bool:
        """Whether entries of a queue with ``seq > after`` may be others than before it."""
        return queue_id in self.entries or self._changed_to.get(queue_id, after) > after

    def beat(self, now: int, last_id: int) -> None:
        """See :meth:`broker.ports.IStore.beat`; so for all operations."""
        self.heartbeat = now
        self._use(last_id)

    def put_subject(self, record: SubjectRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.subjects[record.id] = record

    def delete_subject(self, id: int) -> None:
        """Delete."""
        self.subjects[id] = None

    def put_session(self, record: SessionRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.sessions[record.id] = record

    def delete_session(self, id: int) -> None:
        """Delete it and its subscriptions."""
        self.sessions[id] = None
        self.handled.pop(id, None)
        self.ended_sessions.add(id)
        for subscription_id in self._subscriptions_of.pop(id, ()):
            self.subscriptions[subscription_id] = None

    def put_subscription(self, record: SubscriptionRecord) -> None:
        """Insert or replace."""
        self._forget_owner(record.id)
        self.subscriptions[record.id] = record
        self._subscriptions_of.setdefault(record.session_id, set()).add(record.id)

    def delete_subscription(self, id: str) -> None:
        """Delete."""
        self._forget_owner(id)
        self.subscriptions[id] = None

    def put_topic(self, record: TopicRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.topics[record.id] = record

    def delete_topic(self, id: int) -> None:
        """Delete."""
        self.topics[id] = None

    def put_entry(self, record: EntryRecord, message: MessageRecord | None = None) -> None:
        """Insert an entry whose key is not in use, with its message unless that is there."""
        queue_id = record[0]  # its name would take twice the time, here and below
        seq = record[2]
        message_id = record[3]
        if seq > self.last_id:
            self.last_id = seq
        queue = self.entries.get(queue_id)
        if queue is None:
            queue = self.entries[queue_id] = {}
        queue[record[1:3]] = record
        messages = self.messages
        if message_id in messages:
            self._references[message_id] = self._references.get(message_id, 1) + 1
            if message is None:
                return
            self.bytes -= size_of(messages[message_id])
        elif message is None:
            return
        elif message_id > self.last_id:
            self.last_id = message_id
        messages[message_id] = message
        self.bytes += size_of(message)

    def settle(self, queue_id: int, rank: int, seq: int, message_id: int) -> None:
        """Delete an entry, and its message with the last one."""
        queue = self.entries.get(queue_id)
        if queue is not None and queue.pop((rank, seq), None) is not None:
            if not queue:
                del self.entries[queue_id]
            self._release(message_id)
            return
        self._step.settled.append((queue_id, rank, seq, message_id))
        self.released.add(message_id)
        if seq > self._changed_to.get(queue_id, 0):
            self._changed_to[queue_id] = seq

    def settle_all(self, queue_id: int) -> None:
        """Delete all entries of a queue."""
        for entry in self.entries.pop(queue_id, {}).values():
            self._release(entry.message_id)
        self._changed_to[queue_id] = ALL
        self._then(ClearQueue(queue_id))

    def move_all(self, queue_id: int, target: int, flags_mask: int) -> None:
        """Hand all entries of a queue to another one."""
        moved = self.entries.pop(queue_id, None)
        if moved:
            queue = self.entries.setdefault(target, {})
            for key, entry in moved.items():
                queue[key] = entry._replace(queue_id=target, flags=entry.flags & flags_mask)
        self._changed_to[queue_id] = self._changed_to[target] = ALL
        self._then(MoveQueue(queue_id, target, flags_mask))

    def set_redeliver(self, queue_id: int, rank: int, seq: int, redeliver: int) -> None:
        """Note a failed delivery of an entry."""
        self._change(self._step.redelivered, _REDELIVER, (queue_id, rank, seq), redeliver)

    def set_number(self, queue_id: int, rank: int, seq: int, number: int) -> None:
        """Note the number under which an entry is sent."""
        self._change(self._step.numbered, _NUMBER, (queue_id, rank, seq), number)

    def set_flags(self, queue_id: int, rank: int, seq: int, flags: int) -> None:
        """Note other flags of an entry."""
        self._change(self._step.flagged, _FLAGS, (queue_id, rank, seq), flags)

    def put_handled(self, session_id: int, handled: int) -> None:
        """Note how many stanzas are handled."""
        self.handled[session_id] = handled

    def put_document(self, record: DocumentRecord) -> None:
        """Insert or replace."""
        self.documents[record[:3]] = record

    def delete_document(self, owner: str, kind: str, name: str) -> None:
        """Delete."""
        self.documents[owner, kind, name] = None

    def put_account(self, record: AccountRecord) -> None:
        """Insert or replace."""
        self.accounts[record.name] = record

    def delete_account(self, name: str) -> None:
        """Delete."""
        self.accounts[name] = None

    def purge_documents(self, now: int) -> None:
        """Delete what has expired, of this batch and of those before."""
        self.purge = now if self.purge is None else max(now, self.purge)
        for key, record in self.documents.items():
            if record is not None and 0 < record.expires <= now:
                self.documents[key] = None

    def put_audit(self, record: AuditRecord) -> None:
        """Insert or replace."""
        self._use(record.id)
        self.audit[record.id] = record

    def forget_audit(self, upto: int) -> None:
        """Delete older rows, of this batch and of those before."""
        self.forgotten = max(upto, self.forgotten)
        for id in [id for id in self.audit if id <= upto]:
            del self.audit[id]

    def merge(self, other: Batch) -> None:
        """Append the operations of another batch, which came after those of this one.

        Args:
            other: of no use afterwards.
        """
        self._refer(other)
        for step in other.steps:
            self._merge_step(step)
        self._merge_records(other)
        references = self._references
        for id in self.messages.keys() & other.messages.keys():
            self.bytes -= size_of(self.messages[id])
            other._references[id] = references.get(id, 1) + other._references.get(id, 1)
        self.messages.update(other.messages)
        self.bytes += other.bytes
        references.update(other._references)
        for queue_id, queue in other.entries.items():
            self.entries.setdefault(queue_id, queue).update(queue)
        self.last_id = max(self.last_id, other.last_id)
        self.position = other.position

    def _refer(self, other: Batch) -> None:
        """Count references to messages of this batch first, so that none that is settled is taken for the last one."""
        references = self._references
        own = len(other.messages) + sum(other._references.values()) - len(other._references)
        if own == sum(map(len, other.entries.values())):
            return
        for queue in other.entries.values():
            for entry in queue.values():
                message_id = entry.message_id
                if message_id in self.messages and message_id not in other.messages:
                    references[message_id] = references.get(message_id, 1) + 1

    def _merge_step(self, step: Step) -> None:
        for settled in step.settled:
            self.settle(*settled)
        for key, redeliver in step.redelivered.items():
            self.set_redeliver(*key, redeliver)
        for key, number in step.numbered.items():
            self.set_number(*key, number)
        for key, flags in step.flagged.items():
            self.set_flags(*key, flags)
        match step.then:
            case ClearQueue(queue_id):
                self.settle_all(queue_id)
            case MoveQueue(queue_id, target, flags_mask):
                self.move_all(queue_id, target, flags_mask)

    def _merge_records(self, other: Batch) -> None:
        for id in other.ended_sessions:
            self.delete_session(id)
        self.subjects.update(other.subjects)
        self.sessions.update(other.sessions)
        self.topics.update(other.topics)
        for subscription_id, record in other.subscriptions.items():
            if record is None:
                self.delete_subscription(subscription_id)
            else:
                self.put_subscription(record)
        self.handled.update(other.handled)
        if other.purge is not None:
            self.purge_documents(other.purge)
        self.documents.update(other.documents)
        self.accounts.update(other.accounts)
        if other.forgotten:
            self.forget_audit(other.forgotten)
        self.audit.update(other.audit)
        if other.heartbeat is not None:
            self.heartbeat = other.heartbeat

    def _change(self, changes: dict[EntryKey, int], field: int, key: EntryKey, value: int) -> None:
        queue_id, rank, seq = key
        queue = self.entries.get(queue_id, {})
        entry = queue.get((rank, seq))
        if entry is None:
            changes[key] = value
            self._changed_to[queue_id] = max(seq, self._changed_to.get(queue_id, 0))
        else:  # what entry._replace does, in a third of the time
            queue[rank, seq] = _new(EntryRecord, (*entry[:field], value, *entry[field + 1 :]))

    def _use(self, id: int) -> None:
        if id > self.last_id:
            self.last_id = id

    def _forget_owner(self, subscription_id: str) -> None:
        known = self.subscriptions.get(subscription_id)
        if known is not None:
            self._subscriptions_of[known.session_id].discard(subscription_id)

    def _release(self, message_id: int) -> None:
        # A message of this batch has no entries elsewhere; one that is on disk lives by its entries there.
        references = self._references
        if message_id in references:
            if references[message_id] > 2:
                references[message_id] -= 1
            else:
                del references[message_id]
            return
        message = self.messages.pop(message_id, None)
        if message is not None:
            self.bytes -= size_of(message)

    def _then(self, change: ClearQueue | MoveQueue) -> None:
        self._step.then = change
        self._step = Step()
        self.steps.append(self._step)


def size_of(message: MessageRecord) -> int:
    """Bytes that a message counts for in the store's backlog."""
    _, _, _, key, qos, content, _ = message
    return len(content) + len(key) + len(qos)
