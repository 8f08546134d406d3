"""Accounts: the one table that other programs than the broker write (design D13)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import bindparam, delete, select

from broker.errors import BrokerError, Code
from broker.model.records import AccountRecord
from broker.store.limits import check_account
from broker.store.rows import records
from broker.store.sql.database import Database
from broker.store.sql.failures import translate
from broker.store.sql.schema import account
from broker.store.sql.writer import upsert

_ALL = select(*account.columns)
_BY_NAME = _ALL.where(account.c.name == bindparam("name"))


def put_account(database: Database, record: AccountRecord) -> None:
    """Insert or replace."""
    with database.transaction() as connection:
        upsert(connection, account, [record])


def delete_account(database: Database, name: str) -> bool:
    """Delete; tell whether there was one."""
    with database.transaction() as connection:
        return connection.execute(delete(account).where(account.c.name == name)).rowcount > 0


def get_account(database: Database, name: str) -> AccountRecord | None:
    """Read one."""
    rows = database.read_alone(_BY_NAME, {"name": name})
    found = list(records(AccountRecord, rows, lambda unreadable: None))
    if rows and not found:
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"The account '{name}' cannot be read", "/store")
    return found[0] if found else None


def list_accounts(database: Database) -> list[AccountRecord]:
    """Read all that can be read, by name."""
    return sorted(records(AccountRecord, database.read_alone(_ALL, {}), lambda unreadable: None))


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
        with _translated():
            put_account(self._database, record)

    def delete(self, name: str) -> bool:
        """Delete; tell whether there was one."""
        with _translated():
            return delete_account(self._database, name)

    def get(self, name: str) -> AccountRecord | None:
        """Read one."""
        with _translated():
            return get_account(self._database, name)

    def list(self) -> list[AccountRecord]:
        """Read all, by name."""
        with _translated():
            return list_accounts(self._database)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise translate(error) from error
