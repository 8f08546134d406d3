"""Topics know whose account they count for, also those that belong to nobody.

What is in the database does not tell who made a topic without an owner; such topics count for nobody.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Have every topic count for its owner."""
    if op.get_bind().dialect.name == "sqlite":  # which adds columns behind the constraints only
        op.rename_table("topic", "topic_without_creator")
        op.create_table(
            "topic",
            sa.Column("id", ID, autoincrement=False, nullable=False),
            sa.Column("oid", sa.Text(), nullable=False),
            sa.Column("key", sa.LargeBinary(), nullable=False),
            sa.Column("qos", sa.LargeBinary(), nullable=False),
            sa.Column("owner", sa.Text(), nullable=False),
            sa.Column("creator", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("id"),
        )
        op.execute('INSERT INTO topic SELECT id, oid, "key", qos, owner, owner FROM topic_without_creator')
        op.drop_table("topic_without_creator")
    else:
        op.add_column("topic", sa.Column("creator", sa.Text(), nullable=False, server_default=""))
        op.alter_column("topic", "creator", server_default=None)
        op.execute("UPDATE topic SET creator = owner")


def downgrade() -> None:
    """Forget who made the topics."""
    with op.batch_alter_table("topic") as batch:
        batch.drop_column("creator")
