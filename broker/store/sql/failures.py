"""What a failure of the database is called in the catalogue of errors."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from broker.errors import BrokerError, Code

_SQLITE_CODES = {
    sqlite3.SQLITE_FULL: Code.RESOURCE_NO_MORE_SPACE,
    sqlite3.SQLITE_BUSY: Code.RESOURCE_DB_UNAVAILABLE,
    sqlite3.SQLITE_LOCKED: Code.RESOURCE_DB_UNAVAILABLE,
    sqlite3.SQLITE_CANTOPEN: Code.RESOURCE_DB_UNAVAILABLE,
    sqlite3.SQLITE_IOERR: Code.RESOURCE_DB_UNAVAILABLE,
    sqlite3.SQLITE_READONLY: Code.RESOURCE_DB_UNAVAILABLE,
}

_SQLSTATES = {
    "53100": Code.RESOURCE_NO_MORE_SPACE,  # disk_full
    "08": Code.RESOURCE_DB_UNAVAILABLE,  # connection exceptions
    "25006": Code.RESOURCE_DB_UNAVAILABLE,  # read_only_sql_transaction: a standby, or a full disk's emergency brake
    "28": Code.RESOURCE_DB_UNAVAILABLE,  # invalid authorization
    "3D": Code.RESOURCE_DB_UNAVAILABLE,  # no such database
    "40": Code.RESOURCE_DB_UNAVAILABLE,  # rolled back: deadlock, serialization
    "53": Code.RESOURCE_DB_UNAVAILABLE,  # out of connections or memory
    "55": Code.RESOURCE_DB_UNAVAILABLE,  # lock not available
    "57": Code.RESOURCE_DB_UNAVAILABLE,  # shut down by its administrator, starting up
    "58": Code.RESOURCE_DB_UNAVAILABLE,  # input/output error
}


def translate(error: BaseException | None) -> BrokerError:
    """The error that the rest of the broker is told, without the statement and its parameters.

    ``resource.noMoreSpace`` and ``resource.db.unavailable`` are worth another try, ``resource.db.unknown`` rather not.
    """
    if isinstance(error, BrokerError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    code = Code.RESOURCE_DB_UNAVAILABLE if lost else _code_of(cause)
    return BrokerError(code, f"The database failed: {_text_of(cause)}", "/store")


def _code_of(cause: BaseException | None) -> Code:
    if isinstance(cause, OSError):
        return Code.RESOURCE_NO_MORE_SPACE if cause.errno == errno.ENOSPC else Code.RESOURCE_DB_UNAVAILABLE
    if isinstance(cause, sqlite3.Error):
        return _SQLITE_CODES.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, Code.RESOURCE_DB_UNKNOWN)
    sqlstate = getattr(cause, "sqlstate", "")
    if sqlstate:
        return _SQLSTATES.get(sqlstate) or _SQLSTATES.get(sqlstate[:2]) or Code.RESOURCE_DB_UNKNOWN
    # psycopg has no SQLSTATE where it got no answer at all: connection refused, or lost.
    if type(cause).__name__ in {"OperationalError", "ConnectionTimeout"}:
        return Code.RESOURCE_DB_UNAVAILABLE
    return Code.RESOURCE_DB_UNKNOWN


def _text_of(cause: BaseException | None) -> str:
    if isinstance(cause, SQLAlchemyError):
        return type(cause).__name__  # its text may quote a row
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
