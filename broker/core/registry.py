"""Sessions come, are taken over, and end (spec xmlblaster §2.1, §2.2, §6, §7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from broker.core.dispatch import ConnectionState
from broker.core.ids import secret_session_id
from broker.core.sessions import Session
from broker.core.settings import limits_of, why_not_persistable
from broker.core.subject_queues import SubjectQueues
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.address import MINIMUM_SUBJECT_LENGTH, SessionName
from broker.model.connect import ConnectQos
from broker.model.qos import QueueQos
from broker.model.records import SessionRecord
from broker.timers import cancel

if TYPE_CHECKING:
    from broker.core.dead_letters import DeadLetters
    from broker.core.kinds import SessionKind
    from broker.core.node import Node
    from broker.core.subscriptions import Subscription

log = Logger()

CALLBACK = "callback"
"""What the queue of a session relates to."""


class SessionRegistry:
    """All sessions of the node.

    Args:
        node: shared state.
        letters: for what a session that ends leaves behind.

    Attributes:
        drop_subscription: ends a subscription; set by :class:`broker.core.querying.Querying`.
        kinds: of sessions, by name; each registers itself (:meth:`add_kind`).
        named_kind: the kind of sessions whose clients choose their number, so that messages may be forced to them.
        serving: sessions look for their clients.
    """

    def __init__(self, node: Node, letters: DeadLetters) -> None:
        self.node = self._node = node
        self.letters = self._letters = letters
        self.kinds: dict[str, SessionKind] = {}
        self.named_kind: SessionKind | None = None
        self.serving = False
        self.subject_queues = SubjectQueues(node, letters, self.save)
        self.drop_subscription: Callable[[Subscription], None] = lambda subscription: None

    def add_kind(self, kind: SessionKind) -> None:
        """Know a kind of sessions; before recovery, as records name their kind."""
        self.kinds[kind.name] = kind

    async def end(
        self,
        session: Session,
        error: BrokerError,
        *,
        by_client: bool = False,
        forget: bool = False,
        dead: bool = False,
    ) -> None:
        """End a session for whatever reason; everything it holds is let go of, in any case.

        Args:
            session: the session; one that has ended already changes nothing, one that is being ended is waited for.
            error: the reason, for dead messages.
            by_client: drop what subscriptions queued instead of making dead messages of it.
            forget: drop all that is queued, because whom it was for is no more.
            dead: make dead messages also of what would go back to the subject.
        """
        subject = session.subject
        if session.ended:
            waiters = subject.ending.get(session.name.public_id)
            if waiters is not None:
                gone: Deferred[None] = Deferred()
                waiters.append(gone)
                await gone
            return
        session.ended = True
        session.kind.traffic.ended += 1
        node = self._node
        node.events.of_session(
            session.name.subject, session.name.public_id, "disconnect", reason=str(error.code), byClient=by_client
        )
        self._tell_end(session)
        node.sessions.pop(session.secret_id, None)
        if subject.sessions.get(session.name.public_id) is session:
            del subject.sessions[session.name.public_id]
        cancel(session.timer)
        session.timer = None
        session.plans.clear()
        for past in (subject.past, node.past):
            past.add(session.counters)
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
                if not entries and len(session.queue):
                    raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"the queue of {session.name.relative} cannot be read")
                session.queue.settle(entries)
                if not forget:
                    self.subject_queues.put_back(session, entries, error, by_client=by_client, dead=dead)
            emptied = True
            reach("session emptied")
        finally:
            if session.persistent:
                node.stored_sessions -= 1
            if session.stored and emptied:  # else the next start of the broker finds what is left of it
                node.store.delete_session(session.id)
                reach("session removed")
            session.stored = False
            node.queues.pop(session.id, None)
            session.queue.abandon()
            session.forced.end()
            for waiter in subject.ending.pop(session.name.public_id, []):
                waiter.callback(None)
            node.release_subject(subject)
        log.info("{name} ended: {reason}", name=session.name.relative, reason=error.message)

    def renew_secret(self, session: Session) -> None:
        """Give a session another secret id; who knows the one before speaks for it no more."""
        sessions = self._node.sessions
        del sessions[session.secret_id]
        session.secret_id = secret_session_id(self._node.host)
        sessions[session.secret_id] = session
        if session.stored:
            self.save(session)

    def note_request(self, session: Session) -> None:
        """A request arrived: the session's time starts anew."""
        session.seen = self._node.monotonic()

    def set_timeout(self, session: Session, timeout: int) -> None:
        """Give a session another timeout, in milliseconds; ``<= 0`` never."""
        session.timeout = timeout
        session.qos = replace(session.qos, session=replace(session.qos.session, timeout=timeout))
        self.watch(session)
        if session.stored:
            self.save(session)

    def set_queue_limits(self, session: Session, wanted: QueueQos) -> None:
        """Give the queue of a session other limits; what is there already stays.

        They outlive a restart with the session, and hold until its client logs in with limits of its own.

        Args:
            session: whose queue it is.
            wanted: what is given of it changes.

        Raises:
            BrokerError: ``user.illegalArgument`` for more than any client may ask for.
        """
        if wanted == QueueQos(CALLBACK):
            return
        default = self._node.settings.callback
        for name, value, most in (
            ("maxEntries", wanted.max_entries, max(default.max_entries, default.entries)),
            ("maxBytes", wanted.max_bytes, max(default.max_bytes, default.bytes)),
        ):
            if value is not None and value > most:
                raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{name} is {most} at most, as the configuration says")
        known, limits = session.qos.queue(CALLBACK) or QueueQos(CALLBACK), session.queue.limits
        qos = replace(
            known,
            max_entries=known.max_entries if wanted.max_entries is None else wanted.max_entries,
            max_bytes=known.max_bytes if wanted.max_bytes is None else wanted.max_bytes,
            on_overflow=wanted.on_overflow or known.on_overflow,
        )
        session.qos = session.qos.with_queue(qos)
        session.queue.change_limits(
            replace(
                limits,
                entries=limits.entries if wanted.max_entries is None else wanted.max_entries,
                bytes=limits.bytes if wanted.max_bytes is None else wanted.max_bytes,
                overflow=wanted.on_overflow or limits.overflow,
            )
        )
        if session.stored:
            self.save(session)

    def make_persistent(self, session: Session) -> None:
        """Keep a session over a crash (requirement engine.persistence.session).

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` where there are too many already;
                ``user.configuration.notPersistable`` where it lacks the requisites and the configuration is strict.
        """
        if session.persistent:
            return
        lacks = self.check_persistable(session.name, session.qos)
        if lacks:
            if not session.why_transient:
                log.warn("{name} is served as a transient session: {lacks}", name=session.name.relative, lacks=lacks)
            session.why_transient = lacks
            return
        session.persistent = True
        session.why_transient = ""
        self._node.stored_sessions += 1
        self.save(session)

    def check_persistable(self, name: SessionName, qos: ConnectQos) -> str:
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

    def save(self, session: Session) -> None:
        """Have the session's record in the store as it is now."""
        session.stored = True
        session.stored_active = session.dispatch.active
        node = self._node
        node.store.put_session(session.record(session.kind.state(session), node.seen_at(session)))

    def recover(self, record: SessionRecord, handled: int = 0) -> Session | None:
        """Stand up a session that was in the store; it waits for its client (spec §7).

        Args:
            record: of the store.
            handled: how many stanzas of its client were handled.

        Returns:
            ``None`` where the session cannot come back because its client could not find it again.

        Raises:
            BrokerError: the record cannot be read.
        """
        if record.public_id < 0:
            self._node.lower_public_id(record.public_id)
        kind = self.kinds.get(record.kind)
        if kind is None:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"'{record.kind}' is no kind of sessions that is known here")
        return kind.recover(record, handled)

    def restore(self, record: SessionRecord, qos: ConnectQos) -> Session:
        """Stand up a session of any kind.

        Args:
            record: of the store.
            qos: of its connect.
        """
        node = self._node
        name = SessionName(node.id, record.subject, record.public_id)
        kind = self.kinds[record.kind]
        session = self._build(name, qos, kind, record.id, record.secret_id, bool(record.dispatcher_active))
        session.persistent = bool(record.persistent)
        session.placeholder = not session.persistent
        session.stored = True
        session.stored_active = bool(record.dispatcher_active)
        session.epoch = record.epoch
        session.created = record.created
        session.attached = bool(record.attached)
        session.seen = node.monotonic()
        if session.persistent:
            node.stored_sessions += 1
        self.watch(session)
        return session

    def start_polling(self) -> None:
        """Let sessions that were recovered or suspended look for their clients; their time begins now."""
        self.serving = True
        for session in self._node.sessions.values():
            session.seen = self._node.monotonic()
            self.watch(session)
            if session.dispatch.state is ConnectionState.UNDEF and session.can_receive:
                self._node.set_aside.attempt("session", session.name.relative, session.dispatch.start_polling)

    def stop(self) -> None:
        """Let go of timers and connections, without ending any session."""
        self.serving = False
        for session in self._node.sessions.values():
            cancel(session.timer)
            session.timer = None
            session.dispatch.suspend()
        for topic in self._node.topics.values():
            topic.stop()

    def check_subject_name(self, name: str) -> None:
        """Refuse what cannot be a login name.

        Raises:
            BrokerError: ``user.illegalArgument``.
        """
        if len(name) < MINIMUM_SUBJECT_LENGTH or "/" in name:
            raise BrokerError(
                Code.USER_ILLEGAL_ARGUMENT,
                f"'{name}' is not a login name: it needs at least {MINIMUM_SUBJECT_LENGTH} characters and no '/'",
            )

    def check_subject(self, user: str) -> None:
        """Refuse a login name that may not be used.

        Raises:
            BrokerError: ``user.illegalArgument``, or ``communication.noConnection.serverDeny`` where an administrator
                refuses its logins.
        """
        self.check_subject_name(user)
        subject = self._node.subjects.get(user)
        if subject is not None:
            self.check_blocked(subject)

    def check_blocked(self, subject: Subject) -> None:
        """Refuse logins that an administrator does not want.

        Raises:
            BrokerError: ``communication.noConnection.serverDeny``.
        """
        if subject.blocked:
            raise BrokerError(
                Code.COMMUNICATION_SERVER_DENY, f"logins of {subject.name} are blocked by an administrator"
            )

    def check_session(self, session: Session) -> None:
        """Refuse logins that take over a session where an administrator does not want them.

        Raises:
            BrokerError: ``communication.noConnection.serverDeny``.
        """
        self.check_blocked(session.subject)
        if session.blocked:
            raise BrokerError(
                Code.COMMUNICATION_SERVER_DENY, f"logins to {session.name.relative} are blocked by an administrator"
            )

    def make(self, name: SessionName, qos: ConnectQos, kind: SessionKind, *, placeholder: bool = False) -> Session:
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
        most = _max_sessions(node.settings.max_sessions, subject, qos.session.max_sessions)
        if subject is not None and kind.has_client and not subject.has_room(most, placeholders=placeholder):
            raise BrokerError(
                Code.USER_CONFIGURATION_MAX_SESSION,
                f"{name.subject} has {subject.count(placeholders=placeholder)} sessions, the most that are allowed",
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
            self.unmake(session)
            raise
        session.subject.max_sessions = most
        kind.traffic.started += 1
        if not placeholder:
            session.subject.taken_over()
            node.events.of_session(session.name.subject, session.name.public_id, "connect", kind=kind.name)
        if qos.queue("subject") is not None:
            session.subject.queue.limits = limits_of(qos.queue("subject"), node.settings.subject)
        self.watch(session)
        return session

    def _build(
        self, name: SessionName, qos: ConnectQos, kind: SessionKind, id: int, secret_id: str, active: bool
    ) -> Session:
        node = self._node
        subject = node.subject(name.subject)
        queue = node.queue(id, limits_of(qos.queue("callback"), node.settings.callback), subject.usage)
        session = Session(id, name, subject, secret_id, qos, queue, node.now(), kind, node.monotonic())
        session.dispatch = kind.make_dispatch(session, active)
        session.timeout = node.settings.session_timeout if qos.session.timeout is None else qos.session.timeout
        subject.sessions[name.public_id] = session
        node.sessions[secret_id] = session
        node.thresholds.of_session(session)
        return session

    def _tell_end(self, session: Session) -> None:
        try:
            session.kind.ending(session)
        except Exception:  # noqa: BLE001 - it is logged, and the session is let go of all the same
            log.failure("{name}: its end could not be told to all", name=session.name.relative)

    def unmake(self, session: Session) -> None:
        """Let go of a session that was made in vain."""
        node = self._node
        session.ended = True
        session.dispatch.stop()
        cancel(session.timer)
        session.timer = None
        node.sessions.pop(session.secret_id, None)
        session.subject.sessions.pop(session.name.public_id, None)
        session.forced.end()
        node.queues.pop(session.id, None)
        if session.stored:
            session.stored = False
            node.store.delete_session(session.id)
        node.release_subject(session.subject)

    def watch(self, session: Session) -> None:
        """Have a session end when its time is over."""
        cancel(session.timer)
        session.timer = None
        if session.timeout > 0:
            rest = session.timeout - session.idle(self._node.monotonic())
            session.timer = self._node.later(max(rest, 1), lambda: self._check_timeout(session))

    def _check_timeout(self, session: Session) -> None:
        session.timer = None
        if session.idle(self._node.monotonic()) >= session.timeout:
            self.end_later(session, BrokerError(Code.USER_NOT_CONNECTED, "the session timed out"))
        else:
            self.watch(session)

    def end_later(self, session: Session, error: BrokerError) -> None:
        """End a session; whoever calls need not wait for it."""
        work = ensureDeferred(self.end(session, error))
        work.addErrback(lambda failure: log.failure("{name} did not end well", failure, name=session.name.relative))

    def state_changed(self, session: Session) -> None:
        """Its dispatch has another state; keep what the store must know of it."""
        if session.ended:
            return
        state = session.dispatch.state
        self._node.events.of_session(session.name.subject, session.name.public_id, "callbackState", state=state.value)
        if (state is ConnectionState.ALIVE) != session.was_alive:
            self._node.events.of_session(
                session.name.subject, session.name.public_id, "connectionState", state=state.value
            )
        changed = session.dispatch.active != session.stored_active
        if state is ConnectionState.ALIVE:
            session.was_alive = True
            changed = changed or not session.attached
            session.attached = True
        elif session.was_alive:
            session.was_alive = False
            doubtful = session.queue.is_doubtful
            changed = changed or session.attached != doubtful
            session.attached = doubtful
        if changed and session.stored:
            self.save(session)


def _max_sessions(default: int, subject: Subject | None, wanted: int | None) -> int:
    """The sessions that a subject may have when it logs in: its client may ask for fewer than the broker allows."""
    if subject is None:
        return default if wanted is None else min(wanted, default)
    return subject.max_sessions if wanted is None else min(wanted, subject.session_limit)
