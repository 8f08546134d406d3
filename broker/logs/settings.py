"""Properties of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from broker.config.kinds import BOOLEAN, choice, integer, size
from broker.config.options import Effect, declare, declare_indexed
from broker.config.properties import Properties
from broker.errors import BrokerError, Code


class Level(StrEnum):
    """How much a line matters; a level lets itself and all before it through."""

    CRITICAL = "critical"
    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"


class Format(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


LEVEL = declare(
    "log.level",
    choice(Level),
    Level.INFO,
    "What is logged: lines of this level and of those before it.",
    change=Effect.NOW,
)
LEVELS = declare_indexed(
    "log.level", "The level of one part, for example log.level[broker.native]=debug.", "broker.native"
)
FORMAT = declare(
    "log.format",
    choice(Format),
    Format.TEXT,
    "text: a line for people; json: an object for programs, with time, level, namespace, text and fields.",
)
KEEP = declare("log.keep", integer(0), 10, "Old log files that are kept beside the one of --logfile.")
MAX_SIZE = declare(
    "log.maxSize", size(0), 10 << 20, "Size at which the file of --logfile becomes an old one; 0: by SIGUSR1 only."
)

DAILY = declare(
    "log.daily", BOOLEAN, False, "Whether the file of --logfile becomes an old one at midnight, too, whatever its size."
)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the log is written.

    Args:
        level: of all parts that have none of their own.
        levels: of parts, by their namespaces, e.g. ``broker.native``.
        format: of a line.
        keep: old files that are kept.
        max_size: bytes at which a file becomes an old one; 0 for any.
        daily: a file becomes an old one at midnight.
    """

    level: Level
    levels: Mapping[str, Level]
    format: Format
    keep: int
    max_size: int
    daily: bool = False


def settings_of(properties: Properties) -> LogSettings:
    """The settings that properties give.

    Raises:
        BrokerError: ``resource.configuration`` where one cannot be used.
    """
    levels: dict[str, Level] = {}
    for namespace, text in LEVELS.get(properties).items():
        if text.strip():
            try:
                levels[namespace] = LEVEL.kind.parse(text)
            except ValueError as error:
                raise BrokerError(
                    Code.RESOURCE_CONFIGURATION, f"{LEVELS.name}[{namespace}]='{text}': {error}"
                ) from error
    return LogSettings(
        LEVEL.get(properties),
        levels,
        FORMAT.get(properties),
        KEEP.get(properties),
        MAX_SIZE.get(properties),
        DAILY.get(properties),
    )
