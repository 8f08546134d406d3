"""What waits for a subject rather than for one of its sessions, and how it gets to them (spec xmlblaster §9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from broker.core.entries import Entry
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.errors import BrokerError
from broker.failpoints import reach
from broker.model.address import SessionName
from broker.model.key import PTP_SUBSCRIPTION
from broker.model.records import COPIED, DELAYED, EPHEMERAL, FOR_SUBJECT, HAD, TRANSIENT

if TYPE_CHECKING:
    from broker.core.dead_letters import DeadLetters
    from broker.core.node import Node

log = Logger()

MOST_MOVED = 1000
"""Entries that are moved from a subject's queue to that of a session at once."""


class SubjectQueues:
    """Moves messages between the queues of subjects and those of their sessions.

    Args:
        node: shared state.
        letters: for what nobody takes.
        keep: has a session in the store, because something durable is to be in its queue.
    """

    def __init__(self, node: Node, letters: DeadLetters, keep: Callable[[Session], None]) -> None:
        self._node = node
        self._letters = letters
        self._keep = keep
        self._moving: set[Session] = set()

    def deliver(self, session: Session) -> None:
        """Hand what waits for the subject to a session that takes it (spec §9)."""
        if session.takes_subject_messages and len(session.subject.queue) and session not in self._moving:
            self._moving.add(session)
            work = ensureDeferred(self._move(session))
            work.addErrback(lambda failure: log.failure("the subject queue can not be read", failure))
            work.addBoth(lambda _: self._moving.discard(session))

    def put_back(self, session: Session, entries: list[Entry], error: BrokerError, *, by_client: bool) -> None:
        """Entries of a session that ends: back to the subject, dead messages, or dropped with their subscription.

        Args:
            session: that ends.
            entries: of its queue, settled already.
            error: why it ends, for dead messages.
            by_client: drop what subscriptions queued instead of making dead messages of it.
        """
        subject = session.subject
        dropped: list[Entry] = []
        for entry in entries:
            if self._node.is_erased(entry.message):  # another queue may have been gone through already
                continue
            if entry.flags & EPHEMERAL:
                dropped.append(entry)
                continue
            if entry.subscription_id != PTP_SUBSCRIPTION and not entry.flags & FOR_SUBJECT:
                if not by_client:
                    self._letters.message(entry.message, session.name.absolute, error)
                continue
            if entry.flags & HAD:
                continue
            if entry.fanout is not None:
                entry.fanout.copies -= 1
                if entry.fanout.delivered or entry.fanout.copies:
                    continue
            if entry.flags & FOR_SUBJECT:  # accepted, so however full the queue is: that was a matter of its sender
                self.put(subject, entry, entry.message.envelope.persistent)
                reach("message returned")
            else:
                self._letters.message(entry.message, session.name.absolute, error)
        if dropped:
            session.kind.undelivered(session, dropped)
        for receiver in subject.receivers:
            self.deliver(receiver)
            break

    def put(self, subject: Subject, entry: Entry, durable: bool) -> None:
        """Let a message wait for whichever session of a subject comes first.

        Args:
            subject: that it is for.
            entry: of another queue.
            durable: keep it over a crash.
        """
        if durable:
            self._node.keep_subject(subject)
        subscription_id = "" if entry.subscription_id == PTP_SUBSCRIPTION else entry.subscription_id
        subject.queue.put(entry.message, subscription_id, DELAYED, durable, redeliver=entry.redeliver)

    async def drop_transient(self, subject: Subject, error: BrokerError) -> None:
        """Drop what waits for a subject; what is persistent was acknowledged as such and stays."""
        queue = subject.queue
        kept: list[Entry] = []
        while queue.durable < len(queue):
            await queue.load()
            entries = queue.take(1, -1)
            if not entries:
                break
            if entries[0].message.envelope.persistent:
                kept += entries
                continue
            queue.settle(entries)
            self._letters.entries(entries, SessionName(self._node.id, subject.name).absolute, error)
        queue.put_back(kept, failed=False)

    async def _move(self, session: Session) -> None:
        queue = session.subject.queue
        while len(queue) and session.takes_subject_messages:
            if session.queue.is_full:
                await session.queue.room()
                continue
            await queue.load()
            if not self._move_loaded(queue, session):
                return

    def _move_loaded(self, queue: Queue, session: Session) -> bool:
        """Move what is in memory; tells whether it is worth going on."""
        if session.queue.is_full or not session.takes_subject_messages:  # that may have changed during the load
            return True
        limits = session.queue.limits
        room = min(limits.entries - len(session.queue), MOST_MOVED)
        entries = queue.take(room, limits.bytes - session.queue.bytes)
        for entry in entries:
            if self._node.is_erased(entry.message):
                continue
            if entry.flags & (HAD | EPHEMERAL):  # of a session that could not be recovered
                continue
            durable = entry.message.envelope.persistent
            if durable and not session.stored:
                self._keep(session)
            flags = entry.flags & ~(TRANSIENT | COPIED) | FOR_SUBJECT
            subscription_id = entry.subscription_id or PTP_SUBSCRIPTION
            session.queue.put(entry.message, subscription_id, flags, durable, redeliver=entry.redeliver)
        reach("messages handed over")
        queue.settle(entries)
        session.dispatch.wake()
        return bool(entries)
