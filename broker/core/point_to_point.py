"""Point to point: where the copies of a message go, and putting them there (spec xmlblaster §9)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from broker.core.entries import Fanout
from broker.core.full_queues import FullQueues
from broker.core.message import Message
from broker.core.overflow import discards, make_room, overflow_error
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.core.trace import Point
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.logs.limit import NamedLogLimits
from broker.model.address import SessionName
from broker.model.key import PTP_SUBSCRIPTION
from broker.model.property import is_set
from broker.model.qos import Destination, Overflow
from broker.model.records import DELAYED, FOR_SUBJECT

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.placeholders import Placeholders
    from broker.core.registry import SessionRegistry
    from broker.core.rights import Rights


class Copies(NamedTuple):
    """Where the copies for one destination go.

    Args:
        name: of the destination.
        subject: that it belongs to.
        sessions: that get a copy; with none of them the copy waits in the subject's queue.
        overflowing: queues that are full, with the names of their owners; nothing waits for these.
    """

    name: SessionName
    subject: Subject
    sessions: list[Session]
    overflowing: list[tuple[Queue, SessionName]]


class PointToPoint:
    """Sends messages to sessions and login names.

    Args:
        node: shared state.
        sessions: of the node.
        placeholders: makes sessions and subjects that a message is forced to.
        full_queues: decides where there is no room.
        rights: decides who may.
        lost: tells of messages that go without a word.
    """

    def __init__(
        self,
        node: Node,
        sessions: SessionRegistry,
        placeholders: Placeholders,
        full_queues: FullQueues,
        rights: Rights,
        lost: NamedLogLimits,
    ) -> None:
        self._node = node
        self._sessions = sessions
        self._placeholders = placeholders
        self._full_queues = full_queues
        self._rights = rights
        self._lost = lost

    def resolve(
        self, message: Message, publisher: Session
    ) -> tuple[list[Copies], list[tuple[Destination, BrokerError | None]]]:
        """Where all copies go, and the outcome of each destination; one that fails stops no other.

        Raises:
            BrokerError: of the first destination, where all fail. Nothing is left then of what was made for them.
            Pending: where the message has to wait; likewise.
        """
        outcomes: list[tuple[Destination, BrokerError | None]] = []
        copies: list[Copies] = []
        quiet = is_set(message.qos.properties, "_user.ptp.unknownDestination.ignoreSilently")
        for destination in message.qos.destinations:
            try:
                copies.append(self._copies(destination, message, publisher))
                outcomes.append((destination, None))
            except Pending:
                self.forget_forced(message.qos.destinations)
                raise
            except BrokerError as error:
                if quiet and error.code == Code.USER_PTP_UNKNOWN_DESTINATION:
                    self._log_drop(publisher.name, error)
                    outcomes.append((destination, None))
                else:
                    outcomes.append((destination, error))
        errors = [error for _, error in outcomes if error is not None]
        if errors and len(errors) == len(outcomes):
            self.forget_forced(message.qos.destinations)
            raise errors[0]
        return copies, outcomes

    def _log_drop(self, publisher: SessionName, error: BrokerError) -> None:
        self._lost.tell(
            publisher.absolute, lambda: f"{publisher.relative}: point-to-point message dropped: {error.message}"
        )

    def forget_forced(self, destinations: Sequence[Destination]) -> None:
        """Leave nothing behind of sessions and subjects that were made for a message which is refused."""
        for destination in destinations:
            if destination.force_queuing:
                with suppress(BrokerError):  # of a name that cannot be read nothing was made
                    self._placeholders.forget(self._node.session_name(destination.name))

    def _copies(self, destination: Destination, message: Message, publisher: Session) -> Copies:
        name = self._node.session_name(destination.name)
        if name.node != self._node.id:
            raise BrokerError(Code.RESOURCE_CLUSTER_NOT_AVAILABLE, f"node '{name.node}' is not known", name.absolute)
        forced = destination.force_queuing
        subject = self._node.subjects.get(name.subject)
        if (subject is None and not forced) or not self._rights.is_welcome(publisher, name.subject):
            raise self._unknown(name, message)
        if subject is None:
            subject = self._placeholders.subject(name, publisher.subject.usage)
        if not name.is_session:
            return self._copies_for_subject(name, subject, message, publisher)
        session = subject.sessions.get(name.public_id)
        if session is None:
            if not forced:
                raise self._unknown(name, message)
            session = self._placeholders.session(name, publisher.subject.usage)
        if not session.qos.ptp:
            raise BrokerError(
                Code.USER_PTP_DENIED, f"{name.relative} accepts no point-to-point messages", name.absolute
            )
        waiting = self._sessions.subject_queues
        if waiting.are_due(session):
            raise Pending(lambda: waiting.moved(session))
        queue = session.queue
        if queue.is_full and waiting.wait_for(session) and queue.limits.overflow is Overflow.DISCARD_OLDEST:
            raise overflow_error(queue)  # room that it makes is for those that came before
        if not queue.is_full or not self._full_queues.refuses(queue, len(message.content), publisher, session):
            return Copies(name, subject, [session], [])
        if not discards(queue):
            queue.overflowed += 1
            raise overflow_error(queue)
        return Copies(name, subject, [], [(queue, session.name)])

    def _copies_for_subject(self, name: SessionName, subject: Subject, message: Message, publisher: Session) -> Copies:
        """Where the copies for a login name go: to all its sessions that have room, else to the subject's queue."""
        size = len(message.content)
        taking: list[Session] = []
        overflowing: list[tuple[Queue, SessionName]] = []
        refusing: Queue | None = None
        lost = True
        for session in [] if subject.queue.entries else subject.receivers:  # behind what waits for the subject already
            queue = session.queue
            if not queue.is_full:
                taking.append(session)
                continue
            reaction = queue.limits.overflow
            if reaction in (Overflow.EXCEPTION, Overflow.DEAD_MESSAGE):
                lost = False
                if reaction is Overflow.EXCEPTION:
                    refusing = queue
            elif not self._full_queues.refuses(queue, size, publisher, session):
                taking.append(session)
                continue
            overflowing.append((queue, session.name))
        if taking and refusing is not None:
            refusing.overflowed += 1
            raise overflow_error(refusing)
        if taking or (overflowing and lost):
            return Copies(name, subject, taking, overflowing)
        if subject.guest:  # who never comes back
            raise self._unknown(name, message)
        queue = subject.queue
        if not queue.is_full or not self._full_queues.refuses(queue, size, publisher, subject):
            return Copies(name, subject, [], [])
        if not discards(queue):
            queue.overflowed += 1
            raise overflow_error(queue)
        return Copies(name, subject, [], [(queue, name)])

    def _unknown(self, name: SessionName, message: Message) -> BrokerError:
        return BrokerError(
            Code.USER_PTP_UNKNOWN_DESTINATION,
            f"the message to '{name.absolute}' was rejected: nobody of that name is logged in and "
            "<destination forceQueuing='true'> is not set",
            f"/topic/{message.oid}",
        )

    def put(self, copies: Copies, message: Message) -> None:
        """Put the copies for one destination where they go.

        Args:
            copies: of it.
            message: that they are of.
        """
        durable = message.envelope.persistent
        subject = copies.subject
        for queue, owner in copies.overflowing:
            self._full_queues.overflow(queue, message, owner)
        if not copies.sessions:
            if not copies.overflowing:
                if durable:
                    self._node.save_subject(subject)
                make_room(subject.queue, message)
                subject.queue.put(message, "", DELAYED, durable)
                for session in subject.receivers:
                    self._sessions.subject_queues.deliver(session)
            return
        flags = 0 if copies.name.is_session else FOR_SUBJECT
        fanout = Fanout(len(copies.sessions)) if not copies.name.is_session and len(copies.sessions) > 1 else None
        for session in copies.sessions:
            make_room(session.queue, message)
            self.put_to(session, message, flags, fanout)

    def put_to(self, session: Session, message: Message, flags: int = 0, fanout: Fanout | None = None) -> None:
        """Put a copy into the queue of a session.

        Args:
            session: that gets it.
            message: that it is of.
            flags: of the entry.
            fanout: what the copies for the sessions of one login name have in common.
        """
        durable = message.envelope.persistent and not session.subject.guest
        if durable and not session.stored:
            self._sessions.save(session)
        session.queue.put(message, PTP_SUBSCRIPTION, flags, durable, fanout)
        if self._node.trace is not None:
            self._node.trace(Point.QUEUED, message, session.dispatch.name)
        session.dispatch.wake()
