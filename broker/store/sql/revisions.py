"""The revisions of the schema: where they are, which one a database has, and which one this program needs."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, column, inspect, select, table

from broker.config.installation import find_folder

NEWEST = "0004"
"""The revision that this program needs, the last one in :func:`folder`."""
VERSIONS = {"0.1": "0004"}
"""The revision of each version of this program that was released, and of this one."""
_VERSION = table("alembic_version", column("version_num"))


def folder() -> Path:
    """The folder with Alembic's ``env.py``.

    Raises:
        FileNotFoundError: the installation is not whole.
    """
    return find_folder("migrations", "env.py")


def known_revisions() -> set[str]:
    """The revisions that this program was shipped with.

    Raises:
        FileNotFoundError: the installation is not whole.
    """
    return {path.name.partition("_")[0] for path in (folder() / "versions").glob("[0-9]*_*.py")}


def revision_of(engine: Engine) -> str | None:
    """The revision of a database's schema, ``None`` where it has no schema yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_VERSION.name):
            return None
        revision: str | None = connection.execute(select(_VERSION.c.version_num)).scalar()
        return revision
