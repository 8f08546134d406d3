"""One broker for one database: two would each take the other's rows for its own.

SQLite: a lock file beside the database, which the operating system lets go of when the process dies. PostgreSQL: an
advisory lock of the connection that writes, so that it is lost with the connection and never without.
Other programs that only look at accounts need neither.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from broker.errors import BrokerError, Code

ADVISORY_LOCK = 0x62726F6B6572
"""PostgreSQL's number for "this database has a broker": the bytes of ``broker``."""
LOCK_NOT_AVAILABLE = "55P03"


class DatabaseInUse(BrokerError):
    """Another broker has the database.

    Args:
        name: of the database.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            Code.RESOURCE_CONFIGURATION,
            f"Another broker is running on the database {name}; stop it first, or give this one a database of its own",
            "/store",
        )


class DatabaseTakenOver(BrokerError):
    """Another broker has had the database since this one had it: what this one holds in memory is no longer so.

    Nothing that it does can be committed any more, so it must end.
    """

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_DB_UNKNOWN,
            "Another broker has taken the database of this one over: it ends",
            "/store",
        )


class LockFile:
    """An exclusive lock that lives as long as its owner's process.

    Args:
        path: of the lock file; it is never deleted, because that would let two processes lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise :class:`DatabaseInUse` where another process has it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise DatabaseInUse(f"{self.path.with_suffix('')} (process {owner or 'unknown'})") from None
        except OSError:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go, if it was taken."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_database(connection: Connection, patience: float) -> None:
    """Take PostgreSQL's advisory lock for this connection's session.

    Args:
        connection: in a transaction.
        patience: seconds to wait for a broker that has just died and whose session the server has not yet ended.

    Raises:
        DatabaseInUse: another session holds it.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {max(1, int(patience * 1000))}"))
    try:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise DatabaseInUse(connection.engine.url.render_as_string()) from None
