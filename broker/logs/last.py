"""The last error and the last warning of the log, for administrators (spec xmlblaster §16.1)."""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

MAX_CHARACTERS = 1000


@implementer(ILogObserver)
class LastLines:
    """Keeps the text of the last event of either level, whatever is written to the log.

    Attributes:
        error: text of the last error or critical event; empty for none.
        warning: text of the last warning; empty for none.
    """

    def __init__(self) -> None:
        self.error = ""
        self.warning = ""

    def __call__(self, event: LogEvent) -> None:
        """Take an event; threads log, too."""
        level = event.get("log_level")
        if level is LogLevel.warn:
            self.warning = _text(event)
        elif level is LogLevel.error or level is LogLevel.critical:
            self.error = _text(event)


def _text(event: LogEvent) -> str:
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}: {failure.getErrorMessage()}"
    return text[:MAX_CHARACTERS]
