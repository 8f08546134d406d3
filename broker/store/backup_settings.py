"""Properties of backups."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from broker.config.core_options import NODE_ID
from broker.config.kinds import BOOLEAN, TEXT, Kind, integer
from broker.config.options import declare
from broker.config.properties import Properties

DEFAULT_DIRECTORY = "backups"
"""Directory of backups in the data directory."""
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _parse_time(text: str) -> time | None:
    if not text.strip():
        return None
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a time of day, such as 03:15")
    return time(int(match[1]), int(match[2]))


TIME_OF_DAY: Kind[time | None] = Kind(
    "HH:MM of local time, or empty", _parse_time, lambda value: "" if value is None else f"{value:%H:%M}"
)

DIRECTORY = declare(
    "backup.directory", TEXT, "", "Where backups are written; empty: the directory backups in the data directory."
)
SCHEDULE = declare(
    "backup.schedule", TIME_OF_DAY, None, "When the broker makes a backup each day; empty: it makes none by itself."
)
KEEP = declare("backup.keep", integer(1), 7, "Backups of this node that are kept; each new one removes older ones.")

BEFORE_UPGRADE = declare(
    "backup.beforeUpgrade",
    BOOLEAN,
    True,
    "Whether the database is copied to backups/before-<revision>.db beside it before its schema is changed.",
)


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Where backups go, when they are made, and how many stay.

    Args:
        directory: of the backups.
        node: name of the broker, with which their names begin.
        keep: how many there may be.
        schedule: the time of day, local, at which the broker makes one; ``None`` for never.
    """

    directory: Path
    node: str
    keep: int = KEEP.default
    schedule: time | None = None


def backup_settings_of(properties: Properties, data: Path) -> BackupSettings:
    """The settings that properties give.

    Args:
        properties: to read from.
        data: the data directory.

    Raises:
        BrokerError: ``resource.configuration`` where one cannot be used.
    """
    directory = DIRECTORY.get(properties)
    return BackupSettings(
        directory=Path(directory) if directory else data / DEFAULT_DIRECTORY,
        node=NODE_ID.get(properties),
        keep=KEEP.get(properties),
        schedule=SCHEDULE.get(properties),
    )
