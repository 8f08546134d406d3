"""Accounts: the one table that other programs than the broker write (design D13)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Select, bindparam, delete, literal_column, select, update

from broker.model.records import AccountAction, AccountRecord, Unreadable
from broker.store.account_changes import change_record
from broker.store.limits import check_account
from broker.store.rows import account_of, records
from broker.store.sql.database import Database
from broker.store.sql.failures import translate
from broker.store.sql.schema import account, document
from broker.store.sql.writer import upsert

_ALL = select(*account.columns)
_ROLES = select(account.c.name, account.c.role).where(account.c.role != literal_column("''"))
_BY_NAME = _ALL.where(account.c.name == bindparam("name"))


def put_account(database: Database, record: AccountRecord, by: str = "") -> None:
    """Insert or replace; ``by`` is the user of the operating system who does it."""
    with database.transaction() as connection:
        known = connection.execute(select(account.c.name).where(account.c.name == record.name)).first()
        upsert(connection, account, [record])
        action = AccountAction.ADDED if known is None else AccountAction.PASSWORD
        upsert(connection, document, [change_record(record.name, action, by)])


def delete_account(database: Database, name: str, by: str = "") -> bool:
    """Delete; tell whether there was one. ``by`` is as above."""
    with database.transaction() as connection:
        found = connection.execute(delete(account).where(account.c.name == name)).rowcount > 0
        if found:
            upsert(connection, document, [change_record(name, AccountAction.REMOVED, by)])
        return found


def set_role(database: Database, name: str, role: str, by: str = "") -> bool:
    """Give an account another role; tell whether there is one. ``by`` is as above."""
    with database.transaction() as connection:
        statement = update(account).where(account.c.name == name).values(role=role)
        found = connection.execute(statement).rowcount > 0
        if found:
            upsert(connection, document, [change_record(name, AccountAction.ROLE, by)])
        return found


def list_roles(database: Database) -> dict[str, str]:
    """Roles of the accounts that have one."""
    found = database.read_alone(_ROLES, {})
    return {name: role for name, role in found if isinstance(name, str) and isinstance(role, str)}


def get_account(database: Database, name: str) -> tuple[list[AccountRecord], list[Unreadable]]:
    """Read one: as a list that is empty where there is none, and the row that is none."""
    return _read(database, _BY_NAME, {"name": name})


def list_accounts(database: Database) -> tuple[list[AccountRecord], list[Unreadable]]:
    """Read all that can be read, by name, and the rows that are none."""
    return _read(database, _ALL, {})


def _read(
    database: Database, query: Select[Any], values: dict[str, str]
) -> tuple[list[AccountRecord], list[Unreadable]]:
    unreadable: list[Unreadable] = []
    return sorted(records(AccountRecord, database.read_alone(query, values), unreadable.append)), unreadable


class AccountTable:
    """The accounts of a database, for a program of its own; a broker may run on it or not. Every call blocks.

    Args:
        url: of the database; its file and tables are made where they are missing.
        by: user of the operating system who changes something, for the audit of the broker.

    Raises:
        BrokerError: by every method: ``resource.db.*``, ``resource.configuration`` where the schema is too new, or too
            old and in use.
    """

    def __init__(self, url: str, by: str = "") -> None:
        self._by = by
        self._database = Database(url, exclusive=False)
        with _translated():
            self._database.open()

    def put(self, record: AccountRecord) -> None:
        """Insert or replace."""
        check_account(record)
        with _translated():
            put_account(self._database, record, self._by)

    def delete(self, name: str) -> bool:
        """Delete; tell whether there was one."""
        with _translated():
            return delete_account(self._database, name, self._by)

    def set_role(self, name: str, role: str) -> bool:
        """Give an account another role; tell whether there is one."""
        with _translated():
            return set_role(self._database, name, role, self._by)

    def get(self, name: str) -> AccountRecord | None:
        """Read one."""
        with _translated():
            return account_of(name, *get_account(self._database, name))

    def list(self) -> tuple[list[AccountRecord], list[Unreadable]]:
        """Read all, by name, and what of them cannot be read."""
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
