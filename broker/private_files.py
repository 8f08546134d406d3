"""Files that nobody else may read: those that the broker makes, and those with secrets that it is given."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

log = Logger()

PRIVATE = 0o600
OTHERS = 0o077
EVERYBODY = 0o007


def warn_of_readers(path: Path, name: str) -> None:
    """Have the log warn where others can read a file with a secret; it is somebody else's, and stays as it is.

    A file of another user may be readable by its group, since the broker could not read it otherwise.

    Args:
        path: of the file; nothing happens where there is none.
        name: of the property that names it.

    Raises:
        OSError: the file cannot be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    others = found.st_mode & (OTHERS if found.st_uid == os.geteuid() else EVERYBODY)
    if others:
        log.warn(
            "{name}: other users can read {path} (mode {mode}): chmod 600 {path}",
            name=name,
            path=str(path),
            mode=f"{found.st_mode & 0o777:04o}",
        )


def keep_private(path: Path) -> None:
    """Take the permissions of everybody else from a file, as one that was copied or restored may have them.

    Where the file belongs to another user the log says that others can read it, and nothing else happens.

    Args:
        path: of the file; nothing happens where there is none.

    Raises:
        OSError: the file cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not mode & OTHERS:
        return
    try:
        path.chmod(PRIVATE)
    except PermissionError as error:
        log.warn("{path} is open to other users, and stays so: {reason}", path=str(path), reason=error.strerror)
        return
    log.warn("{path} was open to other users (mode {mode}); now it is not", path=str(path), mode=f"{mode & 0o777:04o}")
