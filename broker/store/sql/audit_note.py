"""Rows of the audit that other programs than the broker write, such as ``broker backup``. Every call blocks."""

from __future__ import annotations

import time

from broker.model.records import AuditRecord
from broker.store.limits import check_audit
from broker.store.sql.database import Database
from broker.store.sql.failures import translate
from broker.store.sql.revisions import NEWEST, revision_of
from broker.store.sql.schema import audit
from broker.store.sql.writer import upsert


def note(url: str, by: str, action: str, target: str) -> bool:
    """Write down what was done with a database, whether a broker runs on it or not.

    Args:
        url: of the database.
        by: user of the operating system.
        action: what was done, e.g. ``backup``.
        target: to what.

    Returns:
        ``False`` where its schema is older and has no audit: that is not the time to change it.

    Raises:
        BrokerError: ``resource.*`` where it cannot be written.
    """
    now = time.time_ns()
    record = AuditRecord(now, now // 1_000_000, by, "", "command", "", action, target, "", "", "done", "", "")
    check_audit(record)
    database = Database(url, exclusive=False)
    try:
        if revision_of(database.engine) != NEWEST:
            return False
        with database.transaction() as connection:
            upsert(connection, audit, [record])
    except Exception as error:
        raise translate(error) from error
    finally:
        database.close()
    return True
