"""What bringing a database's schema up to date would do, without doing it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory

from broker.errors import BrokerError, Code
from broker.store.location import DATABASE_FILE, SQLITE
from broker.store.sql.backup import free_space
from broker.store.sql.copy import copy_database, size_of, sqlite_file_of, wal_of
from broker.store.sql.database import Database, engine_of, parse_url
from broker.store.sql.failures import translate
from broker.store.sql.revisions import NEWEST, known_revisions, revision_of
from broker.store.sql.upgrade import configuration

IRREVERSIBLE = "irreversible"
"""A revision that cannot be undone has a variable of this name that says why."""


@dataclass(frozen=True, slots=True)
class UpgradeCheck:
    """What an upgrade would do.

    Args:
        before: the revision that the database has; ``None`` where it has no schema yet.
        after: the one that this program needs.
        steps: what each revision between them says of itself, in order.
        irreversible: why one of them cannot be undone, or empty.
        seconds: that it took on a copy of this database; ``None`` for PostgreSQL, and where there is nothing to do.
    """

    before: str | None
    after: str
    steps: tuple[str, ...]
    irreversible: str
    seconds: float | None


def check_upgrade(url: str, *, monotonic: Callable[[], float] = time.monotonic) -> UpgradeCheck:
    """Look at what an upgrade would do, and do it on a copy in a temporary directory; a broker may run meanwhile.

    Args:
        url: of the database.
        monotonic: seconds by a clock that nobody sets.

    Raises:
        BrokerError: ``resource.configuration`` where there is no such database, or its schema is newer than this
            program; ``resource.noMoreSpace`` for the copy; ``resource.*`` where the database or the upgrade fails.
        OSError: the copy cannot be written.
    """
    parsed = parse_url(url)
    source = sqlite_file_of(parsed) if parsed.get_backend_name() == "sqlite" else None
    before, _ = schema_of(url)
    script = ScriptDirectory.from_config(configuration())
    revisions = [] if before == NEWEST else list(script.iterate_revisions(NEWEST, before or "base"))[::-1]
    reasons = [getattr(each.module, IRREVERSIBLE, "") for each in revisions]
    return UpgradeCheck(
        before=before,
        after=NEWEST,
        steps=tuple(f"{each.revision}: {(each.doc or '').splitlines()[0]}" for each in revisions),
        irreversible=next(filter(None, reasons), ""),
        seconds=_measure(source, monotonic) if revisions and source is not None else None,
    )


def schema_of(url: str) -> tuple[str | None, str]:
    """The revision of a database's schema, ``None`` where it has none yet, and the one that this program needs.

    Args:
        url: of the database.

    Raises:
        BrokerError: ``resource.configuration`` where it is newer than this program; ``resource.*`` where the database
            fails.
    """
    try:
        before = revision_of(engine_of(url))
    except Exception as error:
        raise translate(error) from error
    if before is not None and before not in known_revisions():
        message = f"The database's schema ({before}) was written by a newer version of this program"
        raise BrokerError(Code.RESOURCE_CONFIGURATION, message, "/store")
    return before, NEWEST


def _measure(source: Path, monotonic: Callable[[], float]) -> float:
    with tempfile.TemporaryDirectory(prefix="broker-upgrade-") as directory:
        size, found = size_of(source) + size_of(wal_of(source)), free_space(Path(directory))
        if found < size:
            message = f"A copy needs {size} bytes, and where {directory} is there are {found}"
            raise BrokerError(Code.RESOURCE_NO_MORE_SPACE, message, "/store")
        copy = Path(directory) / DATABASE_FILE
        copy_database(source, copy)
        database = Database(f"{SQLITE}{copy}", exclusive=True, copy_before_upgrade=False)
        start = monotonic()
        try:
            database.open()
        except Exception as error:
            raise translate(error) from error
        finally:
            database.close()
        return monotonic() - start
