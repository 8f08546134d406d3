"""Whether a copy of a database is good for a broker to start on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import func, select

from broker.errors import BrokerError, Code
from broker.model.key import DEAD_MESSAGE_OID
from broker.store.location import SQLITE
from broker.store.manifest import Counts
from broker.store.sql.copy import as_one_file
from broker.store.sql.database import Database
from broker.store.sql.failures import translate
from broker.store.sql.reader import Reader
from broker.store.sql.revisions import known_revisions
from broker.store.sql.schema import account
from broker.store.sql.writer import Writer

SOUND = "ok"
"""What ``PRAGMA integrity_check`` says of a database that is whole."""


def check_integrity(path: Path) -> str:
    """Look through every page of a database, without changing anything.

    Args:
        path: of a file that nobody else uses.

    Returns:
        The revision of its schema.

    Raises:
        BrokerError: ``resource.db.unknown`` where it is damaged or no database of a broker, ``resource.configuration``
            where its schema is newer than this program.
    """
    try:
        # Immutable: SQLite neither locks the file nor looks for others beside it, also on a medium that is read only.
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?immutable=1", uri=True)) as connection:
            found: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != SOUND:
                raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{path} is damaged: {found}", "/store")
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{path} is no database of a broker: {error}", "/store") from error
    if revision is None:
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{path} has no schema", "/store")
    if revision[0] not in known_revisions():
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION,
            f"{path} was written by a newer version of this program (schema {revision[0]})",
            "/store",
        )
    return str(revision[0])


def recover(path: Path) -> Counts:
    """Do what a broker does when it starts on a database, short of standing its records up, and count what is there.

    What the journal holds is then in the tables, and what does not outlive a crash is gone, as after an orderly end.
    A schema that is older is brought up to date.

    Args:
        path: of a copy; nobody else uses it, and it is in a directory of its own.

    Raises:
        BrokerError: ``resource.*`` where a broker could not start on it.
    """
    database = Database(f"{SQLITE}{path.absolute()}", exclusive=True, copy_before_upgrade=False)
    try:
        database.open()
        writer = Writer(database)
        writer.stop(writer.start())
        found = Reader(database).recover(writer.unreadable)
        with database.transaction(write=False) as connection:
            accounts: int = connection.execute(select(func.count()).select_from(account)).scalar_one()
    except Exception as error:
        raise translate(error) from error
    finally:
        database.close()
    with closing(sqlite3.connect(path)) as plain:
        as_one_file(plain)
    dead = {each.id for each in found.topics if each.oid == DEAD_MESSAGE_OID}
    return Counts(
        accounts=accounts,
        topics=len(found.topics),
        sessions=len(found.sessions),
        subscriptions=len(found.subscriptions),
        entries=sum(depth.entries for depth in found.depths),
        dead_messages=sum(depth.entries for depth in found.depths if depth.queue_id in dead),
        unreadable=len(found.unreadable),
    )
