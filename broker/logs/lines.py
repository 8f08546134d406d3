"""Lines of the log, for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from twisted.logger import LogEvent, formatEvent, formatEventAsClassicLogText, formatTime

from broker.escape import escaped

PLAIN = str | int | float | bool
"""What a field may be to stand in an object; others are in the text only."""
LEGACY = frozenset({"format", "isError", "message", "printed", "system", "text", "time"})
"""What Twisted adds to events for older observers; ``text`` is the text itself."""


def as_text(event: LogEvent) -> str | None:
    """A line for people; what peers can put into it does nothing to a terminal, and begins no line of its own.

    Args:
        event: with a time, a level and a namespace.
    """
    if "log_failure" in event or "log_system" in event:
        line = formatEventAsClassicLogText(event, _to_the_second)
        return None if line is None else escaped(line, keep="\n\t")
    text = _text(event)
    if not text:
        return None
    line = f"{_to_the_second(event['log_time'])} [{event['log_namespace']}#{event['log_level'].name}] {text}"
    return escaped(line.replace("\n", "\n\t"), keep="\n\t") + "\n"


def _text(event: LogEvent) -> str:
    """What Twisted's formatter makes of an event, in a fraction of its time."""
    try:
        text: str = event["log_format"].format_map(event)
    except Exception:  # noqa: BLE001 - a call, or a mistake, which its formatter tells of in the text
        return formatEvent(event)
    return text


def _to_the_second(when: float | None) -> str:
    return _written(int(when)) if when is not None else formatTime(when)


@lru_cache(1)
def _written(second: int) -> str:
    """Many lines are of one second, and a time takes longer to write than the rest of its line."""
    return formatTime(second)


def as_json(event: LogEvent) -> str | None:
    """A JSON object with ``time``, ``level``, ``namespace``, ``text``, ``fields``, and ``traceback`` of a failure."""
    text, failure = _text(event), event.get("log_failure")
    if not text and failure is None:
        return None
    line: dict[str, Any] = {
        "time": f"{datetime.fromtimestamp(event['log_time'], UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "level": event["log_level"].name,
        "namespace": event["log_namespace"],
        "text": text,
        "fields": {
            name: value
            for name, value in event.items()
            if not name.startswith("log_") and name not in LEGACY and isinstance(value, PLAIN)
        },
    }
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    return json.dumps(line) + "\n"
