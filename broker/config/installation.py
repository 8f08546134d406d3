"""Folders of the source tree that the wheel has inside the package, such as ``etc``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def find_folder(name: str, file: str, package: Path | None = None) -> Path:
    """A folder: in the package where it is installed, beside it in a source tree.

    Args:
        name: of the folder, or its path.
        file: that it must hold. A folder alone does not count, since caches of a tree that once had it in the package
            may be left there.
        package: the folder of the package ``broker``, unless it is the one that runs.

    Raises:
        FileNotFoundError: it is in neither place, so that the installation is not whole.
    """
    package = Path(str(files("broker"))) if package is None else package
    candidates = (package / name, package.parent / name)
    for candidate in candidates:
        if (candidate / file).is_file():
            return candidate
    raise FileNotFoundError(f"there is no {file} in {candidates[0]} or {candidates[1]}")
