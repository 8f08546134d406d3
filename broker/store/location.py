"""Where the database of a data directory is: the broker and its commands must agree on it."""

from __future__ import annotations

from pathlib import Path

from broker.config.core_options import DATABASE_URL
from broker.config.properties import Properties
from broker.errors import BrokerError, Code

SQLITE = "sqlite:///"
"""What the URL of an SQLite database begins with; its file follows."""
MEMORY_URL = "memory:"
"""The URL of a store that keeps nothing on disk."""
DATABASE_FILE = "broker.db"
"""Name of the SQLite file in the data directory."""


def database_url(properties: Properties, data: Path) -> str:
    """The URL of the database.

    Args:
        properties: ``db.url`` beats the data directory.
        data: the data directory.

    Raises:
        BrokerError: ``resource.configuration`` where ``db.url`` is unusable or a URL cannot name the directory.
    """
    url = DATABASE_URL.get(properties)
    if url:
        return url
    path = str((data / DATABASE_FILE).absolute())
    if "?" in path:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"A data directory must not have a '?' in its path: {path}")
    return f"{SQLITE}{path}"
