"""Accounts, as the store has them (operations §1.11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from broker.admin.access import Access
from broker.admin.filtering import by_choice, by_truth
from broker.admin.listing import Collection, Sort
from broker.admin.moment import moment
from broker.core.node import Node
from broker.model.records import AccountRecord

SCRAM = ["SHA-1", "SHA-256"]
"""Every account has verifiers of both."""


class AccountRole(StrEnum):
    """The role of an account."""

    NONE = "none"
    MONITORING = "monitoring"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class AccountRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An account.

    Args:
        name: login name.
        role: in administration.
        sessions: that it has now.
        scram: mechanisms that it has verifiers of.
        role_from: what gives the role: ``account``, or name of a property; absent where it has none.
        blocked_at: since when its logins are refused; absent where they are not.
        created_at: when it was made.
        password_changed_at: when it got its password; absent where that is not known.
    """

    name: str
    role: AccountRole
    sessions: int
    scram: list[str]
    role_from: str | None = None
    blocked_at: str | None = None
    created_at: str | None = None
    password_changed_at: str | None = None


def accounts(records: Sequence[AccountRecord], node: Callable[[], Node], access: Access) -> Collection[AccountRecord]:
    """The collection.

    Args:
        records: of the store.
        node: has the sessions.
        access: knows the roles.
    """

    def role(record: AccountRecord) -> AccountRole:
        return AccountRole(access.granted(record.name).role.label or AccountRole.NONE)

    def blocked(record: AccountRecord) -> bool:
        subject = node().subjects.get(record.name)
        return subject is not None and subject.blocked

    return Collection(
        objects=lambda: records,
        id_of=lambda record: record.name,
        row_type=AccountRow,
        row=lambda record: account_row(record, node(), access),
        sorts={
            "name": Sort(lambda record: record.name, is_text=True),
            "createdAt": Sort(lambda record: record.created),
            "passwordChangedAt": Sort(lambda record: record.changed),
        },
        default_sort="name",
        filters={"role": by_choice(role, AccountRole), "blocked": by_truth(blocked)},
    )


def account_row(record: AccountRecord, node: Node, access: Access) -> AccountRow:
    """What is told of an account: neither password nor verifiers."""
    granted = access.granted(record.name)
    subject = node.subjects.get(record.name)
    return AccountRow(
        record.name,
        AccountRole(granted.role.label or AccountRole.NONE),
        0 if subject is None else len(subject.clients),
        SCRAM,
        granted.source or None,
        moment(subject.blocked_at) if subject is not None and subject.blocked else None,
        moment(record.created) if record.created else None,
        moment(record.changed) if record.changed else None,
    )
