"""Which lines are written: a level for everything, and others for single parts."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import ILogObserver, LogEvent, LogLevel, LogLevelFilterPredicate, PredicateResult
from zope.interface import implementer

from broker.logs.settings import Level


class LogLevels:
    """The levels of the log, which can be changed at any time.

    Args:
        level: of all parts that have none of their own.
        levels: of parts, by namespace; one holds for what is below it, too.

    """

    def __init__(self, level: Level = Level.INFO, levels: Mapping[str, Level] | None = None) -> None:
        self._predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level.value))
        self._admitted: dict[tuple[str, object], bool] = {}
        for namespace, each in (levels or {}).items():
            self.set(namespace, each)

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
        self._predicate.setLogLevelForNamespace(namespace, LogLevel.levelWithName(level.value))
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
