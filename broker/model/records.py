"""Rows of the store as plain tuples: what the core appends and what recovery reads back (design D2, D14)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

TRANSIENT = 1
"""Entry flag: swapped out for want of memory only; dropped when the broker starts."""
INITIAL = 2
"""Entry flag: comes from the history because of a new subscription."""
ONEWAY = 4
"""Entry flag: deliver without acknowledgement."""
NEWEST_ONLY = 8
"""Entry flag: not delivered any more once a newer message of its subscription is queued."""
NO_CONTENT = 16
"""Entry flag: deliver without the content."""
NO_META = 32
"""Entry flag: deliver the key without its meta data."""
FOR_SUBJECT = 64
"""Entry flag: meant for the subject rather than for one session of it, so it goes back there if the session ends."""
DELAYED = 128
"""Entry flag: it had to wait for its receiver, who may be told since when."""
EPHEMERAL = 256
"""Entry flag: of no use to anybody else, so it is dropped when its session ends."""
COPIED = 512
"""Entry flag: other sessions of the subject got copies."""
HAD = 1024
"""Entry flag: one of them has had its copy, so this one does not go back to the subject."""


ExpiredPlace = tuple[int, int, int, int, int]
"""``(expires, message_id, queue_id, rank, seq)``: by these, entries of expired messages are in order."""
FIRST_EXPIRED: ExpiredPlace = (0, 0, 0, 0, 0)
"""Before all of them."""


class SubjectRecord(NamedTuple):
    """A login name that owns sessions or queued messages, or that administration has limited.

    Args:
        id: unique within the node; also of its subject queue.
        name: the login name.
        blocked: when its logins were blocked, milliseconds since 1970; 0 where they are not.
        max_sessions: that it may have; 0 for what the configuration says.
    """

    id: int
    name: str
    blocked: int = 0
    max_sessions: int = 0


class SessionRecord(NamedTuple):
    """A session that survives a crash. ``id`` is also the id of its callback queue.

    Args:
        id: unique within the node.
        subject: login name.
        public_id: of the session.
        kind: ``native`` or ``xmpp``.
        secret_id: the bearer's secret.
        state: the protocol's own description (native: the connect QoS without credentials, as XML).
        persistent: 0 for a session that is kept only because durable messages wait in its queue.
        dispatcher_active: 0 while delivery is suspended.
        epoch: raised by every take-over (design D8).
        created: milliseconds since 1970.
        seen: of the last request, milliseconds since 1970.
        attached: 1 while a client takes deliveries, so that after a crash some may be repeated.
    """

    id: int
    subject: str
    public_id: int
    kind: str
    secret_id: str
    state: bytes
    persistent: int
    dispatcher_active: int
    epoch: int
    created: int
    seen: int
    attached: int = 0


class SubscriptionRecord(NamedTuple):
    """A persistent subscription, with key and QoS as the client gave them."""

    id: str
    session_id: int
    key: bytes
    qos: bytes
    created: int


class TopicRecord(NamedTuple):
    """A topic and its configuration. ``id`` is also the id of its history queue.

    Args:
        id: unique within the node.
        oid: its name.
        key: the key XML of the first publish.
        qos: the publish QoS XML that configured it.
        owner: login name of whom it belongs to; empty for nobody.
        creator: login name that it counts for; empty for nobody.
    """

    id: int
    oid: str
    key: bytes
    qos: bytes
    owner: str = ""
    creator: str = ""


class MessageRecord(NamedTuple):
    """A message that at least one queue entry refers to (design D5).

    Args:
        id: receive timestamp in nanoseconds, unique within the node.
        oid: of the topic.
        sender: absolute session name.
        key: key XML as it came.
        qos: publish QoS XML as it came.
        content: opaque bytes.
        expires: milliseconds since 1970, 0 never.
    """

    id: int
    oid: str
    sender: str
    key: bytes
    qos: bytes
    content: bytes
    expires: int


class ExpiredRecord(NamedTuple):
    """An entry whose message has expired, and what is known of the message without reading its content.

    Args:
        entry: of a queue or history.
        oid: of the message; so the others.
        sender: absolute session name.
        key: key XML as it came.
        qos: publish QoS XML as it came.
        expires: milliseconds since 1970.
    """

    entry: EntryRecord
    oid: str
    sender: str
    key: bytes
    qos: bytes
    expires: int

    @property
    def place(self) -> ExpiredPlace:
        """Where it is among all that have expired."""
        entry = self.entry
        return self.expires, entry.message_id, entry.queue_id, entry.rank, entry.seq


class EntryRecord(NamedTuple):
    """One queue's reference to a message. ``(queue_id, rank, seq)`` is unique and is the order of delivery.

    Args:
        queue_id: of the session, subject or topic that owns the queue.
        rank: 9 minus priority, so that ascending order delivers the highest priority first.
        seq: unique within the node, ascending.
        message_id: the message.
        subscription_id: that caused the entry; empty in history queues.
        flags: those above, or-ed.
        redeliver: failed deliveries so far.
        size: bytes that the entry counts for in its queue.
        number: the stanza's number on its stream once it was sent, modulo 2^32 and never 0 (XEP-0198 §4, design D9);
            0 before that.
    """

    queue_id: int
    rank: int
    seq: int
    message_id: int
    subscription_id: str
    flags: int
    redeliver: int
    size: int
    number: int = 0


class DocumentRecord(NamedTuple):
    """A small piece of data that belongs to a subject, such as a roster item, a vCard or a block list.

    Args:
        owner: login name.
        kind: of the data.
        name: within kind and owner.
        data: the value.
        expires: milliseconds since 1970 when it may be forgotten, 0 never.
    """

    owner: str
    kind: str
    name: str
    data: bytes
    expires: int = 0


class AccountRecord(NamedTuple):
    """An account (design D13).

    Args:
        name: login name.
        scram_sha_1: verifier of SCRAM-SHA-1, ``iterations$salt$stored key$server key`` in base64.
        scram_sha_256: verifier of SCRAM-SHA-256, likewise.
        created: milliseconds since 1970.
        role: in administration: ``monitoring``, ``operator``, ``administrator``, or empty for none.
        changed: when it got its password, milliseconds since 1970; 0 where that is not known.
    """

    name: str
    scram_sha_1: str
    scram_sha_256: str
    created: int
    role: str = ""
    changed: int = 0


class AuditRecord(NamedTuple):
    """What somebody has done in administration.

    Args:
        id: unique within the node, ascending.
        at: milliseconds since 1970.
        principal: login name, ``uid 0``, or user of the operating system.
        role: that it had.
        via: how it came: ``socket``, ``session``, ``token …``, ``__cmd``, ``command``, ``signal``.
        peer: address, or the session that sent a message; empty where there is neither.
        action: what was done, e.g. ``session.end``.
        target: to what; empty for the node.
        parameters: with which, as JSON or text; neither secrets nor contents.
        reason: why, as whoever did it gave it.
        outcome: ``begun``, ``done``, ``failed`` or ``refused``.
        code: of the error, where it failed.
        request: id of the request.
    """

    id: int
    at: int
    principal: str
    role: str
    via: str
    peer: str
    action: str
    target: str
    parameters: str
    reason: str
    outcome: str
    code: str
    request: str


class AuditQuery(NamedTuple):
    """Which rows of the audit are wanted, the newest first.

    Texts are compared as they are, or as the beginning where ``*`` stands at their end; empty for any.

    Args:
        principal: see :class:`AuditRecord`; likewise the next two.
        action: see there.
        target: see there.
        since: milliseconds since 1970, included.
        until: milliseconds since 1970, excluded; 0 for no end.
        before: rows with lower ids only; 0 for all.
        skip: rows that are left out at the beginning.
        limit: rows at most.
    """

    principal: str = ""
    action: str = ""
    target: str = ""
    since: int = 0
    until: int = 0
    before: int = 0
    skip: int = 0
    limit: int = 100


BY_ADMINISTRATION = "/administration"
"""In the place of the user of the operating system who has changed an account: somebody over the API, whom the audit
names already."""
SECURITY_OWNER = "__security"
"""Owner of documents that are the broker's own; no account has such a name."""


class AccountAction(StrEnum):
    """What was done to an account."""

    ADDED = "add"
    PASSWORD = "passwd"
    REMOVED = "remove"
    ROLE = "role"


class AccountChange(NamedTuple):
    """An account was added or removed, or has another password or role.

    Args:
        id: of the change.
        name: of the account.
        action: what was done.
        by: user of the operating system who did it; empty where that was not noted.
        at: when, in milliseconds since 1970; 0 where that cannot be read.
    """

    id: str
    name: str
    action: AccountAction
    by: str = ""
    at: int = 0


class Unreadable(NamedTuple):
    """A row that is in the store and cannot be read; it stays there.

    Args:
        kind: of the row: ``topic``, ``session``, ``subscription`` …
        key: of the row, for people.
        reason: why.
    """

    kind: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.reason}"


class UnreadableMessage(MessageRecord):
    """Stands for a message that cannot be read, or whose entry cannot; ``sender`` says why."""

    __slots__ = ()


class QueueDepth(NamedTuple):
    """What recovery learns of one queue and rank without reading its entries."""

    queue_id: int
    rank: int
    entries: int
    bytes: int


class Recovered(NamedTuple):
    """All that the core needs to stand up again; messages and entries are read when their queue moves.

    Args:
        depths: durable entries per queue and rank.
        copies: those of them that are :data:`COPIED` and not :data:`HAD`.
        handled: by session id, how many stanzas of its client were handled (XEP-0198 §4).
        last_id: the highest id that was ever used, so that the clock cannot repeat one.
        heartbeat: milliseconds since 1970 when the broker was last known to run, 0 on a new store.
        unreadable: rows of whatever kind that are no records.
    """

    subjects: list[SubjectRecord]
    sessions: list[SessionRecord]
    subscriptions: list[SubscriptionRecord]
    topics: list[TopicRecord]
    depths: list[QueueDepth]
    last_id: int
    heartbeat: int
    handled: dict[int, int]
    copies: list[EntryRecord]
    unreadable: list[Unreadable] = []  # noqa: RUF012 - nobody changes it
