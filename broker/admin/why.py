"""Why queues wait: what holds the first entry of each now, the decisive reason first (docs/why.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from broker.admin.instance import Instance
from broker.core.hindrances import Hindrance, Wait
from broker.core.ids import NANOSECONDS
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.runlevels.levels import name_of

BRIEF = 5_000
"""Milliseconds for which an answer may be awaited before that counts as waiting."""
MAX_NAMED = 10
"""Sessions that are named with the reason why they take nothing."""
PASSING = (Hindrance.UNANSWERED, Hindrance.WINDOW_FULL)
"""What is part of every delivery, and a hindrance only where it lasts."""
BY_THE_STORE = (Hindrance.COMMIT_PENDING, Hindrance.ON_DISK)
"""What a store that fails makes last."""
AWAY = (Hindrance.NO_RECEIVER, Hindrance.RECEIVER_AWAY, Hindrance.TAKEN_OVER, Hindrance.DETACHED_STREAM)


class Why:
    """Tells why queues wait.

    Args:
        instance: the broker.
        rate: entries that lately left a queue in a second, by the queue's id; ``None`` where that is not known.
        entered_rate: entries that lately came, likewise.
    """

    def __init__(
        self,
        instance: Instance,
        rate: Callable[[int], float | None] = lambda id: None,
        entered_rate: Callable[[int], float | None] = lambda id: None,
    ) -> None:
        self.rate = rate
        self.entered_rate = entered_rate
        self._instance = instance

    def of_session(self, session: Session) -> list[Wait]:
        """Why the queue of a session waits; empty where it holds nothing."""
        queue = session.queue
        if not queue.entries:
            return []
        if not session.can_receive and session.dispatch.outbound is None:
            waits = [Wait(Hindrance.NO_RECEIVER, session.created)]
        else:
            waits = list(session.dispatch.waits())
        if not any(wait.code in PASSING for wait in waits):  # else the first entry is on its way
            waits = [*self._reading(queue), *waits]
        waits = [*self._of_broker(), *waits]
        if session.subject.blocked or session.blocked:
            subject = session.subject
            waits = _blocked(waits, subject.name if subject.blocked else session.name.relative, subject.blocked_at)
        return self._judged(queue, waits)

    def of_subject(self, subject: Subject) -> list[Wait]:
        """Why what is for a login name waits; empty where nothing does."""
        queue = subject.queue
        if not queue.entries:
            return []
        waits = [*self._of_broker(), *self._reading(queue)]
        receivers = subject.receivers
        if receivers:
            waits += _of_full(receivers)
        else:
            first = queue.peek(1)
            since = first[0].message.id // NANOSECONDS if first else 0
            waits.append(Wait(Hindrance.NO_SESSION_TAKES, since, _refusing(subject)))
            if subject.blocked:
                waits = _blocked(waits, subject.name, subject.blocked_at)
        return self._judged(queue, waits)

    def _of_broker(self) -> Iterator[Wait]:
        if not self._instance.broker.accepting:
            level = self._instance.run_levels.level
            yield Wait(Hindrance.RUN_LEVEL, 0, {"level": level, "name": name_of(level)})

    def _reading(self, queue: Queue) -> Iterator[Wait]:
        since = queue.reading_since
        if since is not None:
            yield Wait(Hindrance.ON_DISK, since)

    def _judged(self, queue: Queue, waits: list[Wait]) -> list[Wait]:
        """Waits with what makes them last in front; or that nothing does."""
        now = self._instance.broker.node.now()
        rate = self.rate(queue.id)
        if rate != 0 and all(wait.code in PASSING and now - wait.since < BRIEF for wait in waits):
            return [self._flowing(queue, rate)]
        store = self._instance.store
        if store.failure is not None and any(wait.code in BY_THE_STORE for wait in waits):
            failing = self._instance.reactor.seconds() - store.failing_since
            reason = {"reason": str(store.failure)[:200]}
            waits.insert(0, Wait(Hindrance.STORE_FAILING, now - int(failing * 1000), reason))
        return waits or [self._flowing(queue, rate)]

    def _flowing(self, queue: Queue, rate: float | None) -> Wait:
        params: dict[str, str | int | float] = {}
        if rate:
            params = {"entriesPerSecond": round(rate, 1), "emptyInSeconds": round(queue.entries / rate)}
        return Wait(Hindrance.FLOWING, 0, params)


def _blocked(waits: list[Wait], name: str, since: int) -> list[Wait]:
    """Waits of those whose logins are refused: that is decisive for who is away, and nothing to who is there."""
    place = next((index for index, wait in enumerate(waits) if wait.code in (*AWAY, Hindrance.NO_SESSION_TAKES)), None)
    if place is None:
        return waits
    return [*waits[:place], Wait(Hindrance.LOGIN_BLOCKED, since, {"name": name}), *waits[place:]]


def _of_full(receivers: Sequence[Session]) -> list[Wait]:
    """Why the sessions that take messages to the login name do not: the queues of all are full. Empty where not."""
    if not all(session.queue.is_full for session in receivers):
        return []
    session = receivers[0]
    return [
        Wait(wait.code, wait.since, {**wait.params, "session": session.name.relative})
        for wait in session.dispatch.waits()
    ]


def _refusing(subject: Subject) -> dict[str, str | int | float]:
    reasons = ((session, session.why_no_subject_messages) for session in subject.clients)
    named = [f"{session.name.relative}: {reason}" for session, reason in islice(reasons, MAX_NAMED)]
    return {"sessionCount": len(subject.clients), "sessions": ", ".join(named)}
