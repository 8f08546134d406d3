"""Taking a database's schema back to that of an older version of this program (design D14)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.store.backup_settings import DEFAULT_DIRECTORY
from broker.store.sql.backup import alone_in, make_backup
from broker.store.sql.copy import sqlite_file_of
from broker.store.sql.database import Database, engine_of, parse_url
from broker.store.sql.failures import translate
from broker.store.sql.revisions import VERSIONS, known_revisions, revision_of
from broker.store.sql.upgrade import configuration
from broker.store.sql.upgrade_check import IRREVERSIBLE
from broker.store.sql.writer import Writer


@dataclass(frozen=True, slots=True)
class Downgraded:
    """What came of it.

    Args:
        before: the revision that the schema had.
        after: the one that it has now.
        copy: of the database as it was before; ``None`` for PostgreSQL, and where nothing had to be done.
    """

    before: str
    after: str
    copy: Path | None


def revision_for(wanted: str) -> str:
    """The revision of the schema that a version of this program has.

    Args:
        wanted: a version, such as ``0.1``, or the revision itself, such as ``0003``.

    Raises:
        BrokerError: ``user.wrongApiUsage`` where there is none.
    """
    revision = VERSIONS.get(wanted, wanted)
    if revision not in known_revisions():
        known = ", ".join([*VERSIONS, *sorted(known_revisions())])
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"there is no version or schema {wanted[:50]}; there are {known}")
    return revision


def downgrade(url: str, revision: str) -> Downgraded:
    """Take the schema of a database back, all steps in one transaction; on SQLite copy the database before.

    What the older schema has no place for is gone then. What is committed in the journal is brought into the tables
    before, since an older program may not know what is written there. Whatever interrupts it, the database has the one
    schema or the other.

    Args:
        url: of the database; no broker runs on it.
        revision: that it is to have.

    Raises:
        BrokerError: ``resource.configuration`` where there is no such database, a broker runs on it, its schema is
            older than that or newer than this program, or a step cannot be undone; ``resource.noMoreSpace`` for the
            copy; ``resource.*`` where the database fails.
        OSError: the copy cannot be written.
    """
    parsed = parse_url(url)
    file = sqlite_file_of(parsed) if parsed.get_backend_name() == "sqlite" else None
    before = _revision_before(url)
    if before is None or before < revision:
        raise _refused(f"the schema ({before or 'none'}) is older than {revision}; the broker of that version makes it")
    if before == revision:
        return Downgraded(before, revision, None)
    _check_reversible(before, revision, file)
    database = Database(url, exclusive=True)
    try:
        database.open()  # which is the newest schema then
        writer = Writer(database)
        writer.stop(writer.start())
        copy = _copy(file, revision) if file is not None else None
        config = configuration()
        with database.transaction() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, revision)
            reach("schema changed")
    except Exception as error:
        raise translate(error) from error
    finally:
        database.close()
    return Downgraded(before, revision, copy)


def _revision_before(url: str) -> str | None:
    try:
        before = revision_of(engine_of(url))
    except Exception as error:
        raise translate(error) from error
    if before is not None and before not in known_revisions():
        raise _refused(f"the schema ({before}) was written by a newer version of this program; take it back with that")
    return before


def _check_reversible(before: str, revision: str, file: Path | None) -> None:
    script = ScriptDirectory.from_config(configuration())
    for step in script.iterate_revisions(before, revision):
        reason: str = getattr(step.module, IRREVERSIBLE, "")
        if reason:
            copies = "a dump of before" if file is None else f"{file.parent / DEFAULT_DIRECTORY}/before-*.db"
            raise _refused(f"{step.revision} cannot be undone: {reason}; restore {copies} instead")


def _copy(database: Path, revision: str) -> Path:
    directory = database.parent / DEFAULT_DIRECTORY
    with alone_in(directory, wait=True):
        target = directory / f"before-downgrade-to-{revision}.db"
        copy, _ = make_backup(database, target, "", datetime.fromtimestamp(time.time(), UTC))
    return copy


def _refused(message: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, message, "/store")
