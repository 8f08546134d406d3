"""Bringing a database's schema up to date (design D14), by Alembic, which takes long to load."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from twisted.logger import Logger

from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.store.backup_settings import BEFORE_UPGRADE, DEFAULT_DIRECTORY
from broker.store.sql.backup import alone_in, make_backup
from broker.store.sql.revisions import NEWEST, folder

log = Logger()

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
            reach("schema changed")


def copy_before_upgrade(database: Path) -> Path:
    """Copy a database, verified and with a manifest, to ``backups/before-<revision>.db`` beside it.

    A copy that an earlier attempt has made is replaced.

    Args:
        database: of SQLite; nobody else writes to it.

    Returns:
        The path of the copy.

    Raises:
        BrokerError: ``resource.noMoreSpace`` where there is not enough room; ``resource.*`` as for every backup.
        OSError: the directory cannot be used.
    """
    directory = database.parent / DEFAULT_DIRECTORY
    target = directory / f"before-{NEWEST}.db"
    try:
        with alone_in(directory, wait=True):
            copy, _ = make_backup(database, target, "", datetime.fromtimestamp(time.time(), UTC))
    except BrokerError as error:
        raise BrokerError(
            error.code,
            f"The schema must be changed, and before that the database cannot be copied: {error.message}; to go on"
            f" without a copy set {BEFORE_UPGRADE.name}=false",
            "/store",
        ) from error
    log.info("the database was copied to {copy} before its schema is changed", copy=str(copy))
    return copy


def _wait_for_turn(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's transaction has begun with the write lock
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
