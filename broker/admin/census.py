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
from broker.admin.states import SessionState, state_by
from broker.core.broker import Broker
from broker.core.history import History
from broker.core.ids import NANOSECONDS
from broker.core.kinds import SessionKind
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
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
        filled: queues that are filled to at least each of :data:`FILL_RATIOS`.
    """

    count: int = 0
    entries: int = 0
    in_memory: int = 0
    bytes: int = 0
    bytes_in_memory: int = 0
    _first: int = 0
    filled: list[int] = field(default_factory=lambda: [0] * len(FILL_RATIOS))

    def add(self, queue: Queue | History, bytes_in_memory: int, first: int) -> None:
        """Count what one holds.

        Args:
            queue: of this kind, with entries.
            bytes_in_memory: of it.
            first: id of the message in memory that is delivered next, or is the oldest; 0 for none.
        """
        entries, size, limits = len(queue), queue.bytes, queue.limits
        self.entries += entries
        self.in_memory += queue.in_memory
        self.bytes += size
        self.bytes_in_memory += bytes_in_memory
        if first and (not self._first or first < self._first):
            self._first = first
        if entries * 2 >= limits.entries or size * 2 >= limits.bytes:  # few are half full
            ratio = max(entries / max(limits.entries, 1), size / max(limits.bytes, 1))
            for index, bound in enumerate(FILL_RATIOS):
                if ratio >= bound:
                    self.filled[index] += 1

    @property
    def oldest(self) -> int:
        """Milliseconds since 1970 of the oldest message that is next in its queue and in memory; 0 for none."""
        return self._first // NANOSECONDS


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
    topics: dict[str, int] = field(default_factory=dict)
    subscriptions: Counter[QueryKind] = field(default_factory=Counter)
    unacked: int = 0
    windows_full: int = 0
    published: int = 0
    delivered: int = 0
    _alike: dict[tuple[SessionKind, bool, bool], int] = field(default_factory=dict)

    def add_session(self, session: Session) -> None:
        """Count a session and its queue."""
        if session.ended:
            return
        dispatch = session.dispatch
        alike = session.kind, session.placeholder, dispatch.outbound is not None
        self._alike[alike] = self._alike.get(alike, 0) + 1
        if session.queue.entries:
            self._add_queue(self.queues[Relating.CALLBACK], session.queue)
        if isinstance(dispatch, StreamDispatch) and dispatch.unacked is not None:
            unacked = len(dispatch.unacked)
            self.unacked += unacked
            self.windows_full += unacked >= dispatch.limits.window

    def add_topic(self, topic: Topic) -> None:
        """Count a topic and its history."""
        state = topic.state.value
        self.topics[state] = self.topics.get(state, 0) + 1
        history = topic.history
        if len(history):
            self.queues[Relating.HISTORY].add(history, history.bytes_in_memory, history.oldest_id)

    def _add_queue(self, sums: QueueSums, queue: Queue) -> None:
        first = queue.peek(1)
        sums.add(queue, queue.cached_bytes, first[0].message.id if first else 0)

    def add_subject_queue(self, queue: Queue) -> None:
        """Count the queue of a login name."""
        if queue.entries:
            self._add_queue(self.queues[Relating.SUBJECT], queue)

    def finish(self, core: Broker) -> None:
        """Add what is counted when it happens, and need not be looked for."""
        node = core.node
        self.at = node.now()
        for (kind, placeholder, attached), count in self._alike.items():
            self.sessions[kind.name, state_by(kind, placeholder=placeholder, attached=attached)] += count
        self.subscriptions.update(node.interest.rules)
        self.subscriptions[QueryKind.EXACT] = len(node.subscriptions) - sum(node.interest.rules.values())
        self.queues[Relating.CALLBACK].count = sum(self._alike.values())
        self.queues[Relating.SUBJECT].count = len(node.subjects)
        self.queues[Relating.HISTORY].count = len(node.topics)
        for each in core.registry.kinds.values():
            self.published += each.traffic.published
            self.delivered += each.traffic.delivered


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
        numbers.finish(core)
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
