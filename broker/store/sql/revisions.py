"""Where the revisions of the schema are."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

FOLDER = "migrations"


def folder(package: Path | None = None) -> Path:
    """The folder with Alembic's ``env.py``: in the package where it is installed, beside it in a source tree.

    Args:
        package: the folder of the package ``broker``, unless it is the one that runs.

    Raises:
        FileNotFoundError: it is in neither place, so that the installation is not whole.
    """
    package = Path(str(files("broker"))) if package is None else package
    candidates = (package / FOLDER, package.parent / FOLDER)
    for candidate in candidates:
        # A folder alone does not count: caches of a tree that once had it there may be left in the first place.
        if (candidate / "env.py").is_file():
            return candidate
    raise FileNotFoundError(f"no revisions of the database's schema in {candidates[0]} or {candidates[1]}")
