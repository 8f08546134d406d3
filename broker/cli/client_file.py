"""``~/.config/broker/client.toml``: which broker a user's commands talk to, and as whom."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from broker.cli.terminal import reason_of
from broker.errors import BrokerError, Code

FILE = Path("~/.config/broker/client.toml")
"""The user's own. A file of the current directory would be of whoever may write there."""
KEYS = {"server": str, "user": str, "password": str, "tls": bool, "ca": str, "admin_url": str, "token": str}
"""What the file may hold."""
SECRETS = ("password", "token")
OTHERS_MAY_READ = 0o077
OTHERS_MAY_WRITE = 0o022


def read_client_file() -> dict[str, Any]:
    """What the file says; nothing where there is none.

    Raises:
        BrokerError: ``resource.configuration`` for a file that others may write, or read where it has a secret, or that
            says something else.
    """
    path = FILE.expanduser()
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, reason_of(error)) from error
    if status.st_uid != os.geteuid():
        raise _unusable(path, "it belongs to somebody else")
    if status.st_mode & OTHERS_MAY_WRITE:
        raise _unusable(path, f"others may write it: chmod 600 {path}")
    try:
        known = tomllib.loads(text.decode())
    except ValueError as error:
        raise _unusable(path, str(error)) from error
    for name, value in known.items():
        kind = KEYS.get(name)
        if kind is None:
            raise _unusable(path, f"there is no {name!a}, but {', '.join(KEYS)}")
        if not isinstance(value, kind):
            raise _unusable(path, f"{name} must be a {'text' if kind is str else 'boolean'}")
    for name in SECRETS:
        if name in known and status.st_mode & OTHERS_MAY_READ:
            raise _unusable(path, f"it holds a {name} and others may read it: chmod 600 {path}")
    return known


def _unusable(path: Path, why: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, f"{path} cannot be used: {why}")
