"""A bound on how many lines one part of the broker may write in a second."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from broker.logs.audit import NAMESPACE as AUDIT

MAX_LINES = 1000
"""Lines of a namespace in a second."""


@dataclass(slots=True)
class _Second:
    """The lines of one namespace in one second.

    Args:
        number: of the second.
        lines: that were written in it.
        dropped: that were too many.
    """

    number: int
    lines: int = 0
    dropped: int = 0


@implementer(ILogObserver)
class FloodLimit:
    """Lets so many lines of a namespace through in a second, and says how many more there were.

    The audit has no limit: each of its lines is one that somebody may have to find.

    Args:
        observer: that writes them.
        max_lines: of a namespace in a second.
    """

    def __init__(self, observer: ILogObserver, max_lines: int = MAX_LINES) -> None:
        self._observer = observer
        self._max_lines = max_lines
        self._seconds: dict[str, _Second] = {}

    def __call__(self, event: LogEvent) -> None:
        """Write an event, or count it."""
        namespace = event.get("log_namespace", "")
        number = int(event["log_time"])
        second = self._seconds.get(namespace)
        if second is None or second.number != number:
            if second is not None and second.dropped:
                self._observer(_dropped(event, namespace, second.dropped))
            second = self._seconds[namespace] = _Second(number)
        if second.lines < self._max_lines or namespace == AUDIT:
            second.lines += 1
            self._observer(event)
        else:
            second.dropped += 1


def _dropped(event: LogEvent, namespace: str, count: int) -> LogEvent:
    return {
        "log_format": "{count} more lines in one second are left out",
        "log_level": LogLevel.warn,
        "log_namespace": namespace,
        "log_time": event["log_time"],
        "count": count,
    }
