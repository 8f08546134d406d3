"""Bursts of events: of one kind so many are let through in a second, and of the others their number is told."""

from __future__ import annotations

from collections import Counter

from broker.core.events import Event

PER_SECOND = 100
"""Events of one kind that are let through in a second."""
DROPPED = "events/event/dropped"
"""Type of the summary."""
MARK = "/event/"


def parts_of(type: str) -> tuple[str, str]:
    """The names of a type, which clients make up, and what happens."""
    names, mark, what = type.rpartition(MARK)
    return (names, what) if mark else (type, "")


def kind_of(type: str) -> str:
    """The kind of an event: its type without the names in it."""
    names, what = parts_of(type)
    return f"{names.partition('/')[0]}/{what}"


class Bursts:
    """Decides which events are let through.

    Attributes:
        dropped: events that were not; never falls.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._second = 0
        self._counts: Counter[str] = Counter()

    def admit(self, event: Event) -> list[Event]:
        """What goes on in the place of an event: first the summaries of a second that is over, then itself."""
        passed = self.due(event.at)
        kind = kind_of(event.type)
        self._counts[kind] += 1
        if self._counts[kind] > PER_SECOND:
            self.dropped += 1
        else:
            passed.append(event)
        return passed

    def due(self, at: int) -> list[Event]:
        """Summaries of a second that is over.

        Args:
            at: now, in milliseconds since 1970.
        """
        if at // 1000 == self._second:
            return []
        self._second = at // 1000
        counts, self._counts = self._counts, Counter()
        return [
            Event(DROPPED, at, {"kind": kind, "count": count - PER_SECOND})
            for kind, count in counts.items()
            if count > PER_SECOND
        ]
