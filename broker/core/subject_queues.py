"""What waits for a subject rather than for one of its sessions, and how it gets to them (spec xmlblaster §9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.core.entries import Entry
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.address import SessionName
from broker.model.key import PTP_SUBSCRIPTION
from broker.model.records import COPIED, DELAYED, EPHEMERAL, FOR_SUBJECT, HAD, TRANSIENT
from broker.waiters import Waiters

if TYPE_CHECKING:
    from broker.core.dead_letters import DeadLetters
    from broker.core.node import Node

log = Logger()

MAX_MOVED = 1000
"""Entries that are moved from a subject's queue to that of a session at once."""


class Fate(Enum):
    """What becomes of an entry whose session ends."""

    SUBJECT = auto()
    """It waits for the next session of the login name."""
    DEAD = auto()
    """It becomes a dead message."""
    DROPPED = auto()
    """It is of no use to anybody else, and whoever waits for an answer is told."""
    NOTHING = auto()
    """It is erased, or another session has it or had it."""


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
        self._moving: dict[Session, Waiters] = {}  # with those who wait for the end of it

    def deliver(self, session: Session) -> None:
        """Hand what waits for the subject to a session that takes it (spec §9)."""
        if session.takes_subject_messages and session.subject.queue.entries and session not in self._moving:
            waiters = self._moving[session] = Waiters()
            work = ensureDeferred(self._move(session, waiters))
            work.addCallbacks(self._moved, self._move_failed, callbackArgs=(session,), errbackArgs=(session,))

    def are_due(self, session: Session) -> bool:
        """Whether messages to the subject are on their way to a session: what is for it alone goes behind them.

        Else two messages of one sender might overtake each other (RFC 6120 §10.1). This sets them on their way where
        nobody has. A session whose queue is full waits for nothing: what is for it alone is refused, too.
        """
        subject = session.subject
        if not self.wait_for(session):
            return False
        if not any(other in self._moving for other in subject.sessions.values()):
            self.deliver(session)
        return session in self._moving and not session.queue.is_full

    def wait_for(self, session: Session) -> bool:
        """Whether there are messages to the subject that a session takes, now or when it has room."""
        return session.subject.queue.entries > 0 and session.takes_subject_messages

    def moved(self, session: Session) -> Deferred[None]:
        """Fires when :meth:`are_due` may be asked again; fails where the messages to the subject cannot be read."""
        waiters = self._moving.get(session)
        return succeed(None) if waiters is None else waiters.next()

    def put_back(
        self, session: Session, entries: list[Entry], error: BrokerError, *, by_client: bool, dead: bool = False
    ) -> None:
        """Entries of a session that ends: back to the subject, dead messages, or dropped with their subscription.

        Args:
            session: that ends.
            entries: of its queue, settled already.
            error: why it ends, for dead messages.
            by_client: drop what subscriptions queued instead of making dead messages of it.
            dead: make dead messages also of what would go back to the subject.
        """
        subject = session.subject
        dropped: list[Entry] = []
        for entry in entries:
            fate = self.fate(session, entry, by_client=by_client, dead=dead)
            if entry.fanout is not None:
                entry.fanout.copies -= 1
            match fate:
                case Fate.DROPPED:
                    dropped.append(entry)
                case Fate.SUBJECT:  # accepted, so however full the queue is: that was a matter of its sender
                    self.put(subject, entry, entry.message.envelope.persistent)
                    reach("message returned")
                case Fate.DEAD:
                    self._letters.message(entry.message, session.name.absolute, error)
        if dropped:
            session.kind.undelivered(session, dropped)
        for receiver in subject.receivers:
            self.deliver(receiver)
            break

    def fate(self, session: Session, entry: Entry, *, by_client: bool = False, dead: bool = False) -> Fate:
        """What becomes of an entry when its session ends; arguments as of :meth:`put_back`."""
        if self._node.is_erased(entry.message):  # another queue may have been gone through already
            return Fate.NOTHING
        if entry.flags & EPHEMERAL or session.subject.guest:
            return Fate.DROPPED
        if entry.subscription_id != PTP_SUBSCRIPTION and not entry.flags & FOR_SUBJECT:
            return Fate.NOTHING if by_client else Fate.DEAD
        if entry.flags & HAD:
            return Fate.NOTHING
        if entry.fanout is not None and (entry.fanout.delivered or entry.fanout.copies > 1):
            return Fate.NOTHING
        return Fate.SUBJECT if entry.flags & FOR_SUBJECT and not dead else Fate.DEAD

    def put(self, subject: Subject, entry: Entry, durable: bool) -> None:
        """Let a message wait for whichever session of a subject comes first.

        Args:
            subject: that it is for.
            entry: of another queue.
            durable: keep it over a crash.
        """
        if durable:
            self._node.save_subject(subject)
        subscription_id = "" if entry.subscription_id == PTP_SUBSCRIPTION else entry.subscription_id
        subject.queue.put(entry.message, subscription_id, DELAYED, durable, redeliver=entry.redeliver)

    async def drop_transient(self, subject: Subject, error: BrokerError) -> None:
        """Drop what waits for a subject; what is persistent was acknowledged as such and stays."""
        queue = subject.queue
        kept: list[Entry] = []
        while queue.durable < queue.entries:
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

    def _moved(self, _: None, session: Session) -> None:
        self._moving.pop(session).tell()

    def _move_failed(self, failure: Failure, session: Session) -> None:
        log.failure("{session}: the subject queue cannot be read", failure, session=session.name.relative)
        self._moving.pop(session).fail(failure)

    async def _move(self, session: Session, waiters: Waiters) -> None:
        queue = session.subject.queue
        while queue.entries and session.takes_subject_messages:
            if session.queue.is_full:
                room = session.queue.room()
                waiters.tell()
                await room
                continue
            await queue.load()
            if not self._move_loaded(queue, session):
                if queue.entries and not any(other in self._moving for other in self._others(session)):
                    raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"entries of queue {queue.id} cannot be read")
                return

    def _others(self, session: Session) -> Iterator[Session]:
        return (other for other in session.subject.sessions.values() if other is not session)

    def _move_loaded(self, queue: Queue, session: Session) -> bool:
        """Move what is in memory; tells whether it is worth going on."""
        if session.queue.is_full or not session.takes_subject_messages:  # that may have changed during the load
            return True
        limits = session.queue.limits
        erased = self._node.erased
        room = min(limits.entries - session.queue.entries, MAX_MOVED)
        entries = queue.take(room, limits.bytes - session.queue.bytes)
        for entry in entries:
            if erased and self._node.is_erased(entry.message):
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
