"""Bringing a database's schema up to date (design D14), by Alembic, which takes long to load."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from broker.errors import BrokerError, Code
from broker.store.sql.revisions import NEWEST, folder

UPGRADE_LOCK = 0x75706772616465
"""PostgreSQL's advisory lock while the schema changes: the bytes of ``upgrade``."""


def configuration() -> Config:
    """Alembic's configuration for the revisions that this program was shipped with."""
    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    return config


def upgrade(engine: Engine) -> None:
    """Apply the revisions that a database lacks, all in one transaction. Processes that do so at once take turns.

    Raises:
        BrokerError: ``resource.configuration`` where the database has a revision that this program does not know.
    """
    script = ScriptDirectory.from_config(configuration())
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
        if current != NEWEST:
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, NEWEST)


def _wait_for_turn(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's transaction has begun with the write lock
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
