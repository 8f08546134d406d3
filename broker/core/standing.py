"""Subscriptions of a subject, whichever of its sessions is there: the subscribers of pub/sub nodes (XEP-0060).

They belong to a session of their own that has no client. What is queued for it goes on to the sessions of the subject
in the same transaction, or waits in the subject's queue. Subscriptions that are for one session of the subject alone
belong to another such session, which hands on to that one only; while that one is not there nobody is told.
"""

from __future__ import annotations

from broker.core.delivery import Delivery
from broker.core.dispatch import ConnectionState, Dispatch
from broker.core.entries import Entry, Fanout
from broker.core.kinds import SessionKind
from broker.core.overflow import overflow_error
from broker.core.registry import SessionRegistry
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.connect import ConnectQos, SessionQos
from broker.model.records import FOR_SUBJECT, SessionRecord

MAX_LABELS = 100
"""Sessions of one subject that may have subscriptions of their own, whether they are there or not."""


class StandingDispatch(Dispatch):
    """Hands what its session's subscriptions select to the other sessions of the subject.

    Args:
        session: that the subscriptions belong to.
        registry: of all sessions.

    Attributes:
        label: of the one session that gets what is selected, see :meth:`broker.core.kinds.SessionKind.label`; empty
            where each of them may.
    """

    __slots__ = ("_registry", "_session", "label")

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
        self.label = ""

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
            forward = self._forward_to_one if self.label else self._forward
            for entry in entries:
                forward(entry)
            self._taken = []
            queue.settle(entries)

    def _forward_to_one(self, entry: Entry) -> None:
        for session in self._session.subject.sessions.values():
            if session.kind.label(session) != self.label or session.ended:
                continue
            if session.queue.is_full:
                self._registry.letters.message(entry.message, session.name.absolute, overflow_error(session.queue))
            else:
                self._hand_over(entry, session, entry.flags, None)
            return

    def _hand_over(self, entry: Entry, session: Session, flags: int, fanout: Fanout | None) -> None:
        durable = entry.message.envelope.persistent
        if durable and not session.stored:
            self._registry.save(session)
        session.queue.put(entry.message, entry.subscription_id, flags, durable, fanout)
        session.dispatch.wake()

    def _forward(self, entry: Entry) -> None:
        subject = self._session.subject
        message = entry.message
        durable = message.envelope.persistent
        receivers = [] if subject.queue.entries else _receivers(subject)
        taking = [session for session in receivers if not session.queue.is_full]
        if not taking:
            if subject.queue.is_full:
                self._registry.letters.message(message, self._session.name.absolute, overflow_error(subject.queue))
                return
            self._registry.subject_queues.put(subject, entry, durable)
            for session in _receivers(subject)[:1]:
                self._registry.subject_queues.deliver(session)
            return
        fanout = Fanout(len(taking)) if len(taking) > 1 else None
        for session in taking:
            self._hand_over(entry, session, entry.flags | FOR_SUBJECT, fanout)


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

    def of(self, local: str, label: str = "") -> Session:
        """The session of a subject; made where there is none yet.

        Args:
            local: the subject's name.
            label: of the one session that its subscriptions are for; empty where they are for any.

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` where there are too many persistent sessions,
                ``resource.exhaust`` where the subject has too many labels.
        """
        found = self.find(local, label)
        if found is not None:
            return found
        if label and sum(bool(self.dispatch_of(each).label) for each in self.all_of(local)) >= MAX_LABELS:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{local} has subscriptions for {MAX_LABELS} sessions already")
        node = self._registry.node
        name = SessionName(node.id, local, node.next_public_id())
        session = self._registry.make(name, _QOS, self)
        self.dispatch_of(session).label = label
        session.persistent = True
        node.stored_sessions += 1
        self._registry.save(session)
        session.dispatch.start_polling()
        return session

    def find(self, local: str, label: str = "") -> Session | None:
        """The session of a subject for a label, if it has one."""
        return next((each for each in self.all_of(local) if self.dispatch_of(each).label == label), None)

    def all_of(self, local: str) -> list[Session]:
        """The sessions of a subject that have subscriptions of it."""
        subject = self._registry.node.subjects.get(local)
        return [] if subject is None else [each for each in subject.sessions.values() if each.kind is self]

    def dispatch_of(self, session: Session) -> StandingDispatch:
        """What hands on what a session's subscriptions select."""
        dispatch = session.dispatch
        assert isinstance(dispatch, StandingDispatch)
        return dispatch

    async def release(self, session: Session) -> None:
        """End it if nothing is subscribed any more."""
        if not session.subscriptions:
            session.dispatch.pump()  # what its subscriptions have selected goes on
            await self._registry.end(session, BrokerError(Code.USER_NOT_CONNECTED, "its last subscription ended"))

    def make_dispatch(self, session: Session, active: bool) -> Dispatch:
        """See :class:`broker.core.kinds.SessionKind`."""
        return StandingDispatch(session, self._registry)

    def state(self, session: Session) -> bytes:
        """The label."""
        return self.dispatch_of(session).label.encode()

    def definition(self, session: Session) -> bytes:
        """The label."""
        return self.state(session)

    def check_definition(self, public_id: int, state: bytes) -> None:
        """See :class:`broker.core.kinds.SessionKind`."""
        if public_id:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the number of such a session is the broker's choice")

    def recover(self, record: SessionRecord, handled: int) -> Session | None:
        """Stand it up again."""
        try:
            label = record.state.decode()
        except UnicodeDecodeError as error:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "the record of a session has no label that is text") from error
        session = self._registry.restore(record, _QOS)
        self.dispatch_of(session).label = label
        return session


_QOS = ConnectQos(session=SessionQos(timeout=0))
