"""Sessions that are XML streams: bound, made resumable, resumed, recovered (XEP-0198, spec xmpp §1.4, §1.8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from twisted.logger import Logger

from broker.core.dispatch import PASSWORD_CHANGED, Dispatch
from broker.core.entries import Entry, QueueLimits
from broker.core.kinds import SessionKind
from broker.core.registry import SessionRegistry
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.connect import ConnectQos, SessionQos
from broker.model.records import SessionRecord
from broker.xmpp.session.dispatch import StreamDispatch
from broker.xmpp.session.state import StreamLimits, StreamState

log = Logger()

_QOS = ConnectQos(session=SessionQos(timeout=0))


@dataclass(frozen=True, slots=True)
class StreamService:
    """What the service of the streams asks for, and is told.

    Args:
        limits: of streams.
        queue_limits: of their queues; ``None`` for those of callback queues.
        ending: told that a session begins to end.
        undelivered: told which entries of a session that has ended are of no use to anybody else.
    """

    limits: StreamLimits
    queue_limits: QueueLimits | None
    ending: Callable[[Session], None]
    undelivered: Callable[[Session, Sequence[Entry]], None]


class Resumption(StrEnum):
    """How the wish of a client to go on with its stream ended."""

    OK = "ok"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    """It had such a stream, which was not kept for so long."""
    TOO_HIGH = "tooHigh"
    """It says that it has got more than was sent."""
    TOO_LOW = "tooLow"
    """It says that it has got less than it had acknowledged."""


class StreamSessions(SessionKind):
    """The streams among the sessions of the node.

    Args:
        registry: of all sessions.

    Attributes:
        resumptions: how many there were that ended so; these numbers never fall.
    """

    name = "xmpp"
    knows_nodes = True

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self._node = registry.node
        self.resumptions = dict.fromkeys(Resumption, 0)
        self._service = StreamService(StreamLimits(), None, _untold, _untold)

    def connect(self, service: StreamService) -> list[Session]:
        """The service begins.

        Returns:
            The sessions that came back from the store; :meth:`limit` is to be called with each.
        """
        self._service = service
        return [each for each in self._node.sessions.values() if each.kind is self and not each.ended]

    def disconnect(self) -> None:
        """The service has ended: nobody is told anything."""
        self._service = replace(self._service, ending=_untold, undelivered=_untold)

    def limit(self, session: Session) -> None:
        """Apply the service's limits to a session that was there before it."""
        self.of(session).limits = self._service.limits
        if self._service.queue_limits is not None:
            session.queue.limits = self._service.queue_limits

    def takes_subject_messages(self, session: Session) -> bool:
        """Whether messages to the bare JID are delivered to this resource (RFC 6121 §8.5.2)."""
        return self.of(session).stream.takes_messages

    def why_no_subject_messages(self, session: Session) -> str:
        """See :class:`broker.core.kinds.SessionKind`."""
        stream = self.of(session).stream
        if not stream.available:
            return "it is unavailable"
        return "" if stream.takes_messages else f"its priority is {stream.priority}"

    def label(self, session: Session) -> str:
        """The resource of its full JID."""
        return self.of(session).stream.resource

    def password_changed(self, session: Session) -> None:
        """See :class:`broker.core.kinds.SessionKind`: whoever resumes the stream has logged in before."""
        session.dispatch.detach(PASSWORD_CHANGED)

    def ending(self, session: Session) -> None:
        """See :class:`broker.core.kinds.SessionKind`."""
        self._service.ending(session)

    def undelivered(self, session: Session, entries: Sequence[Entry]) -> None:
        """See :class:`broker.core.kinds.SessionKind`."""
        self._service.undelivered(session, entries)

    def bind(self, user: str, resource: str, *, guest: bool = False) -> Session:
        """Make a session.

        Args:
            user: the authenticated login name.
            resource: of its full JID; nobody else has it.
            guest: the user has no account.

        Raises:
            BrokerError: ``user.configuration.maxSession`` where the user has too many,
                ``communication.noConnection.serverDeny`` where an administrator refuses its logins.
        """
        self._registry.check_subject(user)
        name = SessionName(self._node.id, user, self._node.next_public_id())
        session = self._registry.make(name, _QOS, self)
        session.subject.guest = guest
        self.of(session).stream.resource = resource
        return session

    def enable(self, session: Session, *, resumable: bool, window: int) -> bool:
        """Turn stream management on (XEP-0198 §3); what is to survive is appended to the store (I3).

        Args:
            session: of the client.
            resumable: the client wants to be able to resume.
            window: seconds that it may take to do so.

        Returns:
            Whether it may resume; not where there are too many persistent sessions.
        """
        node = self._node
        durable = self._service.limits.durable
        if resumable and durable:
            resumable = session.persistent or node.stored_sessions < node.settings.stored_sessions
        self.of(session).enable(resumable=resumable, window=window)
        if resumable and durable and not session.persistent:
            session.persistent = True
            node.stored_sessions += 1
            self._registry.save(session)
        return resumable

    def save(self, session: Session) -> None:
        """Have a stream's changed state in the store, where it is to survive a crash (I3)."""
        if session.persistent and not session.ended:
            self._registry.save(session)

    async def resume(self, session: Session, h: int) -> None:
        """Take over a session that a client wants to go on with.

        Nothing is sent until :meth:`StreamDispatch.continue_on` of its dispatch. Its record is appended, so what is
        sent now must wait for the commit (I5).

        Args:
            session: that was found (:meth:`find`).
            h: stanzas that the client has handled.

        Raises:
            BrokerError: as :meth:`find` does, where the session has ended meanwhile.
            broker.xmpp.wire.sm.TooHigh: the client cannot have handled so many stanzas; nothing changed.
            broker.xmpp.wire.sm.TooLow: it had handled more before; nothing changed.
        """
        dispatch = self.of(session)
        await dispatch.reload()
        self.find(session.subject.name, session.secret_id)  # it may have ended meanwhile
        dispatch.take_over(h)
        self._node.events.of_session(session.name.subject, session.name.public_id, "resume")
        session.taken_over(self._node.now(), self._node.monotonic())
        session.attached = True  # as it will be: its record is written now, and not once more then
        dispatch.save_handled()
        self.save(session)

    def find(self, user: str, secret_id: str) -> Session:
        """The session that a user may resume.

        Raises:
            BrokerError: ``user.oid.unknown``; ``communication.noConnection.serverDeny`` where an administrator refuses
                logins to it.
        """
        session = self._node.sessions.get(secret_id)
        if (
            session is None
            or session.kind is not self
            or session.subject.name != user
            or not self.of(session).stream.resumable
        ):
            raise BrokerError(Code.USER_OID_UNKNOWN, "there is no such stream to resume")
        self._registry.check_session(session)
        return session

    def of(self, session: Session) -> StreamDispatch:
        """The dispatch of a stream."""
        dispatch = session.dispatch
        assert isinstance(dispatch, StreamDispatch)
        return dispatch

    def make_dispatch(self, session: Session, active: bool) -> Dispatch:
        """See :class:`broker.core.kinds.SessionKind`."""
        registry = self._registry
        service = self._service
        if service.queue_limits is not None:
            session.queue.limits = service.queue_limits
        return StreamDispatch(
            self._node,
            session.queue,
            session.name.relative,
            StreamState(""),
            service.limits,
            lambda entries, error: registry.letters.entries(entries, session.name.absolute, error),
            lambda: registry.state_changed(session),
            lambda error: registry.end_later(session, error),
            lambda: None if session.stored else registry.save(session),
            session.counters,
        )

    def state(self, session: Session) -> bytes:
        """What is kept of a stream."""
        return self.of(session).stream.to_bytes()

    def recover(self, record: SessionRecord, handled: int) -> Session | None:
        """Stand up a session that was in the store, if its stream can be resumed."""
        stream = StreamState.from_bytes(record.state)
        if not record.persistent or not stream.resumable:
            return None
        session = self._registry.restore(record, _QOS)
        dispatch = self.of(session)
        dispatch.stream = stream
        dispatch.restore(handled)
        return session


def _untold(session: Session, entries: Sequence[Entry] = ()) -> None:
    """There is no service that could be told."""
