"""Where the revisions of the schema are."""

from __future__ import annotations

from pathlib import Path

from broker.config.installation import find_folder


def folder() -> Path:
    """The folder with Alembic's ``env.py``.

    Raises:
        FileNotFoundError: the installation is not whole.
    """
    return find_folder("migrations", "env.py")
