"""What other programs have changed of accounts, as documents that a broker takes out once it has seen to it."""

from __future__ import annotations

import secrets
import time

from broker.model.number import whole_or_none
from broker.model.records import SECURITY_OWNER, AccountAction, AccountChange, DocumentRecord

KIND = "auth.changes"
_MARKS = {
    AccountAction.ADDED: b"+",
    AccountAction.PASSWORD: b"=",
    AccountAction.REMOVED: b"-",
    AccountAction.ROLE: b"@",
}
_ACTIONS = {mark: action for action, mark in _MARKS.items()}
_BY = "\n"
"""Stands between an account and who changed it; no account has it in its name."""


def change_record(name: str, action: AccountAction, by: str = "") -> DocumentRecord:
    """Note a change.

    Args:
        name: of the account.
        action: what was done.
        by: user of the operating system who did it.
    """
    id = f"{time.time_ns():020}-{secrets.token_hex(4)}"  # in the order of the changes, whoever makes them
    text = f"{name}{_BY}{by}" if by else name
    return DocumentRecord(SECURITY_OWNER, KIND, id, _MARKS[action] + text.encode("utf-8", "replace"), 0)


def read_change(record: DocumentRecord) -> AccountChange:
    """The change that was noted; what cannot be understood is another password, which takes nothing away."""
    name, _, by = record.data[1:].decode("utf-8", "replace").partition(_BY)
    action = _ACTIONS.get(record.data[:1], AccountAction.PASSWORD)
    time_ns = whole_or_none(record.name.partition("-")[0].lstrip("0"), 0)
    return AccountChange(record.name, name, action, by, (time_ns or 0) // 1_000_000)
