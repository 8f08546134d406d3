"""One consistent file out of an SQLite database, whether a broker writes to it or not."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL

from broker.errors import BrokerError, Code
from broker.private_files import PRIVATE
from broker.store.sql.failures import translate

BUSY_SECONDS = 30.0
"""How long to wait for somebody who has locked the whole database, as ``broker compact`` has for a moment."""
ALL_PAGES = -1


def wal_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(path.name + "-wal")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def sqlite_file_of(url: URL) -> Path:
    """The file of an SQLite database.

    Raises:
        BrokerError: ``resource.configuration`` where there is none.
    """
    path = Path(str(url.database))
    if not path.is_file():
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"There is no database {path}", "/store")
    return path


def copy_database(source: Path, target: Path) -> int:
    """Copy a database as it is at one moment; whoever writes to it goes on meanwhile.

    It is one step: one that lets go of the database in between begins anew whenever somebody commits, and so never
    ends under load.

    Args:
        source: the database.
        target: a file that does not exist; mode 0600, one file without a write-ahead log, on disk when this returns.

    Returns:
        Bytes by which the write-ahead log of the source grew.

    Raises:
        BrokerError: ``resource.*`` where either database fails.
        OSError: the file cannot be made.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    before = size_of(wal_of(source))
    try:
        # Not mode=ro: such a connection would leave its files beside the database of a broker that does not run.
        address = f"file:{quote(str(source.absolute()))}?mode=rw"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as reader,
            closing(sqlite3.connect(target)) as writer,
        ):
            reader.execute("PRAGMA query_only = ON")
            reader.backup(writer, pages=ALL_PAGES)
            as_one_file(writer)
        growth = size_of(wal_of(source)) - before
    except sqlite3.Error as error:
        raise translate(error) from error
    sync(target)
    return max(growth, 0)


def as_one_file(connection: sqlite3.Connection) -> None:
    """Let a database be one file, without a write-ahead log beside it, until a broker starts on it."""
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, on disk when this returns.

    Raises:
        OSError: the disk fails.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
