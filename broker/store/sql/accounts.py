"""Accounts: the one table that other programs than the broker write (design D13)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, delete, select

from broker.model.records import AccountRecord
from broker.store.limits import check_account
from broker.store.sql.database import Database
from broker.store.sql.failures import translate
from broker.store.sql.schema import account
from broker.store.sql.writer import upsert


def put_account(connection: Connection, record: AccountRecord) -> None:
    """Insert or replace."""
    upsert(connection, account, [record])


def delete_account(connection: Connection, name: str) -> bool:
    """Delete; tell whether there was one."""
    return connection.execute(delete(account).where(account.c.name == name)).rowcount > 0


def get_account(connection: Connection, name: str) -> AccountRecord | None:
    """Read one."""
    row = connection.execute(select(*account.columns).where(account.c.name == name)).one_or_none()
    return None if row is None else AccountRecord._make(row)


def list_accounts(connection: Connection) -> list[AccountRecord]:
    """Read all, by name."""
    return sorted(AccountRecord._make(row) for row in connection.execute(select(*account.columns)))


class AccountTable:
    """The accounts of a database, for a program of its own; a broker may run on it or not. Every call blocks.

    Args:
        url: of the database; its file and tables are made where they are missing.

    Raises:
        BrokerError: by every method: ``resource.db.*``, ``resource.configuration`` where the schema is too new, or too
            old and in use.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, exclusive=False)
        with _translated():
            self._database.open()

    def put(self, record: AccountRecord) -> None:
        """Insert or replace."""
        check_account(record)
        with self._transaction() as connection:
            put_account(connection, record)

    def delete(self, name: str) -> bool:
        """Delete; tell whether there was one."""
        with self._transaction() as connection:
            return delete_account(connection, name)

    def get(self, name: str) -> AccountRecord | None:
        """Read one."""
        with self._transaction(write=False) as connection:
            return get_account(connection, name)

    def list(self) -> list[AccountRecord]:
        """Read all, by name."""
        with self._transaction(write=False) as connection:
            return list_accounts(connection)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _transaction(self, *, write: bool = True) -> Iterator[Connection]:
        with _translated(), self._database.transaction(write=write) as connection:
            yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise translate(error) from error
