"""Bringing a database's schema up to date (design D14)."""

from __future__ import annotations

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from broker.errors import BrokerError, Code
from broker.store.sql.revisions import folder

UPGRADE_LOCK = 0x75706772616465
"""PostgreSQL's advisory lock while the schema changes: the bytes of ``upgrade``."""


def configuration() -> Config:
    """Alembic's configuration for the revisions that this program was shipped with."""
    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    return config


def revision_of(engine: Engine) -> str | None:
    """The revision of a database's schema, ``None`` where it has no schema yet."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The revision that this program needs."""
    return _revisions().get_current_head()


@cache
def _revisions() -> ScriptDirectory:
    """Those that this program was shipped with; to read them takes longer than to open a database."""
    return ScriptDirectory.from_config(configuration())


def upgrade(engine: Engine) -> None:
    """Apply the revisions that a database lacks, all in one transaction. Processes that do so at once take turns.

    Raises:
        BrokerError: ``resource.configuration`` where the database has a revision that this program does not know.
    """
    script = _revisions()
    with engine.begin() as connection:
        _wait_for_turn(connection)
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION,
                f"The database's schema ({current}) was written by a newer version of this program; install that "
                "version, or start with another database",
                "/store",
            )
        if current != script.get_current_head():
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _wait_for_turn(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's transaction has begun with the write lock
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
