"""Making an SQLite database as small as its contents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broker.errors import BrokerError, Code
from broker.store.sql.database import Database, parse_url
from broker.store.sql.failures import translate


@dataclass(frozen=True, slots=True)
class Compacted:
    """What came of it.

    Args:
        path: of the database's file.
        before: its size in bytes.
        after: its size in bytes now.
    """

    path: Path
    before: int
    after: int


def compact(url: str) -> Compacted:
    """Write the contents of a database anew, and give the rest of its file back to the file system.

    It takes time by what is in the database, and room for two more copies of that. Whatever interrupts it, the
    database is whole.

    Args:
        url: of the database.

    Raises:
        BrokerError: ``resource.configuration`` where a broker runs on it, where there is no such database, or where it
            is none of SQLite, which sees to that itself; ``resource.*`` where the database fails.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "PostgreSQL compacts its tables itself (autovacuum)", "/store")
    path = Path(str(parsed.database))
    if not path.is_file():
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"There is no database {path}", "/store")
    before = path.stat().st_size
    database = Database(url, exclusive=True)
    try:
        database.open()
        database.compact()
    except Exception as error:
        raise translate(error) from error
    finally:
        database.close()
    return Compacted(path, before, path.stat().st_size)
