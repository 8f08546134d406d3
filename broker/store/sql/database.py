"""The connection to the database, as the thread that owns it sees it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Executable, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from broker.errors import BrokerError, Code
from broker.private_files import PRIVATE, keep_private
from broker.store.sql.ownership import LockFile, lock_database
from broker.store.sql.revisions import NEWEST, revision_of
from broker.store.sql.schema import released

T = TypeVar("T")

BUSY_SECONDS = 5
"""How long SQLite waits for another process, say ``broker user add``, that is just writing."""
SQLITE_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit is on disk when it returns (design D1)
    "foreign_keys = OFF",
    "temp_store = MEMORY",
    "cache_size = -32768",  # KiB
    "wal_autocheckpoint = 4000",  # pages, 16 MB: rare enough not to write each page of a busy queue twice
    "journal_size_limit = 67108864",  # bytes
)
SERVER_SETTINGS = {
    # The same at the server, for the session that has the lock: a host that died keeps it for no longer.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
POSTGRESQL_OPTIONS: dict[str, str | int] = {
    # Seconds (but for the last): a dead server is noticed within half a minute, whatever the system's defaults are.
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
    "application_name": "broker",
}


_SET = text("SELECT set_config(:name, :value, false)")


def parse_url(url: str) -> URL:
    """A ``sqlite:///PATH`` or ``postgresql://…`` URL; psycopg is PostgreSQL's driver.

    Raises:
        BrokerError: ``resource.configuration`` where it is no such URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _misconfigured("The database's URL cannot be read") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _misconfigured(f"There is no store for {backend!r} databases; take sqlite or postgresql")
    if parsed.database in {None, "", ":memory:"}:
        raise _misconfigured("The database's URL names no file; for a broker that forgets take memory:")
    return parsed


def engine_of(url: str) -> Engine:
    """An engine that keeps no connections of its own, whose transactions on SQLite begin with the write lock."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        options = {name: value for name, value in POSTGRESQL_OPTIONS.items() if name not in parsed.query}
        try:
            return create_engine(parsed, poolclass=NullPool, connect_args=options, hide_parameters=True)
        except (ImportError, NoSuchModuleError):
            raise _misconfigured("PostgreSQL needs psycopg: pip install 'xmlbroker[postgresql]'") from None
    engine = create_engine(parsed, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _text(data: bytes) -> str | bytes:
    """A text of SQLite; one that is no UTF-8 stays bytes, and fails whoever checks its row instead of the query."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.text_factory = _text
    connection.isolation_level = None  # sqlite3 would begin transactions late, and none for DDL
    for pragma in SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a transaction that writes after it has read cannot wait for another writer, it would fail.
    connection.exec_driver_sql("BEGIN" if connection.info.get("reading") else "BEGIN IMMEDIATE")


class Database:
    """One connection to the database, made when it is needed and dropped after every failure. For one thread.

    Args:
        url: see :func:`parse_url`.
        exclusive: for a broker's store: no other broker may use the database meanwhile.
        patience: seconds to wait for the PostgreSQL session of a broker that has just died.
        copy_before_upgrade: copy a database of SQLite before its schema is changed.
    """

    def __init__(self, url: str, *, exclusive: bool, patience: float = 3.0, copy_before_upgrade: bool = True) -> None:
        self.engine = engine_of(url)
        self._url = url
        self._exclusive = exclusive
        self._patience = patience
        self._copies = copy_before_upgrade
        self._connection: Connection | None = None
        self._statements: dict[Executable, tuple[str, list[str]]] = {}
        self._lock_file: LockFile | None = None

    def open(self) -> None:
        """Make what is missing: directory, file and tables.

        Raises:
            BrokerError: ``resource.configuration`` where another broker uses the database, or its schema is too new.
            Exception: what the driver raises.
        """
        try:
            if self.engine.dialect.name == "sqlite":
                self._make_file(Path(str(self.engine.url.database)))
            with self.transaction() as connection:
                _check_encoding(connection)
            self._upgrade()
        except BaseException:
            self.close()
            raise

    @property
    def sends_ahead(self) -> bool:
        """Whether all rows of an answer come before the first is looked at, as from a server."""
        return self.engine.dialect.name != "sqlite"

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Connection]:
        """A transaction, committed at the end; after any failure the connection is a new one the next time.

        Args:
            write: on SQLite, wait for the right to write first.
        """
        try:
            connection = self._connect()
            connection.info["reading"] = not write
            with connection.begin():
                yield connection
        except BaseException:
            self._drop()
            raise

    def execute_alone(self, statement: Executable, parameters: dict[str, Any]) -> int:
        """Execute a statement that is a transaction by itself: one round trip instead of four.

        On SQLite that also spares the writer from waiting for the interpreter lock after each of them.

        Args:
            statement: whose parameters need no conversion; compiled once.
            parameters: by name.

        Returns:
            How many rows it has changed.
        """
        return self._alone(statement, parameters, lambda cursor: int(cursor.rowcount))

    def read_alone(self, statement: Executable, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Read a few rows without a transaction around it, and without what SQLAlchemy does for each row.

        Args:
            statement: whose parameters and results need no conversion; compiled once.
            parameters: by name; those that the statement has not are ignored.
        """
        return self._alone(statement, parameters, lambda cursor: list(cursor.fetchall()))

    def compact(self) -> None:
        """Write SQLite's file anew without the room of what was deleted.

        Raises:
            Exception: what the driver raises.
        """
        try:
            driver: Any = self._connect().connection.driver_connection
            driver.execute("PRAGMA temp_store = FILE")  # the copy would be in memory
            driver.execute("VACUUM")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._drop()

    def close(self) -> None:
        """Let go of the connection and the lock."""
        self._drop()
        self.engine.dispose()
        if self._lock_file is not None:
            self._lock_file.release()
            self._lock_file = None

    def _make_file(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._exclusive:
            self._lock_file = LockFile(path.with_name(path.name + ".lock"))
            self._lock_file.acquire()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
        # SQLite gives its other files the mode of this one, those that are there already keep theirs.
        for suffix in ("", "-wal", "-shm", ".lock"):
            keep_private(path.with_name(path.name + suffix))

    def _upgrade(self) -> None:
        revision = revision_of(self.engine)
        if revision == NEWEST:
            return
        if self._exclusive or revision is None:
            from broker.store.sql.upgrade import (  # not needed mostly, and a fifth of a start
                copy_before_upgrade,
                upgrade,
            )

            if self._copies and revision is not None and self.engine.dialect.name == "sqlite":
                copy_before_upgrade(Path(str(self.engine.url.database)))
            upgrade(self.engine)
            return
        # An old schema is not changed under a broker that may be running on it.
        owner = Database(self._url, exclusive=True, patience=self._patience, copy_before_upgrade=self._copies)
        owner.open()
        owner.close()

    def _alone(self, statement: Executable, parameters: dict[str, Any], take: Callable[[Any], T]) -> T:
        sql, names = self._compiled(statement)
        try:
            driver: Any = self._connect().connection.driver_connection
            if self.engine.dialect.name == "sqlite":
                return take(driver.execute(sql, [parameters[name] for name in names]))
            driver.autocommit = True
            taken = take(driver.execute(sql, parameters))
            driver.autocommit = False
            return taken
        except self.engine.dialect.loaded_dbapi.Error as error:
            self._drop()
            raise self._wrapped(sql, error) from error

    def _compiled(self, statement: Executable) -> tuple[str, list[str]]:
        known = self._statements.get(statement)
        if known is None:
            compiled = statement.compile(dialect=self.engine.dialect)  # type: ignore[attr-defined]
            known = self._statements[statement] = (str(compiled), list(getattr(compiled, "positiontup", None) or ()))
        return known

    def _wrapped(self, sql: str, error: Exception) -> BaseException:
        dialect = self.engine.dialect
        lost = dialect.is_disconnect(error, None, None)  # type: ignore[arg-type]
        return DBAPIError.instance(
            sql, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, connection_invalidated=lost
        )

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self.engine.connect()
            if self._exclusive:
                try:
                    with self._connection.begin():
                        self._take_ownership(self._connection)
                except BaseException:
                    self._drop()  # else it would be used without the lock
                    raise
        return self._connection

    def _take_ownership(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            for name, value in SERVER_SETTINGS.items():
                connection.execute(_SET, {"name": name, "value": value})
            lock_database(connection, self._patience)
            # A server that answers before it has written would break the promise of every acknowledgement.
            connection.execute(
                text("SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = :name AND setting = 'off'"),
                {"name": "synchronous_commit"},
            )
        released.create(connection, checkfirst=False)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Not merely closed: the driver's connection may be broken in a way that a rollback does not heal.
            connection.invalidate()
            connection.close()


def _check_encoding(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise _misconfigured(f"The database's encoding is {encoding}; it must be UTF8")


def _misconfigured(message: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, message, "/store")
