"""Topics have an owner of their own; before it stood in the meta data of their key.

Who published first on a topic could claim any owner by such meta data. What is in the database cannot tell such a
claim from a node's maker, so it is believed once, here, and never again.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWNER = re.compile(rb"<key\b[^>]*><node owner=['\"]([^'\"@]+)@")
SLICE = 1000

_topic = sa.table("topic", sa.column("id", ID), sa.column("key", sa.LargeBinary), sa.column("owner", sa.Text))


def upgrade() -> None:
    """Give every topic the owner that its key names."""
    if op.get_bind().dialect.name == "sqlite":  # which adds columns behind the constraints only
        op.rename_table("topic", "topic_without_owner")
        op.create_table(
            "topic",
            sa.Column("id", ID, autoincrement=False, nullable=False),
            sa.Column("oid", sa.Text(), nullable=False),
            sa.Column("key", sa.LargeBinary(), nullable=False),
            sa.Column("qos", sa.LargeBinary(), nullable=False),
            sa.Column("owner", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("id"),
        )
        op.execute("INSERT INTO topic SELECT id, oid, \"key\", qos, '' FROM topic_without_owner")
        op.drop_table("topic_without_owner")
    else:
        op.add_column("topic", sa.Column("owner", sa.Text(), nullable=False, server_default=""))
        op.alter_column("topic", "owner", server_default=None)
    connection = op.get_bind()
    last = -1
    while rows := connection.execute(
        sa.select(_topic.c.id, _topic.c.key).where(_topic.c.id > last).order_by(_topic.c.id).limit(SLICE)
    ).all():
        last = rows[-1].id
        for id, key in rows:
            found = OWNER.search(key)
            if found is not None:
                owner = found[1].decode("utf-8", "replace")
                connection.execute(sa.update(_topic).where(_topic.c.id == id).values(owner=owner))


def downgrade() -> None:
    """Forget the owners."""
    with op.batch_alter_table("topic") as batch:
        batch.drop_column("owner")
