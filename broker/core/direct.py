"""Messages to sessions and subjects that a tongue has routed itself, by plans of their senders (design D16)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from broker.core.entries import Fanout
from broker.core.message import Message
from broker.core.trace import Point
from broker.model.records import DELAYED, EPHEMERAL, FOR_SUBJECT

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.registry import SessionRegistry
    from broker.core.sessions import Session


class Direct:
    """Puts messages into the queues of sessions and subjects.

    Their envelopes are those of plans (:meth:`broker.core.publishing.Publisher.prepare`) of their senders, or of the
    broker itself. What does not fit is refused, whatever the queue's ``onOverflow``: nothing that is queued is
    discarded for it, because an entry may be a request whose sender waits for the answer.

    Args:
        node: shared state.
        registry: of all sessions.
    """

    def __init__(self, node: Node, registry: SessionRegistry) -> None:
        self._node = node
        self._registry = registry

    def put(self, message: Message, sessions: Iterable[Session], *, keep: bool) -> int:
        """Queue a message for sessions of a subject: another one gets it if none of these can.

        Args:
            message: to queue.
            sessions: that get it.
            keep: it goes back to the subject if they cannot; else it is dropped with them.

        Returns:
            How many had room for it.
        """
        taking = [session for session in sessions if not session.queue.is_full]
        if taking and self._node.trace is not None:
            self._node.trace(Point.PUBLISHED, message, "")
        fanout = Fanout(len(taking)) if len(taking) > 1 else None
        for session in taking:
            self._put(message, session, keep, fanout)
        return len(taking)

    def put_one(self, message: Message, session: Session, *, keep: bool) -> bool:
        """Queue a message for one session.

        Args:
            message: to queue.
            session: that gets it.
            keep: it goes back to the subject if it cannot; else it is dropped with the session.

        Returns:
            Whether there was room for it.
        """
        if session.queue.is_full:
            return False
        if self._node.trace is not None:
            self._node.trace(Point.PUBLISHED, message, "")
        self._put(message, session, keep, None)
        return True

    def put_ephemeral(self, message: Message, session: Session, replaces: str, *, durable: bool) -> bool:
        """Queue what is of no use to anybody but one session.

        Args:
            message: to queue.
            session: that gets it.
            replaces: key of an earlier one that this makes superfluous while the client is away; empty for none.
            durable: it survives a crash with its session.

        Returns:
            ``False`` where there are too many of them already, or the session has ended.
        """
        return not session.ended and session.dispatch.put_ephemeral(message, replaces, durable=durable)

    def put_waiting(self, message: Message, name: str) -> bool:
        """Let a message wait for a subject, whichever of its sessions comes first.

        Args:
            message: to queue.
            name: of the subject.

        Returns:
            ``False`` where too many wait already, or it is a guest's, who never comes back.
        """
        node = self._node
        subject = node.subject(name)
        if subject.queue.is_full or subject.guest:
            node.release_subject(subject)
            return False
        if node.trace is not None:
            node.trace(Point.PUBLISHED, message, "")
        durable = message.envelope.persistent
        if durable:
            node.save_subject(subject)
        subject.queue.put(message, "", DELAYED, durable)
        return True

    def deliver_waiting(self, session: Session) -> None:
        """Hand what waits for its subject to a session that takes it."""
        self._registry.subject_queues.deliver(session)

    def _put(self, message: Message, session: Session, keep: bool, fanout: Fanout | None) -> None:
        durable = message.envelope.persistent and not session.subject.guest
        dispatch = session.dispatch
        if self._node.trace is not None:
            self._node.trace(Point.QUEUED, message, dispatch.name)
        if durable and not session.stored and not dispatch.passes_queue:
            self._registry.save(session)
        dispatch.put(message, FOR_SUBJECT if keep else EPHEMERAL, durable, fanout)
