"""Files that the broker's own user alone may read."""

from __future__ import annotations

from pathlib import Path

from twisted.logger import Logger

log = Logger()

PRIVATE = 0o600
OTHERS = 0o077


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
