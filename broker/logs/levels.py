"""Which lines are written: a level for everything, and others for single parts."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import LogLevel, LogLevelFilterPredicate

from broker.logs.settings import Level


class LogLevels:
    """The levels of the log, which can be changed at any time.

    Args:
        level: of all parts that have none of their own.
        levels: of parts, by namespace; one holds for what is below it, too.

    Attributes:
        predicate: decides about events, for a :class:`twisted.logger.FilteringLogObserver`.
    """

    def __init__(self, level: Level = Level.INFO, levels: Mapping[str, Level] | None = None) -> None:
        self.predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level.value))
        for namespace, each in (levels or {}).items():
            self.set(namespace, each)

    def of(self, namespace: str) -> Level:
        """The level that holds for a part.

        Args:
            namespace: of the part, e.g. ``broker.core.queues``.
        """
        return Level(self.predicate.logLevelForNamespace(namespace).name)

    def set(self, namespace: str, level: Level) -> None:
        """Change the level of a part, and of what is below it.

        Args:
            namespace: of the part, e.g. ``broker.core``.
            level: that holds from now on.
        """
        self.predicate.setLogLevelForNamespace(namespace, LogLevel.levelWithName(level.value))
