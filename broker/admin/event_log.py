"""The last events, for those who ask what has happened."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.threadable import isInIOThread
from zope.interface import implementer

from broker.core.events import Event, Events
from broker.model.shorten import shorten

KEPT = 10_000
PER_SECOND = 100
"""Events of one kind that are kept of a second; of the others only their number is."""
DROPPED = "events/event/dropped"
MAX_TEXT = 1000
MARK = "/event/"
_LEVELS = {LogLevel.warn: "warning", LogLevel.error: "severe", LogLevel.critical: "severe"}


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that is kept.

    Args:
        number: ascending.
        event: it.
    """

    number: int
    event: Event


def kind_of(type: str) -> str:
    """The kind of an event: its type without the names in it."""
    names, what = _parts(type)
    return f"{names.partition('/')[0]}/{what}"


def _parts(type: str) -> tuple[str, str]:
    """The names of a type, which clients make up, and what happens."""
    names, mark, what = type.rpartition(MARK)
    return (names, what) if mark else (type, "")


class EventLog:
    """Keeps events, as long as it listens.

    Args:
        events: of the broker.

    Attributes:
        dropped: events that were not kept because there were too many of their kind; never falls.
        on_event: each is told of an event that is kept.
    """

    def __init__(self, events: Events) -> None:
        self.dropped = 0
        self.on_event: list[Callable[[Kept], None]] = []
        self._events = events
        self._kept: deque[Kept] = deque(maxlen=KEPT)
        self._number = 0
        self._second = 0
        self._counts: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to listen."""
        self._events.listen(self._take)

    def stop(self) -> None:
        """Listen no more."""
        self._events.forget(self._take)

    def newest(self) -> list[Kept]:
        """What is kept, the newest first."""
        return list(reversed(self._kept))

    def _take(self, event: Event) -> None:
        second = event.at // 1000
        if second != self._second:
            self._summarise(event.at)
            self._second = second
        kind = kind_of(event.type)
        self._counts[kind] += 1
        if self._counts[kind] > PER_SECOND:
            self.dropped += 1
        else:
            self._keep(event)

    def _summarise(self, at: int) -> None:
        counts, self._counts = self._counts, Counter()
        for kind, count in counts.items():
            if count > PER_SECOND:
                self._keep(Event(DROPPED, at, {"kind": kind, "count": count - PER_SECOND}))

    def _keep(self, event: Event) -> None:
        self._number += 1
        kept = Kept(self._number, _shortened(event))
        self._kept.append(kept)
        for each in self.on_event:
            each(kept)


def _shortened(event: Event) -> Event:
    """An event as it is kept: the names that clients have made up would take gigabytes together."""
    names, what = _parts(event.type)
    type = f"{shorten(names)}{MARK}{what}" if what else shorten(event.type)
    fields = {
        name: shorten(value, MAX_TEXT) if isinstance(value, str) else value for name, value in event.fields.items()
    }
    return Event(type, event.at, fields)


@implementer(ILogObserver)
class LoggedEvents:
    """Tells of warnings and errors of the log, as an observer of it.

    Args:
        events: of the broker.
        reactor: is told of lines that other threads write.
        is_here: whether this is its thread.
    """

    def __init__(self, events: Events, reactor: Any, is_here: Callable[[], bool] = isInIOThread) -> None:
        self._events = events
        self._reactor = reactor
        self._is_here = is_here

    def __call__(self, event: LogEvent) -> None:
        """A line of the log; most are of no interest."""
        level = _LEVELS.get(event.get("log_level", LogLevel.info))
        if level is None or not self._events.wanted:
            return
        type, text = f"logging/{level}/{event.get('log_namespace', '')}", formatEvent(event)[:MAX_TEXT]
        if self._is_here():
            self._events.tell(type, text=text)
        else:
            self._reactor.callFromThread(self._events.tell, type, text=text)
