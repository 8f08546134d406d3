"""Real databases for tests: a fresh one each."""

from __future__ import annotations

import atexit
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from broker.store.sql.database import engine_of
from broker.store.sql.schema import metadata
from broker.store.sql.upgrade import upgrade

SERVER = "BROKER_TEST_POSTGRES"
TEMPLATE = f"broker_test_{os.getpid()}_template"
"""Of this process: PostgreSQL copies no database that somebody else is connected to."""


def url_text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@contextmanager
def postgresql(template: str | None = "migrated") -> Iterator[str]:
    """The URL of a new database, dropped at the end; ``None`` for one without tables."""
    server = os.environ.get(SERVER)
    if not server:
        pytest.skip(f"needs a PostgreSQL server: run with `tests/postgres.sh run`, or set {SERVER}")
    name = f"broker_test_{secrets.token_hex(6)}"
    source = "template0" if template is None else _template(server)
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {source}")
    try:
        yield url_text(make_url(server).set(database=name))
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def emptied_postgresql() -> Iterator[str]:
    """The URL of a database with empty tables, for one that changes rows only: others of this process have it, too.

    To empty it takes a tenth of the time that a new one does.
    """
    if not _idle:
        _idle.append(_lasting())
    url = _idle.pop()
    yield url  # where a test fails nobody else gets it: something may still be connected
    with create_engine(url, poolclass=NullPool).begin() as connection:
        empty(connection)
    _idle.append(url)


def empty(connection: Connection) -> None:
    """Delete all rows; ``TRUNCATE`` would make new files for each table and index, which takes much longer."""
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())


_idle: list[str] = []


def _lasting() -> str:
    made = postgresql()
    url = made.__enter__()
    atexit.register(made.__exit__, None, None, None)
    return url


@cache
def _template(server: str) -> str:
    _execute(server, f"DROP DATABASE IF EXISTS {TEMPLATE}")
    _execute(server, f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    atexit.register(_execute, server, f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
    engine = engine_of(url_text(make_url(server).set(database=TEMPLATE)))
    upgrade(engine)
    engine.dispose()
    return TEMPLATE


def _execute(server: str, statement: str) -> None:
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
