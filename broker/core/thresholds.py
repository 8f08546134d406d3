"""Marks on queues, which are told when a queue fills up to them (spec xmlblaster §16.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from broker.model.number import MOST, whole_or_none

if TYPE_CHECKING:
    from broker.core.events import Events
    from broker.core.history import History
    from broker.core.node import Node
    from broker.core.queues import Queue
    from broker.core.sessions import Session
    from broker.core.subjects import Subject
    from broker.core.topics import Topic

FALL = 0.9
"""Part of a mark that a queue must fall to before it is told again that the mark is reached."""


class Mark(NamedTuple):
    """How full a queue is to be.

    Args:
        number: of entries, or percent of those that it holds.
        percent: which of them.
    """

    number: int
    percent: bool

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)

    def entries(self, limit: int) -> int:
        """How many entries that are, of a queue that holds so many."""
        return max(1, ceil(limit * self.number / 100) if self.percent else self.number)


def read_mark(text: str) -> Mark:
    """A mark as it is written, ``500`` or ``90%``.

    Raises:
        ValueError: where it is none.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,9})(%?)", text)
    number = None if found is None else whole_or_none(found[1], 1, 100 if found[2] else MOST)
    if found is None or number is None:
        raise ValueError(f"'{text[:64]}' is neither a number of entries, such as 500, nor a part of all, such as 90%")
    return Mark(number, bool(found[2]))


class Watch:
    """The marks of one queue; told of every entry that is put, and of nothing else.

    Args:
        name: of the queue, as events have it.
        marks: on it.
        events: are told.
    """

    __slots__ = ("_events", "_marks", "_name", "_reached")

    def __init__(self, name: str, marks: tuple[Mark, ...], events: Events) -> None:
        self._name = name
        self._marks = marks
        self._events = events
        self._reached: set[Mark] = set()

    def put(self, entries: int, limit: int) -> None:
        """An entry was put.

        Args:
            entries: that the queue has now. It had one fewer before, so it cannot have fallen further meanwhile.
            limit: how many it holds.
        """
        for mark in self._marks:
            most = mark.entries(limit)
            if entries - 1 <= most * FALL:
                self._reached.discard(mark)
            self.look(mark, entries, limit)

    def look(self, mark: Mark, entries: int, limit: int) -> None:
        """Tell that a mark is reached, once; arguments as of :meth:`put`."""
        if entries >= mark.entries(limit) and mark not in self._reached:
            self._reached.add(mark)
            self._events.tell(f"{self._name}/event/threshold.{mark}", entries=entries, maxEntries=limit)


def session_queue(session: Session) -> str:
    """The name of a session's queue in events."""
    return f"client/{session.name.subject}/session/{session.name.public_id}/queue/callback"


def subject_queue(subject: Subject) -> str:
    """The name of the queue of a login name."""
    return f"client/{subject.name}/queue/subject"


def history_queue(topic: Topic) -> str:
    """The name of a topic's history."""
    return f"topic/{topic.oid}/queue/history"


class Wanted(NamedTuple):
    """A mark that is wanted.

    Args:
        queues: matches the names of queues.
        mark: on them.
    """

    queues: re.Pattern[str]
    mark: Mark


class Thresholds:
    """Gives queues their marks. A queue without one pays an attribute test for each entry that is put.

    Args:
        node: shared state.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._wanted: list[Wanted] = []

    def add(self, wanted: list[Wanted]) -> None:
        """Have these marks; of queues that are there already, too. What is reached by then is told."""
        self._wanted += wanted
        self._watch_all()

    def remove(self, wanted: list[Wanted]) -> None:
        """Have them no more."""
        for each in wanted:
            self._wanted.remove(each)
        self._watch_all()

    def of_session(self, session: Session) -> None:
        """A session is made."""
        if self._wanted:
            self._watch(session.queue, session_queue(session))

    def of_subject(self, subject: Subject) -> None:
        """A login name is met."""
        if self._wanted:
            self._watch(subject.queue, subject_queue(subject))

    def of_topic(self, topic: Topic) -> None:
        """A topic is made."""
        if self._wanted:
            self._watch(topic.history, history_queue(topic))

    def _watch(self, queue: Queue | History, name: str) -> None:
        marks = tuple(dict.fromkeys(each.mark for each in self._wanted if each.queues.fullmatch(name)))
        queue.watch = watch = Watch(name, marks, self._node.events) if marks else None
        if watch is not None:
            for mark in marks:
                watch.look(mark, len(queue), queue.limits.entries)

    def _watch_all(self) -> None:
        for queue, name in self._all():
            self._watch(queue, name)

    def _all(self) -> Iterator[tuple[Queue | History, str]]:
        for subject in self._node.subjects.values():
            yield subject.queue, subject_queue(subject)
            for session in subject.sessions.values():
                yield session.queue, session_queue(session)
        for topic in self._node.topics.values():
            yield topic.history, history_queue(topic)
