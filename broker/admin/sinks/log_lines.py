"""Events as lines of the log."""

from __future__ import annotations

from twisted.logger import Logger, LogLevel

from broker.admin.sinks.details import Details
from broker.admin.sinks.variables import Variables

log = Logger()

SETTINGS = ("level", "content")
DEFAULT_CONTENT = "$_{eventType}: $_{summary}"
LEVELS = {"debug": LogLevel.debug, "info": LogLevel.info, "warn": LogLevel.warn, "error": LogLevel.error}


class LogSink:
    """Writes events into the log.

    Args:
        variables: of the content.
        level: ``debug``, ``info``, ``warn`` or ``error``.
        content: with variables.

    Raises:
        ValueError: for another level.
    """

    name = "the log of events"

    def __init__(self, variables: Variables, level: str = "info", content: str = DEFAULT_CONTENT) -> None:
        if level not in LEVELS:
            raise ValueError(f"'{level[:64]}' is none of {', '.join(LEVELS)}")
        self._variables = variables
        self._level = LEVELS[level]
        self._content = content

    async def deliver(self, details: Details) -> None:
        """Write one."""
        log.emit(self._level, "{text}", text=self._variables.replace(self._content, details))
