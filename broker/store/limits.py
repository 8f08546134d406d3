"""What a record may hold so that every database can write it.

One row that a database refuses would keep its whole batch, and all that follow, from being committed for ever. So such
a record is refused when it is appended, where the peer that caused it can still be told.
"""

from __future__ import annotations

import re

from broker.errors import BrokerError, Code
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

MAX_INTEGER = 2**63 - 1
"""The highest value of a 64 bit column."""
_BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
_VERIFIER = re.compile(rf"[1-9][0-9]{{3,7}}(?:\${_BASE64}){{3}}")
ROLES = ("", "monitoring", "operator", "administrator")
"""That an account may have."""
MAX_KEY_BYTES = 1024
"""Of a text that is a primary key; PostgreSQL's B-tree refuses keys above 2704 bytes."""


def check_text(text: str, name: str) -> None:
    """Refuse text that is no Unicode or holds NUL, which PostgreSQL has no way to store.

    Raises:
        BrokerError: ``user.illegalArgument``.
    """
    if text.isprintable():  # neither NUL nor a surrogate is, and this test is a quick one
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{name} is not valid Unicode text") from None
    if "\0" in text:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{name} contains the character NUL")


def _check_key(text: str, name: str) -> None:
    check_text(text, name)
    if len(text.encode()) > MAX_KEY_BYTES:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{name} is longer than {MAX_KEY_BYTES} bytes")


def check_entry(record: EntryRecord, message: MessageRecord | None) -> None:
    """Raise ``user.illegalArgument`` where a queue entry, or its message, cannot be stored."""
    if not record.subscription_id.isprintable():
        check_text(record.subscription_id, "the subscription's id")
    if message is None:
        return
    if not (message.oid.isprintable() and message.sender.isprintable()):
        check_text(message.oid, "the topic's oid")
        check_text(message.sender, "the sender's name")
    if not 0 <= message.expires <= MAX_INTEGER:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the message's time of expiry is out of range")


def check_subject(record: SubjectRecord) -> None:
    """Raise ``user.illegalArgument`` where a subject cannot be stored."""
    check_text(record.name, "the subject's name")
    if not 0 <= record.blocked <= MAX_INTEGER or not 0 <= record.max_sessions <= MAX_INTEGER:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "a limit of the subject is out of range")


def check_session(record: SessionRecord) -> None:
    """Raise ``user.illegalArgument`` where a session cannot be stored."""
    check_text(record.subject, "the subject's name")
    check_text(record.kind, "the session's kind")
    check_text(record.secret_id, "the session's secret id")
    if abs(record.public_id) > MAX_INTEGER:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the session's number is out of range")


def check_subscription(record: SubscriptionRecord) -> None:
    """Raise ``user.illegalArgument`` where a subscription cannot be stored."""
    _check_key(record.id, "the subscription's id")


def check_topic(record: TopicRecord) -> None:
    """Raise ``user.illegalArgument`` where a topic cannot be stored."""
    check_text(record.oid, "the topic's oid")
    check_text(record.owner, "the topic's owner")
    check_text(record.creator, "the topic's creator")


def check_document(record: DocumentRecord) -> None:
    """Raise ``user.illegalArgument`` where a document cannot be stored."""
    _check_key(record.owner, "the document's owner")
    check_text(record.kind, "the document's kind")
    _check_key(record.name, "the document's name")


def check_audit(record: AuditRecord) -> None:
    """Raise ``user.illegalArgument`` where a row of the audit cannot be stored."""
    for name, value in zip(record._fields, record, strict=True):
        if isinstance(value, str):
            check_text(value, f"the {name} of the audit")
    if not 0 <= record.id <= MAX_INTEGER or not 0 <= record.at <= MAX_INTEGER:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the time of the audit is out of range")


def check_account(record: AccountRecord) -> None:
    """Raise ``user.illegalArgument`` where an account cannot be stored, or nobody could log in with it."""
    _check_key(record.name, "the account's name")
    for verifier in (record.scram_sha_1, record.scram_sha_256):
        if not _VERIFIER.fullmatch(verifier):  # which is a secret
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "a verifier of the account is none")
    if record.role not in ROLES:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the role of the account is none")
