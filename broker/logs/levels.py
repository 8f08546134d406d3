"""Which lines are written: a level for everything, and others for single parts."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import ILogObserver, LogEvent, LogLevel, LogLevelFilterPredicate, PredicateResult
from zope.interface import implementer

from broker.logs.settings import Level

EVERYTHING = ""
"""The namespace of what has no level of its own."""


class LogLevels:
    """The levels of the log, which can be changed at any time.

    Args:
        level: of all parts that have none of their own.
        levels: of parts, by namespace; one holds for what is below it, too.

    Attributes:
        by_namespace: levels that were set; that of the empty namespace is for all others.
    """

    def __init__(self, level: Level = Level.INFO, levels: Mapping[str, Level] | None = None) -> None:
        self.by_namespace = {EVERYTHING: level, **(levels or {})}
        self._predicate: LogLevelFilterPredicate
        self._admitted: dict[tuple[str, object], bool]
        self._apply()

    def admit(self, event: LogEvent) -> bool:
        """Whether an event is written; one without a namespace or a level is not."""
        known = self._admitted
        kind = event.get("log_namespace", ""), event.get("log_level")
        admitted = known.get(kind)
        if admitted is None:
            admitted = known[kind] = self._predicate(event) is not PredicateResult.no
        return admitted

    def of(self, namespace: str) -> Level:
        """The level that holds for a part.

        Args:
            namespace: of the part, e.g. ``broker.core.queues``.
        """
        return Level(self._predicate.logLevelForNamespace(namespace).name)

    def set(self, namespace: str, level: Level) -> None:
        """Change the level of a part, and of what is below it.

        Args:
            namespace: of the part, e.g. ``broker.core``.
            level: that holds from now on.
        """
        self.by_namespace[namespace] = level
        self._apply()

    def unset(self, namespace: str) -> None:
        """Let the level of what is above a part hold for it."""
        del self.by_namespace[namespace]
        self._apply()

    def _apply(self) -> None:
        predicate = LogLevelFilterPredicate(LogLevel.levelWithName(self.by_namespace[EVERYTHING].value))
        for namespace, level in self.by_namespace.items():
            predicate.setLogLevelForNamespace(namespace, LogLevel.levelWithName(level.value))
        self._predicate = predicate
        self._admitted = {}  # another one, as a thread may be about to add what held before


@implementer(ILogObserver)
class LevelFilter:
    """Lets those events through that levels admit.

    Args:
        levels: that decide.
        observer: that writes events.
    """

    def __init__(self, levels: LogLevels, observer: ILogObserver) -> None:
        self._levels = levels
        self._observer = observer

    def __call__(self, event: LogEvent) -> None:
        """Pass an event on, or leave it out."""
        if self._levels.admit(event):
            self._observer(event)
