"""What other programs have changed of accounts, as documents that a broker takes out once it has seen to it."""

from __future__ import annotations

import secrets
import time

from broker.model.records import SECURITY_OWNER, AccountChange, DocumentRecord

KIND = "auth.changes"
_REMOVED = b"-"
_ALTERED = b"="


def change_record(name: str, *, removed: bool) -> DocumentRecord:
    """Note a change.

    Args:
        name: of the account.
        removed: whether it was removed; else it has another password.
    """
    id = f"{time.time_ns():020}-{secrets.token_hex(4)}"  # in the order of the changes, whoever makes them
    return DocumentRecord(SECURITY_OWNER, KIND, id, (_REMOVED if removed else _ALTERED) + name.encode(), 0)


def read_change(record: DocumentRecord) -> AccountChange:
    """The change that was noted."""
    return AccountChange(record.name, record.data[1:].decode("utf-8", "replace"), record.data[:1] == _REMOVED)
