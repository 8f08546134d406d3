"""What a failure of the database is called."""

from __future__ import annotations

import errno
import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import NoSuchColumnError, OperationalError

from broker.errors import BrokerError, Code
from broker.store.sql.failures import translate


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (sqlite_error(sqlite3.SQLITE_FULL), Code.RESOURCE_NO_MORE_SPACE),
        (sqlite_error(sqlite3.SQLITE_BUSY), Code.RESOURCE_DB_UNAVAILABLE),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), Code.RESOURCE_DB_UNAVAILABLE),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), Code.RESOURCE_DB_UNAVAILABLE),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), Code.RESOURCE_DB_UNKNOWN),
        (sqlite3.ProgrammingError("closed"), Code.RESOURCE_DB_UNKNOWN),
        (psycopg.OperationalError("connection refused"), Code.RESOURCE_DB_UNAVAILABLE),
        (psycopg.errors.DiskFull(), Code.RESOURCE_NO_MORE_SPACE),
        (psycopg.errors.AdminShutdown(), Code.RESOURCE_DB_UNAVAILABLE),
        (psycopg.errors.ReadOnlySqlTransaction(), Code.RESOURCE_DB_UNAVAILABLE),
        (psycopg.errors.TooManyConnections(), Code.RESOURCE_DB_UNAVAILABLE),
        (psycopg.errors.DeadlockDetected(), Code.RESOURCE_DB_UNAVAILABLE),
        (psycopg.errors.UniqueViolation(), Code.RESOURCE_DB_UNKNOWN),
        (OSError(errno.ENOSPC, "No space left on device"), Code.RESOURCE_NO_MORE_SPACE),
        (PermissionError(errno.EACCES, "Permission denied"), Code.RESOURCE_DB_UNAVAILABLE),
        (ValueError("no idea"), Code.RESOURCE_DB_UNKNOWN),
    ],
    ids=lambda value: getattr(value, "name", None) or type(value).__name__,
)
def test_failures_have_the_code_that_says_whether_to_wait(error: Exception, code: Code) -> None:
    assert translate(error).code == code


def test_what_sqlalchemy_wraps_is_unwrapped_and_its_statement_not_told() -> None:
    wrapped = OperationalError("INSERT INTO account VALUES (?)", ("secret",), sqlite_error(sqlite3.SQLITE_FULL))

    translated = translate(wrapped)

    assert translated.code == Code.RESOURCE_NO_MORE_SPACE
    assert translated.message == "The database failed: it failed"


def test_a_connection_that_the_driver_gave_up_is_unavailable() -> None:
    wrapped = OperationalError("SELECT 1", (), psycopg.InterfaceError("gone"), connection_invalidated=True)

    assert translate(wrapped).code == Code.RESOURCE_DB_UNAVAILABLE


def test_only_the_first_line_is_told() -> None:
    assert translate(psycopg.OperationalError("refused\nIs it running?")).message == "The database failed: refused"


def test_texts_of_sqlalchemy_which_may_quote_rows_are_not_told() -> None:
    assert "secret" not in str(translate(NoSuchColumnError("secret")))


def test_an_error_of_the_catalogue_stays_what_it_is() -> None:
    error = BrokerError(Code.RESOURCE_CONFIGURATION, "Wrong")

    assert translate(error) is error
