"""Sessions of native clients: logins, take-overs, logouts (spec xmlblaster §2.1, §2.2, §6, §7)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from twisted.internet.defer import Deferred

from broker.core.delivery import Delivery
from broker.core.dispatch import PASSWORD_CHANGED, Dispatch
from broker.core.kinds import SessionKind
from broker.core.registry import SessionRegistry
from broker.core.sessions import Session
from broker.core.settings import limits_of, why_not_persistable
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.connect import ConnectQos
from broker.model.property import find, is_set
from broker.model.records import SessionRecord
from broker.native.codec import read_connect_qos, write_connect_qos
from broker.timers import cancel


class NativeSessions(SessionKind):
    """The sessions of native clients.

    Args:
        registry: of all sessions.
    """

    name = "native"
    marks_redelivery = True
    clients_choose_number = True

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self._node = registry.node
        registry.named_kind = self

    async def connect(self, user: str, qos: ConnectQos) -> tuple[Session, bool]:
        """Find or make the session that a client asks for, after its credentials were checked.

        Args:
            user: the authenticated login name; empty where only the secret id speaks for the client.
            qos: of the connect.

        Returns:
            The session, and whether its client had it before. The caller attaches its connection once the answer is
            written.

        Raises:
            BrokerError: see spec §2.1 and §24 fact 13. Nothing changed then.
        """
        known = self._node.sessions.get(qos.session.secret_id) if qos.session.secret_id else None
        if known is not None and known.kind is self and (not user or known.subject.name == user):
            self._registry.check_session(known)
            return known, self._take_over(known, qos)
        if not user:
            raise BrokerError(Code.USER_ACCESS_DENIED, "the secret session id is not known")
        name = self._wanted_name(user, qos)
        await self._ended(name)
        settings = self._node.settings
        subject = self._node.subjects.get(user)
        if subject is not None:
            self._registry.check_blocked(subject)
        existing = subject.sessions.get(name.public_id) if subject is not None and name.public_id > 0 else None
        clear = settings.clear_sessions if qos.session.clear_sessions is None else qos.session.clear_sessions
        if existing is not None:
            self._registry.check_session(existing)
            self._check_same_client(existing, qos)
        if qos.persistent and (existing is None or not existing.persistent):
            self._check_persistable(name, qos, subject if clear else None)
        if clear and subject is not None:
            for other in subject.clients:
                if other is not existing:
                    await self._registry.end(
                        other, BrokerError(Code.USER_NOT_CONNECTED, "another login cleared the session")
                    )
        if existing is not None and not existing.ended:
            return existing, self._take_over(existing, qos)
        return self._registry.make(name, qos, self), False

    async def disconnect(self, session: Session, *, clear_sessions: bool, delete_subject_queue: bool) -> None:
        """End a session because its client says so (spec §2.2).

        Waits a little for the client to take what is queued for it. What was queued by subscriptions is dropped;
        point-to-point messages go back to the subject, or become dead messages.

        The subject's queue loses what is not persistent. A persistent message was acknowledged as such, so it waits for
        the next login (xmlBlaster drops it).

        Args:
            session: the session.
            clear_sessions: end the subject's other sessions too.
            delete_subject_queue: drop what is not persistent from the subject's queue with its last session.
        """
        error = BrokerError(Code.USER_NOT_CONNECTED, f"{session.name.relative} has disconnected")
        if session.queue.entries and session.dispatch.outbound is not None and self._node.settings.pending_sleep > 0:
            await self._drained(session)
        subject = session.subject
        await self._registry.end(session, error, by_client=True)
        if clear_sessions:
            for other in subject.clients:
                await self._registry.end(other, error)
        if delete_subject_queue and not subject.clients:
            await self._registry.subject_queues.drop_transient(subject, error)
        self._node.release_subject(subject)

    def connection_lost(self, session: Session, epoch: int) -> None:
        """The connection that a client logged in over is gone, and it was not the one that updates go to.

        A session whose number the server gave, and that nothing is delivered to, cannot be found again: it ends, so
        that nothing of it stays behind. Others wait for their client until they time out.

        Args:
            session: of the client.
            epoch: of the session when the client logged in; where another login owns it now, nothing changes.
        """
        if session.ended or session.epoch != epoch or session.dispatch.outbound is not None:
            return
        error = BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the connection was lost")
        if session.can_receive:
            if self._registry.serving:
                session.dispatch.abandoned(error)
        elif session.name.public_id < 0:
            self._registry.end_later(session, error)

    def password_changed(self, session: Session) -> None:
        """See :class:`broker.core.kinds.SessionKind`: the secret id was given for the password before."""
        self._registry.renew_secret(session)
        session.dispatch.detach(PASSWORD_CHANGED)

    def not_told(self, session: Session, *, reconnected: bool) -> None:
        """The client of a connect has left before it got the answer.

        A new session whose number the server gave ends, because its client cannot know of it.
        """
        if not reconnected and session.name.public_id < 0:
            self._registry.end_later(
                session, BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the client has left during its login")
            )
        else:
            self.connection_lost(session, session.epoch)

    def _wanted_name(self, user: str, qos: ConnectQos) -> SessionName:
        self._registry.check_subject_name(user)
        wanted = self._node.session_name(qos.session.name) if qos.session.name else SessionName(self._node.id, user)
        return SessionName(self._node.id, user, max(0, wanted.public_id))

    def _check_persistable(self, name: SessionName, qos: ConnectQos, cleared: Subject | None) -> None:
        """Refuse before other sessions are ended what would be refused after it; they may make room for it."""
        try:
            self._registry.check_persistable(name, qos)
        except BrokerError as error:
            makes_room = cleared is not None and any(other.persistent for other in cleared.clients)
            if error.code != Code.RESOURCE_OVERFLOW_ENTRIES or not makes_room:
                raise

    async def _ended(self, name: SessionName) -> None:
        """Wait for a session of that name that is just being ended."""
        subject = self._node.subjects.get(name.subject)
        while subject is not None and name.public_id and name.public_id in subject.ending:
            gone: Deferred[None] = Deferred()
            subject.ending[name.public_id].append(gone)
            await gone
            subject = self._node.subjects.get(name.subject)

    def _check_same_client(self, session: Session, qos: ConnectQos) -> None:
        guarded = session.qos.session.reconnect_same_client_only
        if guarded is None:
            guarded = self._node.settings.reconnect_same_client_only
        if guarded and session.qos.instance_id != qos.instance_id and not session.placeholder:
            raise BrokerError(
                Code.USER_CONFIGURATION_IDENTICAL_CLIENT,
                f"{session.name.relative} belongs to another client instance and accepts no other",
                session.name.absolute,
            )

    def make_dispatch(self, session: Session, active: bool) -> Dispatch:
        """See :class:`broker.core.kinds.SessionKind`."""
        registry = self._registry
        dispatch = Dispatch(
            self._node,
            session.queue,
            session.name.relative,
            Delivery.of(session.qos.callback),
            active,
            lambda entries, error: registry.letters.entries(entries, session.name.absolute, error),
            lambda: registry.state_changed(session),
            lambda error: registry.end_later(session, error),
            session.counters,
        )
        self._take_properties(session, session.qos)
        self._refresh_by_answers(session, dispatch)
        return dispatch

    def state(self, session: Session) -> bytes:
        """The QoS of its connect."""
        return write_connect_qos(session.qos, redact=True)

    def definition(self, session: Session) -> bytes:
        """The QoS of its connect, without what only its client and this broker know."""
        qos = session.qos
        queues = tuple(
            (queue, tuple(replace(address, session_id=None) for address in addresses))
            for queue, addresses in qos.queues
        )
        known = replace(qos.session, secret_id="")
        return write_connect_qos(replace(qos, credentials=None, session=known, queues=queues), redact=True)

    def check_definition(self, public_id: int, state: bytes) -> None:
        """See :class:`broker.core.kinds.SessionKind`."""
        lacks = why_not_persistable(public_id, read_connect_qos(state))
        if lacks:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, lacks)

    def recover(self, record: SessionRecord, handled: int) -> Session | None:
        """Stand up a session; one whose number the broker gave cannot be found again by its client."""
        if record.public_id <= 0:
            return None
        session = self._registry.restore(record, read_connect_qos(record.state))
        if session.persistent:
            session.dispatch.delivery = self._delivery(session)
        else:
            session.timeout = self._node.settings.ptp_session_timeout
        return session

    def can_receive(self, session: Session) -> bool:
        """Whether the client named a callback address."""
        return session.qos.callback is not None

    def takes_subject_messages(self, session: Session) -> bool:
        """Whether its callback is for messages to the subject, too (``useForSubjectQueue``)."""
        callback = session.qos.callback
        return callback is not None and callback.use_for_subject_queue is not False and callback.ptp is not False

    def why_no_subject_messages(self, session: Session) -> str:
        """See :class:`broker.core.kinds.SessionKind`."""
        callback = session.qos.callback
        if callback is None:
            return "it has no callback"
        if callback.ptp is False:
            return "its callback is not for messages from point to point (ptp=false)"
        return "" if self.takes_subject_messages(session) else "its callback has useForSubjectQueue=false"

    def _take_over(self, session: Session, qos: ConnectQos) -> bool:
        """Reconnect: callback address and settings are those of the new connect, the rest stays (spec §2.1).

        Returns:
            Whether the client finds what it had; not where the session was only kept, or made, for messages that wait:
            it has to subscribe again.
        """
        if qos.persistent and not session.persistent:
            self._registry.check_persistable(session.name, qos)  # what may refuse comes before what has an effect
        name = session.name
        self._node.events.of_session(name.subject, name.public_id, "connect", kind=self.name, reconnected=True)
        dispatch = session.dispatch
        dispatch.hand_over()
        session.qos = replace(qos, persistent=session.persistent)
        session.queue.limits = limits_of(qos.queue("callback"), self._node.settings.callback)
        dispatch.delivery = self._delivery(session)
        dispatch.dial = None
        session.attached = session.can_receive
        self._refresh_by_answers(session, dispatch)
        reconnected = not session.placeholder
        session.placeholder = False
        session.taken_over(self._node.now(), self._node.monotonic())
        session.timeout = self._node.settings.session_timeout if qos.session.timeout is None else qos.session.timeout
        if qos.persistent and not session.persistent:
            self._registry.make_persistent(session)
        self._take_properties(session, qos)
        self._registry.watch(session)
        callback = qos.callback
        if callback is not None and callback.dispatcher_active is not None:
            dispatch.active = callback.dispatcher_active
        if session.stored:
            self._registry.save(session)
        return reconnected

    def _delivery(self, session: Session) -> Delivery:
        """How to deliver, by the session's QoS; once persistent, it outlives its connections whatever that says."""
        delivery = Delivery.of(session.qos.callback)
        return replace(delivery, retries=-1) if session.persistent else delivery

    def _take_properties(self, session: Session, qos: ConnectQos) -> None:
        if is_set(qos.properties, "__remoteProperties"):
            session.remote_properties = {each.name: each for each in qos.properties}
        else:
            utc = find(qos.properties, "__UTC")
            if utc is not None:
                session.remote_properties[utc.name] = utc

    def _refresh_by_answers(self, session: Session, dispatch: Dispatch) -> None:
        """Let acknowledged updates keep the session alive, too, where its client wants that (``refreshSession``)."""
        dispatch.on_answer = partial(self._registry.note_request, session) if session.qos.refresh_session else None

    async def _drained(self, session: Session) -> None:
        done: Deferred[None] = Deferred()

        def finish() -> None:
            if not done.called:
                done.callback(None)

        timer = self._node.later(self._node.settings.pending_sleep, finish)
        session.dispatch.on_empty(finish)
        await done
        session.dispatch.on_empty(None)
        cancel(timer)
