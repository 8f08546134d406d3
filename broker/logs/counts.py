"""How many lines of each level were logged."""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from broker.logs.settings import Level


@implementer(ILogObserver)
class LineCounts:
    """Counts events of the log, also those that are not written.

    Attributes:
        counts: by the name of the level.
    """

    def __init__(self) -> None:
        self.counts = dict.fromkeys((level.value for level in Level), 0)

    def __call__(self, event: LogEvent) -> None:
        """Count an event."""
        level: LogLevel | None = event.get("log_level")
        if level is not None and level.name in self.counts:
            self.counts[level.name] += 1
