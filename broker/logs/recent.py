"""The last lines of the log, for whoever is to find out what went wrong (operations §1.16)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from broker.logs.lines import LEGACY, PLAIN, as_text

MAX_LINES = 2000
MAX_CHARACTERS = 2000
"""Of one line."""
_UNSEEN = frozenset({LogLevel.debug})


@dataclass(frozen=True, slots=True)
class RecentLine:
    """A line of the log.

    Args:
        at: seconds since 1970.
        level: its name.
        namespace: which part of the broker has written it.
        template: the text without what it is about.
        fields: what it is about.
        text: the whole line, cut where it is long.
    """

    at: float
    level: str
    namespace: str
    template: str
    fields: tuple[tuple[str, str | int | float | bool], ...]
    text: str


@implementer(ILogObserver)
class RecentLines:
    """Keeps the last lines, but those for finding errors in the program, whatever of them is written to the log."""

    def __init__(self) -> None:
        self._lines: deque[RecentLine] = deque(maxlen=MAX_LINES)

    def __call__(self, event: LogEvent) -> None:
        """Take an event; threads log, too."""
        level = event.get("log_level", LogLevel.info)
        if level in _UNSEEN:
            return
        text = as_text({"log_namespace": "-", "log_level": level, "log_time": 0.0, **event})
        if text is None:
            return
        fields = tuple(
            (name, value[:MAX_CHARACTERS] if isinstance(value, str) else value)
            for name, value in event.items()
            if not name.startswith("log_") and name not in LEGACY - {"text"} and isinstance(value, PLAIN)
        )
        self._lines.append(
            RecentLine(
                event.get("log_time", 0.0),
                level.name,
                str(event.get("log_namespace", "-")),
                str(event.get("log_format") or ""),
                fields,
                text.rstrip("\n")[:MAX_CHARACTERS],
            )
        )

    def all(self) -> list[RecentLine]:
        """Them, the oldest first."""
        return list(self._lines)
