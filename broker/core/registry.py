"""Sessions come, are taken over, and end (spec xmlblaster §2.1, §2.2, §6, §7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from broker.core.dispatch import ConnectionState, Delivery, Dispatch
from broker.core.ids import secret_session_id
from broker.core.sessions import NATIVE, NODES, Session
from broker.core.settings import limits_of, why_not_persistable
from broker.core.subject_queues import SubjectQueues
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.model.address import MINIMUM_SUBJECT_LENGTH, SessionName
from broker.model.connect import ConnectQos, SessionQos
from broker.model.property import find, is_set
from broker.model.records import SessionRecord
from broker.xmlio import read_connect_qos, write_connect_qos

if TYPE_CHECKING:
    from broker.core.letters import DeadLetters
    from broker.core.node import Node
    from broker.core.subscriptions import Subscription

log = Logger()


class SessionKind(Protocol):
    """What sessions of a kind other than native do differently."""

    def make_dispatch(self, session: Session) -> Dispatch:
        """Make what delivers a session's queue."""

    def state(self, session: Session) -> bytes:
        """What its record keeps of it."""

    def recover(self, record: SessionRecord) -> Session | None:
        """Stand it up from the store; ``None`` where it can not come back.

        Raises:
            BrokerError: the record can not be read.
        """


class SessionRegistry:
    """All sessions of the node.

    Args:
        node: shared state.
        letters: for what a session that ends leaves behind.

    Attributes:
        drop_subscription: ends a subscription; set by :class:`broker.core.querying.Querying`.
        kinds: of sessions beside the native one.
        on_end: called when a session begins to end, before anything of it is let go of.
    """

    def __init__(self, node: Node, letters: DeadLetters) -> None:
        self.node = self._node = node
        self.letters = self._letters = letters
        self.kinds: dict[str, SessionKind] = {}
        self.on_end: list[Callable[[Session], None]] = []
        self._serving = False
        self.subject_queues = SubjectQueues(node, letters, self.keep)
        self.drop_subscription: Callable[[Subscription], None] = lambda subscription: None

    async def connect(self, user: str, qos: ConnectQos, kind: str = NATIVE) -> tuple[Session, bool]:
        """Find or make the session that a client asks for, after its credentials were checked.

        Args:
            user: the authenticated login name; empty where only the secret id speaks for the client.
            qos: of the connect.
            kind: of the protocol.

        Returns:
            The session, and whether it existed before. The caller attaches its connection once the answer is written.

        Raises:
            BrokerError: see spec §2.1 and §24 fact 13. Nothing changed then.
        """
        known = self._node.sessions.get(qos.session.secret_id) if qos.session.secret_id else None
        if known is not None and known.kind == kind and (not user or known.subject.name == user):
            self._check_blocked(known.subject)
            self._take_over(known, qos)
            return known, True
        if not user:
            raise BrokerError(Code.USER_ACCESS_DENIED, "the secret session id is not known")
        name = self._wanted_name(user, qos)
        await self._ended(name)
        settings = self._node.settings
        subject = self._node.subjects.get(user)
        if subject is not None:
            self._check_blocked(subject)
        existing = subject.sessions.get(name.public_id) if subject is not None and name.public_id > 0 else None
        clear = settings.clear_sessions if qos.session.clear_sessions is None else qos.session.clear_sessions
        if existing is not None:
            self._check_same_client(existing, qos)
        if clear and subject is not None:
            for other in subject.clients:
                if other is not existing:
                    await self.end(other, BrokerError(Code.USER_NOT_CONNECTED, "another login cleared the session"))
        if existing is not None and not existing.ended:
            self._take_over(existing, qos)
            return existing, True
        return self.make(name, qos, kind), False

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
        await self.end(session, error, by_client=True)
        if clear_sessions:
            for other in subject.clients:
                await self.end(other, error)
        if delete_subject_queue and not subject.clients:
            await self.subject_queues.drop_transient(subject, error)
        self._node.release_subject(subject)

    async def end(self, session: Session, error: BrokerError, *, by_client: bool = False) -> None:
        """End a session for whatever reason; everything it holds is let go of, in any case.

        Args:
            session: the session; one that has ended already changes nothing.
            error: the reason, for dead messages.
            by_client: drop what subscriptions queued instead of making dead messages of it.
        """
        if session.ended:
            return
        session.ended = True
        node = self._node
        subject = session.subject
        self._tell_end(session)
        node.sessions.pop(session.secret_id, None)
        if subject.sessions.get(session.name.public_id) is session:
            del subject.sessions[session.name.public_id]
        if session.timer is not None and session.timer.active():
            session.timer.cancel()
        session.timer = None
        session.plans.clear()
        subject.ending.setdefault(session.name.public_id, [])
        emptied = False
        try:
            for subscription in list(session.subscriptions.values()):
                self.drop_subscription(subscription)
            session.dispatch.stop()
            session.queue.on_ready = None
            while len(session.queue):
                await session.queue.load()
                entries = session.queue.take(-1, -1)
                if not entries:
                    raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"the queue of {session.name.relative} can not be read")
                session.queue.settle(entries)
                self.subject_queues.put_back(session, entries, error, by_client=by_client)
            emptied = True
        finally:
            if session.persistent:
                node.stored_sessions -= 1
            if session.stored and emptied:  # else the next start of the broker finds what is left of it
                node.store.delete_session(session.id)
            session.stored = False
            node.queues.pop(session.id, None)
            session.queue.abandon()
            for waiter in subject.ending.pop(session.name.public_id, []):
                waiter.callback(None)
            node.release_subject(subject)
        log.info("{name} ended: {reason}", name=session.name.relative, reason=error.message)

    def touch(self, session: Session) -> None:
        """A request arrived: the session's time starts anew."""
        session.seen = self._node.now()

    def set_timeout(self, session: Session, timeout: int) -> None:
        """Give a session another timeout, in milliseconds; ``<= 0`` never."""
        session.timeout = timeout
        session.qos = replace(session.qos, session=replace(session.qos.session, timeout=timeout))
        self._watch(session)
        if session.stored:
            self.keep(session)

    def make_persistent(self, session: Session) -> None:
        """Keep a session over a crash (requirement engine.persistence.session).

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` where there are too many already;
                ``user.configuration.notPersistable`` where it lacks the requisites and the configuration is strict.
        """
        if session.persistent:
            return
        lacks = self._check_persistable(session.name, session.qos)
        if lacks:
            if not session.why_transient:
                log.warn("{name} is served as a transient session: {lacks}", name=session.name.relative, lacks=lacks)
            session.why_transient = lacks
            return
        session.persistent = True
        session.why_transient = ""
        self._node.stored_sessions += 1
        self.keep(session)

    def _check_persistable(self, name: SessionName, qos: ConnectQos) -> str:
        """What a session lacks to be persistent, or an empty text; raises as :meth:`make_persistent` does."""
        lacks = why_not_persistable(name.public_id, qos)
        if lacks:
            if self._node.settings.strict_persistence:
                raise BrokerError(Code.USER_CONFIGURATION_NOT_PERSISTABLE, lacks, name.absolute)
            return lacks
        if self._node.stored_sessions >= self._node.settings.stored_sessions:
            raise BrokerError(
                Code.RESOURCE_OVERFLOW_ENTRIES,
                f"there are {self._node.stored_sessions} persistent sessions, the most that "
                "persistence/session/maxEntries allows",
                name.absolute,
            )
        return ""

    def keep(self, session: Session) -> None:
        """Have the session's record in the store as it is now."""
        session.stored = True
        session.stored_active = session.dispatch.active
        kind = self.kinds.get(session.kind)
        state = write_connect_qos(session.qos, redact=True) if kind is None else kind.state(session)
        self._node.store.put_session(session.record(state))

    def forced_subject(self, name: SessionName) -> Subject:
        """Make the subject that a message is forced to (spec §9)."""
        self.check_subject_name(name.subject)
        return self._node.subject(name.subject)

    def forced_session(self, name: SessionName) -> Session:
        """Make a session without credentials for a message that is forced to it (spec §9)."""
        if name.public_id < 0:
            raise BrokerError(
                Code.USER_PTP_UNKNOWN_DESTINATION, f"{name.relative} is gone and can not come back", name.absolute
            )
        timeout = self._node.settings.ptp_session_timeout
        qos = ConnectQos(session=SessionQos(name=name.relative, timeout=timeout))
        return self.make(name, qos, NATIVE, placeholder=True)

    def forget_forced(self, name: SessionName) -> None:
        """Forget a session or subject that exists for a message only, if there is none (any more)."""
        subject = self._node.subjects.get(name.subject)
        if subject is None:
            return
        session = subject.sessions.get(name.public_id) if name.is_session else None
        if session is not None and session.placeholder and not len(session.queue):
            self._unmake(session)
        self._node.release_subject(subject)

    def recover(self, record: SessionRecord) -> Session | None:
        """Stand up a session that was in the store; it waits for its client (spec §7).

        Args:
            record: of the store.

        Returns:
            ``None`` where the session can not come back because its client could not find it again.
        """
        if record.public_id < 0:
            self._node.lower_public_id(record.public_id)
        if record.kind != NATIVE:
            kind = self.kinds.get(record.kind)
            return kind.recover(record) if kind is not None else None
        return self.restore(record, read_connect_qos(record.state)) if record.public_id > 0 else None

    def restore(self, record: SessionRecord, qos: ConnectQos) -> Session:
        """Stand up a session of any kind.

        Args:
            record: of the store.
            qos: of its connect.
        """
        node = self._node
        name = SessionName(node.id, record.subject, record.public_id)
        session = self._build(name, qos, record.kind, record.id, record.secret_id, bool(record.dispatcher_active))
        session.persistent = bool(record.persistent)
        session.placeholder = not session.persistent
        session.stored = True
        session.stored_active = bool(record.dispatcher_active)
        session.epoch = record.epoch
        session.created = record.created
        session.attached = bool(record.attached)
        session.seen = node.now()
        self._take_properties(session, qos)
        if session.persistent:
            node.stored_sessions += 1
            session.dispatch.delivery = self._delivery(session)
        else:
            session.timeout = node.settings.ptp_session_timeout
        self._watch(session)
        return session

    def start_polling(self) -> None:
        """Let sessions that were recovered or suspended look for their clients; their time begins now."""
        self._serving = True
        for session in self._node.sessions.values():
            session.seen = self._node.now()
            self._watch(session)
            if session.dispatch.state is ConnectionState.UNDEF and session.can_receive:
                session.dispatch.start_polling()

    def stop(self) -> None:
        """Let go of timers and connections, without ending any session."""
        self._serving = False
        for session in self._node.sessions.values():
            if session.timer is not None and session.timer.active():
                session.timer.cancel()
            session.timer = None
            session.dispatch.suspend()
        for topic in self._node.topics.values():
            topic.stop()

    def connection_lost(self, session: Session, epoch: int) -> None:
        """The connection that a client logged in over is gone, and it was not the one that updates go to.

        A session whose number the server gave, and that nothing is delivered to, can not be found again: it ends, so
        that nothing of it stays behind. Others wait for their client until they time out.

        Args:
            session: of the client.
            epoch: of the session when the client logged in; where another login owns it now, nothing changes.
        """
        if session.ended or session.epoch != epoch or session.dispatch.outbound is not None:
            return
        error = BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the connection was lost")
        if session.can_receive:
            if self._serving:
                session.dispatch.abandoned(error)
        elif session.name.public_id < 0:
            self.end_later(session, error)

    def not_told(self, session: Session, *, reconnected: bool) -> None:
        """The client of a connect has left before it got the answer.

        A new session whose number the server gave ends, because its client can not know of it.
        """
        if not reconnected and session.name.public_id < 0:
            self.end_later(
                session, BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the client has left during its login")
            )
        else:
            self.connection_lost(session, session.epoch)

    def _wanted_name(self, user: str, qos: ConnectQos) -> SessionName:
        self.check_subject_name(user)
        wanted = self._node.session_name(qos.session.name) if qos.session.name else SessionName(self._node.id, user)
        if wanted.subject != user:
            raise BrokerError(Code.USER_ACCESS_DENIED, f"{user} may not use the session name '{qos.session.name}'")
        return SessionName(self._node.id, user, max(0, wanted.public_id))

    def check_subject_name(self, name: str) -> None:
        """Refuse what can not be a login name.

        Raises:
            BrokerError: ``user.illegalArgument``.
        """
        if len(name) < MINIMUM_SUBJECT_LENGTH or "/" in name:
            raise BrokerError(
                Code.USER_ILLEGAL_ARGUMENT,
                f"'{name}' is not a login name: it needs at least {MINIMUM_SUBJECT_LENGTH} characters and no '/'",
            )

    async def _ended(self, name: SessionName) -> None:
        """Wait for a session of that name that is just being ended."""
        subject = self._node.subjects.get(name.subject)
        while subject is not None and name.public_id and name.public_id in subject.ending:
            gone: Deferred[None] = Deferred()
            subject.ending[name.public_id].append(gone)
            await gone
            subject = self._node.subjects.get(name.subject)

    def check_subject(self, user: str) -> None:
        """Refuse a login name that may not be used.

        Raises:
            BrokerError: ``user.illegalArgument``, or ``communication.noConnection.serverDeny`` where an administrator
                refuses its logins.
        """
        self.check_subject_name(user)
        subject = self._node.subjects.get(user)
        if subject is not None:
            self._check_blocked(subject)

    def _check_blocked(self, subject: Subject) -> None:
        if subject.blocked:
            raise BrokerError(
                Code.COMMUNICATION_SERVER_DENY, f"logins of {subject.name} are blocked by an administrator"
            )

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

    def make(self, name: SessionName, qos: ConnectQos, kind: str, *, placeholder: bool = False) -> Session:
        """Make a session.

        Args:
            name: with a public id below 0 or chosen by the client; 0 for one that the node gives.
            qos: of the connect.
            kind: of the session.
            placeholder: nobody has logged in to it yet.

        Raises:
            BrokerError: ``user.configuration.maxSession`` where the subject has too many; others as
                :meth:`make_persistent`.
        """
        node = self._node
        subject = node.subjects.get(name.subject)
        default = node.settings.max_sessions if subject is None else subject.max_sessions
        most = default if qos.session.max_sessions is None else qos.session.max_sessions
        if subject is not None and kind != NODES and subject.count(placeholders=placeholder) >= most > 0:
            raise BrokerError(
                Code.USER_CONFIGURATION_MAX_SESSION,
                f"{name.subject} has {len(subject.sessions)} sessions, the most that are allowed",
                name.absolute,
            )
        if not name.public_id:
            name = name.with_id(node.next_public_id())
        callback = qos.callback
        active = callback is None or callback.dispatcher_active is not False
        session = self._build(name, qos, kind, node.ids.next(), secret_session_id(node.host), active)
        session.placeholder = placeholder
        session.attached = session.can_receive
        try:
            if qos.persistent:
                self.make_persistent(session)
        except BrokerError:
            self._unmake(session)
            raise
        session.subject.max_sessions = most
        if qos.queue("subject") is not None:
            session.subject.queue.limits = limits_of(qos.queue("subject"), node.settings.subject)
        self._take_properties(session, qos)
        self._watch(session)
        return session

    def _build(self, name: SessionName, qos: ConnectQos, kind: str, id: int, secret_id: str, active: bool) -> Session:
        node = self._node
        subject = node.subject(name.subject)
        queue = node.queue(id, limits_of(qos.queue("callback"), node.settings.callback))
        session = Session(id, name, subject, secret_id, qos, queue, node.now(), kind)
        other = self.kinds.get(kind)
        session.dispatch = self._native_dispatch(session, active) if other is None else other.make_dispatch(session)
        self._refresh_by_answers(session)
        session.timeout = node.settings.session_timeout if qos.session.timeout is None else qos.session.timeout
        subject.sessions[name.public_id] = session
        node.sessions[secret_id] = session
        return session

    def _native_dispatch(self, session: Session, active: bool) -> Dispatch:
        return Dispatch(
            self._node,
            session.queue,
            session.name.relative,
            Delivery.of(session.qos.callback),
            active,
            lambda entries, error: self._letters.entries(entries, session.name.absolute, error),
            lambda: self.state_changed(session),
            lambda error: self.end_later(session, error),
        )

    def _tell_end(self, session: Session) -> None:
        for listener in self.on_end:
            try:
                listener(session)
            except Exception:  # noqa: BLE001 - it is logged, and the session is let go of all the same
                log.failure("{name}: its end could not be told to all", name=session.name.relative)

    def _unmake(self, session: Session) -> None:
        node = self._node
        session.ended = True
        session.dispatch.stop()
        if session.timer is not None and session.timer.active():
            session.timer.cancel()
        session.timer = None
        node.sessions.pop(session.secret_id, None)
        session.subject.sessions.pop(session.name.public_id, None)
        node.queues.pop(session.id, None)
        if session.stored:
            session.stored = False
            node.store.delete_session(session.id)
        node.release_subject(session.subject)

    def _take_over(self, session: Session, qos: ConnectQos) -> None:
        """Reconnect: callback address and settings are those of the new connect, the rest stays (spec §2.1)."""
        if qos.persistent and not session.persistent:
            self._check_persistable(session.name, qos)  # what may refuse comes before what has an effect
        dispatch = session.dispatch
        dispatch.hand_over()
        session.qos = replace(qos, persistent=session.persistent)
        session.queue.limits = limits_of(qos.queue("callback"), self._node.settings.callback)
        dispatch.delivery = self._delivery(session)
        dispatch.dial = None
        session.attached = session.can_receive
        self._refresh_by_answers(session)
        session.placeholder = False
        session.epoch += 1
        session.timeout = self._node.settings.session_timeout if qos.session.timeout is None else qos.session.timeout
        session.seen = self._node.now()
        if qos.persistent and not session.persistent:
            self.make_persistent(session)
        self._take_properties(session, qos)
        self._watch(session)
        callback = qos.callback
        if callback is not None and callback.dispatcher_active is not None:
            dispatch.active = callback.dispatcher_active
        if session.stored:
            self.keep(session)

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

    def _refresh_by_answers(self, session: Session) -> None:
        """Let acknowledged updates keep the session alive, too, where its client wants that (``refreshSession``)."""
        session.dispatch.on_answer = partial(self.touch, session) if session.qos.refresh_session else None

    def _watch(self, session: Session) -> None:
        if session.timer is not None and session.timer.active():
            session.timer.cancel()
        session.timer = None
        if session.timeout > 0:
            rest = session.seen + session.timeout - self._node.now()
            session.timer = self._node.later(max(rest, 1), lambda: self._check_timeout(session))

    def _check_timeout(self, session: Session) -> None:
        session.timer = None
        if session.seen + session.timeout <= self._node.now():
            self.end_later(session, BrokerError(Code.USER_NOT_CONNECTED, "the session timed out"))
        else:
            self._watch(session)

    def end_later(self, session: Session, error: BrokerError) -> None:
        """End a session; whoever calls need not wait for it."""
        work = ensureDeferred(self.end(session, error))
        work.addErrback(lambda failure: log.failure("{name} did not end well", failure, name=session.name.relative))

    def state_changed(self, session: Session) -> None:
        """Its dispatch has another state; keep what the store must know of it."""
        if session.ended:
            return
        state = session.dispatch.state
        changed = session.dispatch.active != session.stored_active
        if state is ConnectionState.ALIVE:
            session.was_alive = True
            changed = changed or not session.attached
            session.attached = True
        elif session.was_alive:
            session.was_alive = False
            changed = changed or session.attached
            session.attached = False
        if changed and session.stored:
            self.keep(session)

    async def _drained(self, session: Session) -> None:
        done: Deferred[None] = Deferred()

        def finish() -> None:
            if not done.called:
                done.callback(None)

        timer = self._node.later(self._node.settings.pending_sleep, finish)
        session.dispatch.on_empty(finish)
        await done
        session.dispatch.on_empty(None)
        if timer.active():
            timer.cancel()
