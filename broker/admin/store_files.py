"""How large the files of SQLite are, and how much room is left on their disk."""

from __future__ import annotations

import os
from pathlib import Path

from broker.config.properties import Properties
from broker.store.location import database_url

SQLITE = "sqlite:///"


class StoreFiles:
    """The files of a store.

    Args:
        properties: say where it is.
        data: the data directory.
    """

    def __init__(self, properties: Properties, data: Path) -> None:
        url = database_url(properties, data)
        self._database = Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None

    @property
    def database_bytes(self) -> int | None:
        """Size of the database; ``None`` where it is no file."""
        return self._size("")

    @property
    def wal_bytes(self) -> int | None:
        """Size of the write-ahead log; ``None`` where the database is no file."""
        return self._size("-wal")

    @property
    def free_disk_bytes(self) -> int | None:
        """What the broker's user may still write there; ``None`` where the database is no file."""
        if self._database is None:
            return None
        try:
            status = os.statvfs(self._database.parent)
        except OSError:  # the directory went, and the commits tell of that
            return 0
        return status.f_bavail * status.f_frsize

    def _size(self, suffix: str) -> int | None:
        if self._database is None:
            return None
        try:
            return os.stat(f"{self._database}{suffix}").st_size
        except OSError:  # there is none: yet, or not any more
            return 0
