"""The database: its schema, its accounts, and how a server of PostgreSQL is set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from broker.admin.options import administrators
from broker.auth.wiring import NO_FILE, SECRET_FILE
from broker.cli.check.findings import Finding, Findings, Subject
from broker.errors import BrokerError
from broker.store.location import SQLITE, database_url
from broker.store.sql.accounts import AccountTable
from broker.store.sql.server_settings import server_settings
from broker.store.sql.upgrade_check import schema_of

DATABASE, ACCOUNTS = Findings("database"), Findings("accounts")
POSTGRESQL = "postgresql"
SAFE = {"fsync": ("on",), "synchronous_commit": ("on", "remote_write", "remote_apply"), "full_page_writes": ("on",)}
"""Settings of a server, and the values with which what it has committed survives a crash."""


def check_database(subject: Subject) -> Iterator[Finding]:
    """Look at it, if it is there; a broker may run on it."""
    url = database_url(subject.properties, subject.data)
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE).partition("?")[0]).exists():
        yield DATABASE.ok("there is no database yet; the first start makes it")
        yield from _check_accounts_elsewhere(subject, 0)
        return
    try:
        before, after = schema_of(url)
        if before is None:
            yield DATABASE.ok("the database has no schema yet; the first start makes it")
        elif before == after:
            yield DATABASE.ok(f"its schema is {after}, that of this version")
        else:
            yield DATABASE.warning(
                f"its schema is {before}, and the next start changes it to {after}",
                "see broker upgrade --check; a copy is made before",
            )
        if url.startswith(POSTGRESQL):
            yield from _check_server(server_settings(url))
        if before == after:
            with AccountTable(url) as accounts:
                found, unreadable = accounts.list()
            for row in unreadable:
                yield ACCOUNTS.problem(f"the {row} cannot be read")
            yield from _check_accounts_elsewhere(subject, len(found))
    except BrokerError as error:
        yield DATABASE.problem(error.message)


def _check_server(settings: dict[str, str]) -> Iterator[Finding]:
    for name, safe in SAFE.items():
        value = settings.get(name, "")
        if value in safe:
            yield DATABASE.ok(f"PostgreSQL: {name} is {value}")
        else:
            yield DATABASE.problem(
                f"PostgreSQL: {name} is {value}: what was acknowledged may be lost in a crash of the server",
                f"set {name} to {safe[0]}",
            )


def _check_accounts_elsewhere(subject: Subject, count: int) -> Iterator[Finding]:
    file = SECRET_FILE.get(subject.properties).strip()
    if file == NO_FILE:
        yield ACCOUNTS.warning("anybody of this machine may log in under any name (NONE)", "use accounts")
    elif file:
        yield ACCOUNTS.ok(f"accounts are those of {file}")
        if not Path(file).is_file():
            yield ACCOUNTS.problem(f"there is no {file}", "make it, or name another one")
    elif count:
        yield ACCOUNTS.ok("there is one account" if count == 1 else f"there are {count:,} accounts")
    else:
        yield ACCOUNTS.warning("there is no account: nobody can log in", "broker user add NAME")
    names = administrators(subject.properties)
    if names:
        yield ACCOUNTS.ok(f"administrators by admin.users: {', '.join(sorted(names))}")
