"""The newest backup, whoever made it: the broker each day, a command, or somebody who copied it there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from broker.config.properties import Properties
from broker.store.backup_settings import backup_settings_of
from broker.store.sql.backup import backups_of


class Backup(NamedTuple):
    """A backup.

    Args:
        at: when it was made, in seconds since 1970.
        size: bytes.
    """

    at: float
    size: int


def last_backup(properties: Properties, data: Path) -> Backup | None:
    """The newest backup of a broker; ``None`` where there is none, or the directory cannot be read.

    Args:
        properties: say where they are.
        data: the data directory.
    """
    try:
        backups = backups_of(backup_settings_of(properties, data))
        status = backups[-1].stat()
    except (OSError, IndexError):
        return None
    return Backup(status.st_mtime, status.st_size)
