"""Runs revisions on the connection that broker.store.sql.upgrade gives.

To write a new one, from the root of the source tree::

    alembic --config migrations/alembic.ini -x url=sqlite:///scratch.db upgrade head
    alembic --config migrations/alembic.ini -x url=sqlite:///scratch.db revision --autogenerate -m "what changes"
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from broker.store.sql.database import engine_of
from broker.store.sql.schema import metadata


def run(connection: Connection) -> None:
    """Run what Alembic was asked for."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with engine_of(context.get_x_argument(as_dictionary=True)["url"]).begin() as own:
        run(own)
