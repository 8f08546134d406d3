"""The last events, for those who ask what has happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.threadable import isInIOThread
from zope.interface import implementer

from broker.admin.bursts import MARK, Bursts, parts_of
from broker.core.events import Event, Events
from broker.model.shorten import shorten

KEPT = 10_000
MAX_TEXT = 1000
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


class EventLog:
    """Keeps events, as long as it listens.

    Args:
        events: of the broker.

    Attributes:
        on_event: each is told of an event that is kept.
    """

    def __init__(self, events: Events) -> None:
        self.on_event: list[Callable[[Kept], None]] = []
        self._events = events
        self._kept: deque[Kept] = deque(maxlen=KEPT)
        self._number = 0
        self._bursts = Bursts()

    @property
    def dropped(self) -> int:
        """Events that were not kept because there were too many of their kind; never falls."""
        return self._bursts.dropped

    def start(self) -> None:
        """Begin to listen."""
        self._events.listen(self._take)

    def stop(self) -> None:
        """Listen no more."""
        self._events.forget(self._take)

    def newest(self) -> list[Kept]:
        """What is kept, the newest first; with the number of those that were dropped in a second that is over."""
        for each in self._bursts.due(self._events.now()):
            self._keep(each)
        return list(reversed(self._kept))

    def _take(self, event: Event) -> None:
        if any(leave_out(event) for leave_out in self._events.unlisted):
            return
        before = self._bursts.dropped
        for each in self._bursts.admit(event):
            self._keep(each)
        self._events.dropped += self._bursts.dropped - before

    def _keep(self, event: Event) -> None:
        self._number += 1
        kept = Kept(self._number, _shortened(event))
        self._kept.append(kept)
        for each in self.on_event:
            each(kept)


def _shortened(event: Event) -> Event:
    """An event as it is kept: the names that clients have made up would take gigabytes together."""
    names, what = parts_of(event.type)
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
