"""Subscriptions of a subject, whichever of its sessions is there: the subscribers of pub/sub nodes (XEP-0060).

They belong to a session of their own that has no client. What is queued for it goes on to the sessions of the subject
in the same transaction, or waits in the subject's queue.
"""

from __future__ import annotations

from broker.core.dispatch import ConnectionState, Delivery, Dispatch
from broker.core.entries import Entry, Fanout
from broker.core.kinds import SessionKind
from broker.core.registry import SessionRegistry
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.connect import ConnectQos, SessionQos
from broker.model.records import FOR_SUBJECT, SessionRecord


class StandingDispatch(Dispatch):
    """Hands what its session's subscriptions select to the other sessions of the subject.

    Args:
        session: that the subscriptions belong to.
        registry: of all sessions.
    """

    __slots__ = ("_registry", "_session")

    def __init__(self, session: Session, registry: SessionRegistry) -> None:
        super().__init__(
            registry.node,
            session.queue,
            session.name.relative,
            Delivery(retries=-1),
            True,
            lambda entries, error: registry.letters.entries(entries, session.name.absolute, error),
            lambda: None,
            lambda error: None,
            session.counters,
        )
        self._session = session
        self._registry = registry

    def start_polling(self) -> None:
        """It needs no client."""
        self.state = ConnectionState.ALIVE
        self.wake()

    def _pump(self) -> None:
        queue = self.queue
        if not self._active:
            return
        while True:
            entries = queue.take(-1, -1)
            if not entries:
                return
            self._taken = entries = self._without_stale(entries)
            for entry in entries:
                self._forward(entry)
            self._taken = []
            queue.settle(entries)

    def _forward(self, entry: Entry) -> None:
        subject = self._session.subject
        message = entry.message
        durable = message.envelope.persistent
        receivers = [] if len(subject.queue) else _receivers(subject)
        taking = [session for session in receivers if not session.queue.is_full]
        if not taking:
            if subject.queue.is_full:
                error = BrokerError(Code.RESOURCE_OVERFLOW_ENTRIES, f"the queue of {subject.name} is full")
                self._registry.letters.message(message, self._session.name.absolute, error)
                return
            self._registry.subject_queues.put(subject, entry, durable)
            for session in _receivers(subject)[:1]:
                self._registry.subject_queues.deliver(session)
            return
        fanout = Fanout(len(taking)) if len(taking) > 1 else None
        for session in taking:
            if durable and not session.stored:
                self._registry.save(session)
            session.queue.put(message, entry.subscription_id, entry.flags | FOR_SUBJECT, durable, fanout)
            session.dispatch.wake()


def _receivers(subject: Subject) -> list[Session]:
    """Sessions that can tell a notification of a node from a message on a topic before those that cannot."""
    receivers = subject.receivers
    return [session for session in receivers if session.kind.knows_nodes] or receivers


class StandingSessions(SessionKind):
    """The sessions that subscriptions of subjects belong to.

    Args:
        registry: of all sessions.
    """

    name = "nodes"
    has_client = False
    told_of_items = True

    def takes_subject_messages(self, session: Session) -> bool:
        """What it gets it would only forward."""
        return False

    def of(self, local: str) -> Session:
        """The session of a subject; made where there is none yet.

        Args:
            local: the subject's name.

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` where there are too many persistent sessions.
        """
        found = self.find(local)
        if found is not None:
            return found
        node = self._registry.node
        name = SessionName(node.id, local, node.next_public_id())
        session = self._registry.make(name, _QOS, self)
        session.persistent = True
        node.stored_sessions += 1
        self._registry.save(session)
        session.dispatch.start_polling()
        return session

    def find(self, local: str) -> Session | None:
        """The session of a subject, if it has one."""
        subject = self._registry.node.subjects.get(local)
        if subject is None:
            return None
        return next((session for session in subject.sessions.values() if session.kind is self), None)

    async def release(self, session: Session) -> None:
        """End it if nothing is subscribed any more."""
        if not session.subscriptions:
            session.dispatch.pump()  # what its subscriptions have selected goes on
            await self._registry.end(session, BrokerError(Code.USER_NOT_CONNECTED, "its last subscription ended"))

    def make_dispatch(self, session: Session, active: bool) -> Dispatch:
        """See :class:`broker.core.kinds.SessionKind`."""
        return StandingDispatch(session, self._registry)

    def state(self, session: Session) -> bytes:
        """Nothing but its subscriptions is to be kept."""
        return b""

    def recover(self, record: SessionRecord, handled: int) -> Session | None:
        """Stand it up again."""
        return self._registry.restore(record, _QOS)


_QOS = ConnectQos(session=SessionQos(timeout=0))
