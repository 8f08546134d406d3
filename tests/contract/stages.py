"""A store, its disk and its clock, in the hands of a test."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Executable, event, func, select
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code
from broker.ports import IStore
from broker.store.memory import MemoryStore
from broker.store.sql.commit_loop import TIDY_AFTER
from broker.store.sql.database import Database
from broker.store.sql.schema import entry, message
from broker.store.sql.store import SqlStore

T = TypeVar("T")


class HeldWorker:
    """Runs functions at once in the caller's thread, or while it is held, when the test says so."""

    def __init__(self) -> None:
        self.held = False
        self.stopped = False
        self._jobs: deque[Callable[[], None]] = deque()

    def run(self, function: Callable[[], T]) -> Deferred[T]:
        self.stopped = False
        if not self.held:
            return execute(function)
        answer: Deferred[T] = Deferred()

        def job() -> None:
            execute(function).addBoth(answer.callback)

        self._jobs.append(job)
        return answer

    def stop(self) -> None:
        self.stopped = True

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def step(self) -> None:
        """Run the job that has waited longest."""
        self._jobs.popleft()()

    def release(self) -> None:
        """Run everything that waits, and from now on everything at once."""
        self.held = False
        while self._jobs:
            self.step()


class Stage(ABC):
    """What every store must let a test do with it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store: IStore = self.make()
        self.run(self.store.open())

    @abstractmethod
    def make(self) -> IStore:
        """A store on this stage's disk."""

    @abstractmethod
    def hold(self) -> None:
        """Keep commits from ending."""

    @abstractmethod
    def release(self) -> None:
        """Let commits end."""

    @abstractmethod
    def fail(self) -> None:
        """Let the disk fail from now on."""

    @abstractmethod
    def heal(self) -> None:
        """Let the disk work again."""

    @abstractmethod
    def crash(self) -> None:
        """Lose the process, and start another one on the same disk."""

    @abstractmethod
    def rows_on_disk(self) -> tuple[int, int]:
        """Numbers of messages and entries."""

    def tidy(self) -> None:
        """Let the store do what it puts off."""
        self.commit()

    def turn(self) -> None:
        """One turn of the reactor."""
        self.clock.advance(0)

    def commit(self) -> None:
        """Turns of the reactor until everything is committed."""
        while self.store.committed < self.store.position:
            self.store.when_committed(self.store.position, lambda: None)
            self.turn()
            assert self.store.failure is None, self.store.failure

    def run(self, deferred: Deferred[T]) -> T:
        """Turns of the reactor until a Deferred fires; its result."""
        results: list[T | Failure] = []
        deferred.addBoth(results.append)
        for _ in range(100):
            if results:
                break
            self.turn()
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result

    def restart(self) -> None:
        """Close the store in order, and open another one on the same disk."""
        self.run(self.store.close())
        self.store = self.make()
        self.run(self.store.open())

    def close(self) -> None:
        """At the end of the test."""
        self.run(self.store.close())


class MemoryStage(Stage):
    store: MemoryStore

    def __init__(self) -> None:
        self._tables: Any = None
        super().__init__()

    def make(self) -> MemoryStore:
        store = MemoryStore(self.clock)
        if self._tables is not None:
            store.tables = self._tables
        self._tables = store.tables
        return store

    def hold(self) -> None:
        self.store.held = True

    def release(self) -> None:
        self.store.held = False
        self.store.commit()

    def fail(self) -> None:
        self.store.fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "No disk", "/store"))

    def heal(self) -> None:
        self.store.heal()
        self.turn()

    def crash(self) -> None:
        self.store.crash()
        self.store = self.make()

    def rows_on_disk(self) -> tuple[int, int]:
        return len(self.store.tables.messages), len(list(self.store.tables.entries()))


class SqlStage(Stage):
    store: SqlStore

    def __init__(self, patience: float = 0.1) -> None:
        self.worker = HeldWorker()
        self._patience = patience
        self.failing = False
        self.statements: list[str] = []
        self.commits_to_fail = 0
        self.answers_to_lose = 0
        super().__init__()

    @abstractmethod
    def url(self) -> str:
        """Of the database."""

    @abstractmethod
    def edit(self, statement: str, *values: Any) -> list[Any]:
        """Edit the database behind the store's back; returns rows. ``?`` stands for a value."""

    @abstractmethod
    def lost(self) -> Exception:
        """What the driver raises where there is no database any more."""

    def make(self) -> SqlStore:
        store = SqlStore(self.url(), self.clock, worker=self.worker, patience=self._patience)
        event.listen(store.database.engine, "before_cursor_execute", self._on_statement)
        event.listen(store.database.engine, "commit", self._on_commit)
        execute_alone = store.database.execute_alone

        def watched(statement: Executable, parameters: dict[str, Any]) -> int:
            self._on_statement(None, None, str(statement))
            self._before_commit()
            count = execute_alone(statement, parameters)
            self._after_commit()
            return count

        store.database.execute_alone = watched  # type: ignore[method-assign]
        return store

    def _on_statement(self, connection: Any, cursor: Any, statement: str, *_: object) -> None:
        self.statements.append(statement)
        if self.failing:
            raise self.lost()

    def _on_commit(self, connection: Any) -> None:
        self._before_commit()
        if self.answers_to_lose:
            connection.connection.driver_connection.execute("COMMIT")
        self._after_commit()

    def _before_commit(self) -> None:
        if self.commits_to_fail:
            self.commits_to_fail -= 1
            raise self.lost()

    def _after_commit(self) -> None:
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise self.lost()

    def hold(self) -> None:
        self.worker.held = True

    def release(self) -> None:
        self.worker.release()

    def fail(self) -> None:
        self.failing = True

    def heal(self) -> None:
        self.failing = False
        self.clock.advance(5)

    def tidy(self) -> None:
        self.commit()
        self.clock.advance(TIDY_AFTER)
        self.turn()

    def close(self) -> None:
        self.failing = False
        self.release()
        super().close()

    def rows_on_disk(self) -> tuple[int, int]:
        with self.store.database.engine.connect() as connection:
            connection.info["reading"] = True
            messages = connection.scalar(select(func.count()).select_from(message))
            entries = connection.scalar(select(func.count()).select_from(entry))
            return messages or 0, entries or 0


@cache
def _migrated() -> Path:
    """A file with tables, and nothing in them."""
    directory = tempfile.mkdtemp(prefix="broker-test-template-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = Path(directory) / "broker.db"
    database = Database(f"sqlite:///{path}", exclusive=True)
    database.open()
    database.close()
    return path


class SqliteStage(SqlStage):
    """A store on a file; one that is not there is copied from another one, which is sooner than to make its tables."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "broker.db"
        if not self.path.exists():
            shutil.copy(_migrated(), self.path)
        super().__init__()

    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def edit(self, statement: str, *values: Any) -> list[Any]:
        """See :meth:`SqlStage.edit`; a column keeps any value."""
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def lost(self) -> Exception:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        return error

    def crash(self) -> None:
        # The files as they are, with a connection that is still open: what the disk holds after a kill.
        copied = self.path.parent / "after-crash"
        copied.mkdir()
        for path in self.path.parent.glob("broker.db*"):
            shutil.copy(path, copied)
        self.store.database.close()
        self.path = copied / "broker.db"
        self.worker = HeldWorker()
        self.store = self.make()
        self.run(self.store.open())


class PostgresqlStage(SqlStage):
    def __init__(self, url: str, patience: float = 5.0) -> None:
        # A busy server takes its time to end the session of the store that was closed before.
        self._url = url
        super().__init__(patience)

    def url(self) -> str:
        return self._url

    def edit(self, statement: str, *values: Any) -> list[Any]:
        """See :meth:`SqlStage.edit`; a column keeps values of its own type only."""
        statement = statement.replace("%", "%%").replace("?", "%s")
        url = self._url.replace("+psycopg", "")
        with closing(psycopg.connect(url)) as connection, connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def lost(self) -> Exception:
        return psycopg.OperationalError("server closed the connection unexpectedly")

    def crash(self) -> None:
        self.store.database.close()
        self.worker = HeldWorker()
        self.store = self.make()
        self.run(self.store.open())
