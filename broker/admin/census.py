"""Numbers that take a look at every object: counted every few seconds, so that who asks for them need not wait."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.admin.flows import Flows
from broker.admin.instance import Instance, core_of
from broker.admin.scan import scan
from broker.admin.states import SessionState, state_of
from broker.core.broker import Broker
from broker.core.history import History
from broker.core.ids import NANOSECONDS
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.model.key import QueryKind
from broker.runlevels.levels import RUNNING
from broker.timers import cancel
from broker.xmpp.session.dispatch import StreamDispatch

log = Logger()

INTERVAL = 10.0
"""Seconds between two counts."""
SOON = 1.0
"""The same while the broker comes up."""
FILL_RATIOS = (0.5, 0.9, 1.0)


class Relating(StrEnum):
    """What a queue belongs to."""

    CALLBACK = "callback"
    SUBJECT = "subject"
    HISTORY = "history"


@dataclass(slots=True)
class QueueSums:
    """Of all queues of one kind.

    Attributes:
        count: of queues.
        entries: that they hold.
        in_memory: those of them that are in memory.
        bytes: what the entries count for; in histories without those that nobody has asked for since the start.
        bytes_in_memory: of those in memory.
        oldest: milliseconds since 1970 of the oldest message that is next in its queue and in memory; 0 for none.
        filled: queues that are filled to at least each of :data:`FILL_RATIOS`.
    """

    count: int = 0
    entries: int = 0
    in_memory: int = 0
    bytes: int = 0
    bytes_in_memory: int = 0
    oldest: int = 0
    filled: list[int] = field(default_factory=lambda: [0] * len(FILL_RATIOS))

    def add(self, queue: Queue | History, bytes_in_memory: int, first: int) -> None:
        """Count one.

        Args:
            queue: of this kind.
            bytes_in_memory: of it.
            first: id of the message in memory that is delivered next, or is the oldest; 0 for none.
        """
        self.count += 1
        entries, limits = len(queue), queue.limits
        if not entries:
            return
        self.entries += entries
        self.in_memory += queue.in_memory
        self.bytes += queue.bytes
        self.bytes_in_memory += bytes_in_memory
        if first:
            time = first // NANOSECONDS
            self.oldest = min(self.oldest, time) if self.oldest else time
        ratio = max(entries / max(limits.entries, 1), queue.bytes / max(limits.bytes, 1))
        for index, bound in enumerate(FILL_RATIOS):
            if ratio >= bound:
                self.filled[index] += 1


@dataclass(slots=True)
class Numbers:
    """What was counted.

    Attributes:
        at: milliseconds since 1970; 0 for never.
        queues: by what they belong to.
        sessions: by the name of their kind, and their state.
        topics: by their state.
        subscriptions: by the kind of their query.
        unacked: stanzas that were sent on streams and not acknowledged.
        windows_full: streams that wait for an acknowledgement before they go on.
        published: messages that were accepted until then.
        delivered: messages that were written to receivers until then.
    """

    at: int = 0
    queues: dict[Relating, QueueSums] = field(default_factory=lambda: {each: QueueSums() for each in Relating})
    sessions: Counter[tuple[str, SessionState]] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    subscriptions: Counter[QueryKind] = field(default_factory=Counter)
    unacked: int = 0
    windows_full: int = 0
    published: int = 0
    delivered: int = 0

    def add_session(self, session: Session) -> None:
        """Count a session and its queue."""
        if session.ended:
            return
        self.sessions[session.kind.name, state_of(session)] += 1
        self._add_queue(Relating.CALLBACK, session.queue)
        dispatch = session.dispatch
        if isinstance(dispatch, StreamDispatch) and dispatch.unacked is not None:
            unacked = len(dispatch.unacked)
            self.unacked += unacked
            self.windows_full += unacked >= dispatch.limits.window

    def add_topic(self, topic: Topic) -> None:
        """Count a topic and its history."""
        self.topics[topic.state.value] += 1
        history = topic.history
        oldest = next(iter(history), None)
        self.queues[Relating.HISTORY].add(history, history.bytes_in_memory, oldest.id if oldest is not None else 0)

    def add_subscription(self, subscription: Subscription) -> None:
        """Count a subscription."""
        self.subscriptions[subscription.key.kind] += 1

    def _add_queue(self, relating: Relating, queue: Queue) -> None:
        first = queue.peek(1) if queue.entries else ()
        self.queues[relating].add(queue, queue.cached_bytes, first[0].message.id if first else 0)

    def add_subject_queue(self, queue: Queue) -> None:
        """Count the queue of a login name."""
        self._add_queue(Relating.SUBJECT, queue)


class Census:
    """Counts from time to time, as long as it is running.

    Args:
        instance: the broker.

    Attributes:
        numbers: of the last count.
        before: of the one before it.
        flows: what leaves the queues.
    """

    def __init__(self, instance: Instance) -> None:
        self.flows = Flows(instance)
        self.numbers = self.before = Numbers()
        self._instance = instance
        self._call: IDelayedCall | None = None
        self._counting: Deferred[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._count()

    def stop(self) -> None:
        """Count no more."""
        cancel(self._call)
        self._call = None
        counting, self._counting = self._counting, None
        if counting is not None:
            counting.cancel()

    def _count(self) -> None:
        self._call = None
        core = core_of(self._instance)
        if core is None:
            self._schedule(SOON)
            return
        counting = self._counting = Deferred.fromCoroutine(self._go_through(core))
        counting.addErrback(self._failed)
        counting.addCallback(lambda _: self._counted())

    async def _go_through(self, core: Broker) -> None:
        node, numbers, reactor = core.node, Numbers(), self._instance.reactor
        flows = self.flows

        def look_at_session(session: Session) -> None:
            numbers.add_session(session)
            flows.look_at_session(session)

        def look_at_subject(subject: Subject) -> None:
            numbers.add_subject_queue(subject.queue)
            flows.look_at_subject(subject)

        flows.begin(node.now())
        await scan(list(node.sessions.values()), look_at_session, reactor)
        await scan(list(node.subjects.values()), look_at_subject, reactor)
        flows.end()
        await scan(list(node.topics.values()), numbers.add_topic, reactor)
        await scan(list(node.subscriptions.values()), numbers.add_subscription, reactor)
        numbers.at = node.now()
        for kind in core.registry.kinds.values():
            numbers.published += kind.traffic.published
            numbers.delivered += kind.traffic.delivered
        self.before, self.numbers = self.numbers, numbers

    def _failed(self, failure: Failure) -> Any:
        if not failure.check(CancelledError):
            log.failure("sessions, topics and queues cannot be counted", failure)

    def _counted(self) -> None:
        if self._counting is not None:  # else it was stopped
            self._counting = None
            self._schedule(INTERVAL if self._instance.run_levels.level == RUNNING else SOON)

    def _schedule(self, seconds: float) -> None:
        self._call = self._instance.reactor.callLater(seconds, self._count)
