"""Who may administer, whose logins are blocked, and what was done in administration.

Accounts have a role and the time of their password; login names their block and their number of sessions, which were
forgotten by a restart before; and there is the table of the audit.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXTS = ["principal", "role", "via", "peer", "action", "target", "parameters", "reason", "outcome", "code", "request"]


def _account(*more: sa.Column[object]) -> None:
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scram_sha_1", sa.Text(), nullable=False),
        sa.Column("scram_sha_256", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )


def _subject(*more: sa.Column[object]) -> None:
    op.create_table(
        "subject",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("id"),
    )


def _of_account() -> list[sa.Column[object]]:
    return [sa.Column("role", sa.Text(), nullable=False), sa.Column("changed", sa.BigInteger(), nullable=False)]


def _of_subject() -> list[sa.Column[object]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("blocked", "max_sessions")]


def upgrade() -> None:
    """Nobody has a role or is blocked."""
    if op.get_bind().dialect.name == "sqlite":  # which adds columns behind the constraints only
        op.rename_table("account", "account_before")
        _account(*_of_account())
        op.execute("INSERT INTO account SELECT name, scram_sha_1, scram_sha_256, created, '', 0 FROM account_before")
        op.drop_table("account_before")
        op.rename_table("subject", "subject_before")
        _subject(*_of_subject())
        op.execute("INSERT INTO subject SELECT id, name, 0, 0 FROM subject_before")
        op.drop_table("subject_before")
    else:
        _add("account", _of_account())
        _add("subject", _of_subject())
    op.create_table(
        "audit",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in TEXTS),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Forget all of it."""
    op.drop_table("audit")
    if op.get_bind().dialect.name == "sqlite":
        op.rename_table("account", "account_after")
        _account()
        op.execute("INSERT INTO account SELECT name, scram_sha_1, scram_sha_256, created FROM account_after")
        op.drop_table("account_after")
        op.rename_table("subject", "subject_after")
        _subject()
        op.execute("INSERT INTO subject SELECT id, name FROM subject_after")
        op.drop_table("subject_after")
    else:
        for table, columns in (("account", _of_account()), ("subject", _of_subject())):
            for column in columns:
                op.drop_column(table, column.name)


def _add(table: str, columns: Sequence[sa.Column[object]]) -> None:
    for column in columns:
        default = "" if isinstance(column.type, sa.Text) else "0"
        op.add_column(table, sa.Column(column.name, column.type, nullable=False, server_default=default))
        op.alter_column(table, column.name, server_default=None)
