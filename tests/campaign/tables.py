"""What the database holds, read beside the broker."""

from __future__ import annotations

from sqlalchemy import text

from broker.store.sql.database import engine_of

LEFT_OVERS = {
    "entries without a queue": "SELECT count(*) FROM entry WHERE queue_id NOT IN "
    "(SELECT id FROM session UNION SELECT id FROM subject UNION SELECT id FROM topic)",
    "entries without a message": "SELECT count(*) FROM entry WHERE message_id NOT IN (SELECT id FROM message)",
    "messages without an entry": "SELECT count(*) FROM message WHERE id NOT IN (SELECT message_id FROM entry)",
    "subscriptions without a session": "SELECT count(*) FROM subscription "
    "WHERE session_id NOT IN (SELECT id FROM session)",
    "counters without a session": "SELECT count(*) FROM handled WHERE session_id NOT IN (SELECT id FROM session)",
    "messages in queues": "SELECT count(*) FROM entry WHERE queue_id IN "
    "(SELECT id FROM session UNION SELECT id FROM subject)",
    "batches in the journal": "SELECT count(*) FROM journal",
}
"""Of a broker that was stopped in order, after everybody took what was theirs."""

SIZE = {
    "sqlite": "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)",
    "postgresql": "SELECT sum(pg_relation_size(oid)) / 8192 FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 't', 'i')",
}
"""Pages in use: of SQLite's file without its free list; of PostgreSQL's tables and indexes after VACUUM FULL."""


def left_overs(url: str) -> dict[str, int]:
    """Rows that nobody owns, by what they are.

    Args:
        url: of the database.
    """
    engine = engine_of(url)
    try:
        with engine.connect() as connection:
            return {what: int(connection.execute(text(query)).scalar_one()) for what, query in LEFT_OVERS.items()}
    finally:
        engine.dispose()


def pages(url: str) -> int:
    """Pages in use; the broker must not run."""
    engine = engine_of(url)
    dialect = engine.dialect.name
    try:
        if dialect == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM FULL"))
        with engine.connect() as connection:
            return int(connection.execute(text(SIZE[dialect])).scalar_one())
    finally:
        engine.dispose()
