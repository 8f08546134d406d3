"""The tables, one schema for SQLite and PostgreSQL (design D14).

Columns are in the order of the fields of the records in :mod:`broker.model.records`, so that a record is a row.
Ids are given by the broker; nothing but the primary keys is unique, because the broker's memory is the truth while it
runs (design D2) and a row that is refused would hold up all that follow. Changes need a revision in ``migrations/``.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

COMMIT_NUMBER = "commit_number"
"""The number of the last transaction of the broker that owns the database (:class:`broker.store.sql.writer.Writer`)."""

metadata = MetaData()

# SQLite takes no other type than INTEGER for a primary key that is the row id itself.
_Id = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Numbers by name: ``commit_number`` (:data:`COMMIT_NUMBER`), ``last_id``, ``heartbeat`` (milliseconds since 1970)."""

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("scram_sha_1", Text, nullable=False),
    Column("scram_sha_256", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("role", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

subject = Table(
    "subject",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("blocked", BigInteger, nullable=False),
    Column("max_sessions", BigInteger, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),
    Column("public_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("secret_id", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("persistent", Integer, nullable=False),
    Column("dispatcher_active", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("attached", Integer, nullable=False),
)

subscription = Table(
    "subscription",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session_id", BigInteger, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("qos", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("subscription_session", "session_id"),
)

topic = Table(
    "topic",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("oid", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("qos", LargeBinary, nullable=False),
    Column("owner", Text, nullable=False),
    Column("creator", Text, nullable=False),
)

message = Table(
    "message",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("oid", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("qos", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("message_expires", "expires", sqlite_where=text("expires > 0"), postgresql_where=text("expires > 0")),
)

entry = Table(
    "entry",
    metadata,
    Column("queue_id", BigInteger, primary_key=True, autoincrement=False),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False),
    Column("subscription_id", Text, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("redeliver", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Index("entry_message", "message_id"),
    sqlite_with_rowid=False,
)

handled = Table(
    "handled",
    metadata,
    Column("session_id", _Id, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
)

document = Table(
    "document",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("document_expires", "expires", sqlite_where=text("expires > 0"), postgresql_where=text("expires > 0")),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("principal", "role", "via", "peer", "action", "target")),
    *(Column(name, Text, nullable=False) for name in ("parameters", "reason", "outcome", "code", "request")),
)

journal = Table(
    "journal",
    metadata,
    Column("number", _Id, primary_key=True, autoincrement=False),
    Column("batch", LargeBinary, nullable=False),
)
"""Batches that are committed and not in the other tables yet, in order of their commits."""

released = Table(
    "released",
    MetaData(),
    Column("message_id", _Id, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
"""Of the connection, empty between transactions: messages that lost an entry in this one."""
