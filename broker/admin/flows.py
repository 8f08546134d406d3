"""How fast entries leave queues, and which queues let none go: looked at every few seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from broker.admin.instance import Instance
from broker.admin.why import Why
from broker.core.hindrances import Hindrance
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject

STUCK_AFTER = 60_000
"""Milliseconds in which no entry has left, after which a queue is stuck."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What has left a queue that holds entries.

    Args:
        left: entries that ever did, since the broker started.
        at: when it was looked at, in milliseconds since 1970.
        since: when an entry was last seen to have left, or the queue was first seen; likewise.
        rate: entries that left in a second between the last two looks; ``None`` after the first.
        entered: entries that ever came, since the broker started.
        entered_rate: entries that came in a second between the last two looks; ``None`` after the first.
    """

    left: int
    at: int
    since: int
    rate: float | None = None
    entered: int = 0
    entered_rate: float | None = None


class Flows:
    """The flows of all queues of sessions and login names that hold entries.

    Args:
        instance: the broker.

    Attributes:
        why: tells why a queue waits, and how fast it flows.
        stuck: queues that hold entries and have let none go for a while, by the decisive reason; of the last look.
    """

    def __init__(self, instance: Instance) -> None:
        self.why = Why(instance, self.rate, self.entered_rate)
        self.stuck: Counter[Hindrance] = Counter()
        self._flows: dict[int, Flow] = {}
        self._seen: dict[int, Flow] = {}
        self._stuck: Counter[Hindrance] = Counter()
        self._now = 0

    def rate(self, id: int) -> float | None:
        """Entries that left the queue of an id in a second, at the last look; ``None`` where that is not known."""
        flow = self._flows.get(id)
        return None if flow is None else flow.rate

    def entered_rate(self, id: int) -> float | None:
        """Entries that came into the queue of an id in a second; as :meth:`rate`."""
        flow = self._flows.get(id)
        return None if flow is None else flow.entered_rate

    def begin(self, now: int) -> None:
        """A look at all queues begins.

        Args:
            now: milliseconds since 1970.
        """
        self._seen, self._stuck, self._now = {}, Counter(), now

    def look_at_session(self, session: Session) -> None:
        """Look at the queue of a session."""
        if session.queue.entries and self._is_stuck(session.queue):
            self._stuck[self.why.of_session(session)[0].code] += 1

    def look_at_subject(self, subject: Subject) -> None:
        """Look at the queue of a login name."""
        if subject.queue.entries and self._is_stuck(subject.queue):
            self._stuck[self.why.of_subject(subject)[0].code] += 1

    def end(self) -> None:
        """All queues were looked at."""
        self._flows, self.stuck = self._seen, self._stuck

    def _is_stuck(self, queue: Queue) -> bool:
        now, left, before = self._now, queue.entered - queue.entries, self._flows.get(queue.id)
        if before is None:
            flow = Flow(left, now, now, entered=queue.entered)
        else:
            milliseconds = max(now - before.at, 1)
            rate = (left - before.left) * 1000 / milliseconds
            entered_rate = (queue.entered - before.entered) * 1000 / milliseconds
            since = before.since if left == before.left else now
            flow = Flow(left, now, since, rate, queue.entered, entered_rate)
        self._seen[queue.id] = flow
        return now - flow.since >= STUCK_AFTER
