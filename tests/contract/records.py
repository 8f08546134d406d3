"""Records for tests, with everything filled in."""

from __future__ import annotations

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

EPOCH = 1_700_000_000_000_000_000
"""Ids are nanoseconds, beyond what a 53 bit float can tell apart."""
RANK = 4


def message(id: int, *, content: bytes = b"\x00\xffcontent", expires: int = 0, oid: str = "Hello") -> MessageRecord:
    return MessageRecord(EPOCH + id, oid, "/node/heron/client/joe/7", b"<key/>", b"<qos/>", content, expires)


def entry(
    queue_id: int, seq: int, message_id: int, *, rank: int = RANK, flags: int = 0, redeliver: int = 0, size: int = 10
) -> EntryRecord:
    subscription_id = "__subId:heron-1"
    return EntryRecord(queue_id, rank, EPOCH + seq, EPOCH + message_id, subscription_id, flags, redeliver, size)


def session(id: int, *, epoch: int = 1) -> SessionRecord:
    return SessionRecord(id, "joé", -id, "native", "5ec1e7", b"<qos>\xc3\xa9</qos>", 1, 1, epoch, 1000, 2000)


def subscription(id: str, session_id: int) -> SubscriptionRecord:
    return SubscriptionRecord(id, session_id, b"<key oid='Hello'/>", b"<qos/>", 1000)


def subject(id: int, name: str = "joe", *, blocked: int = 0, max_sessions: int = 0) -> SubjectRecord:
    return SubjectRecord(id, name, blocked, max_sessions)


def topic(id: int, oid: str = "Hello") -> TopicRecord:
    return TopicRecord(id, oid, b"<key/>", b"<qos/>")


def document(
    owner: str, name: str, *, kind: str = "roster", data: bytes = b"<item/>", expires: int = 0
) -> DocumentRecord:
    return DocumentRecord(owner, kind, name, data, expires)


def account(name: str) -> AccountRecord:
    return AccountRecord(name, "4096$c2FsdA==$c3RvcmVk$c2VydmVy", "8192$c2FsdA==$c3RvcmVk$c2VydmVy", 1000)


def audit(id: int, principal: str = "boss", action: str = "session.end", target: str = "joe/1") -> AuditRecord:
    texts = (principal, "administrator", "session", "192.0.2.7", action, target, '{"queue":"dead"}', "he\u0301", "done")
    return AuditRecord(EPOCH + id, 1000 + id, *texts, "", "r-1")
