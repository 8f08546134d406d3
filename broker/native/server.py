"""The server side of the native protocol (spec xmlblaster §2, §20.1, §24; requirement ``protocol.socket``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker import __version__
from broker.core.administration import Found, Told
from broker.core.log_limit import LogLimit, lines
from broker.core.sessions import Session
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.key import Key
from broker.model.qos import Method, PublishQos, StatusQos
from broker.native.answers import OK, publish_unit, status_units
from broker.native.codec import read_connect_qos, read_disconnect_qos, write_connect_qos, write_key, write_publish_qos
from broker.native.connection import NativeConnection
from broker.native.updates import encode_message
from broker.native.wire.frames import Frame, FrameError, FrameTooLong, Kind, Unit, encode_frame, encode_unit
from broker.native.wire.methods import SERVER_METHODS, check_units, encode_exception, find_method

if TYPE_CHECKING:
    from broker.native.listener import NativeFactory

log = Logger()

STORE_HIGH_WATER = 16 * 1024 * 1024
STORE_LOW_WATER = 4 * 1024 * 1024
"""Bytes that are not committed yet, above which publishers are paused and below which they go on."""
MOST_HELD_ANSWERS = 10_000
LINGER = 5.0
"""Seconds that a client has to close a connection on which it was told that its request is too long."""
MOST_SHOWN = 512
"""Characters of an error that the log has."""
FIRST_UPDATE_DELAY = 10
"""Milliseconds between the answer to a connect and the first update: some clients expect nothing else in the segment
that brings the answer."""


class NativeServer(NativeConnection):
    """A client's connection.

    Requests are served one after the other, in order (§24 fact 5); an answer leaves when what it promises is on disk
    (design D3), so answers of requests that change nothing durable may overtake others.

    Args:
        factory: of the listener.
        host: address of the peer.
    """

    def __init__(self, factory: NativeFactory, host: str) -> None:
        super().__init__(factory.broker, factory.limits, compress=factory.compress)
        self._factory = factory
        self.host = host
        self._secret = b""
        self._read_at = 0.0  # seconds, monotonic
        self._busy = False
        self._leaving = False
        self._told = False  # that a request is too long; the connection is closing
        self._lost: Failure | None = None  # why the connection is gone; what came over it may still be being served
        self._attaching: IDelayedCall | None = None
        self._pending: deque[Frame] = deque()
        self._waiting: set[Deferred[Found]] = set()
        self._answers: deque[tuple[int, bytes]] = deque()
        self._timer: Any = None
        self._failures: LogLimit | None = None  # of the broker itself, each with its traceback

    def connectionMade(self) -> None:
        """Give the client its time to log in."""
        super().connectionMade()
        self._factory.opened(self)
        self._timer = self._broker.node.clock.callLater(self._limits.login_timeout, self._login_overdue)

    def dataReceived(self, data: bytes) -> None:
        """Serve requests; a publisher that outruns the store is paused."""
        self._read_at = self._broker.node.monotonic()
        if self._limits.idle_timeout and self.session is not None and self._timer is not None:
            self._timer.reset(self._limits.idle_timeout)
        super().dataReceived(data)
        store = self._broker.node.store
        if store.backlog > STORE_HIGH_WATER or len(self._answers) > MOST_HELD_ANSWERS:
            self.hold("the store is behind")
            store.when_committed(store.position, self._store_caught_up)

    def invoked(self, frame: Frame) -> None:
        """Serve a request, or let it wait for the one before it."""
        if self._busy or self._pending:
            self._pending.append(frame)
            if len(self._pending) >= self._limits.max_pending:
                self.hold("requests are waiting")
            return
        self._serve_request(frame)

    def _serve_request(self, frame: Frame) -> None:
        method = frame.method
        if self._closed and method in _QUESTIONS:
            return  # nobody reads the answer, and what it takes from a queue would be lost
        try:
            if method == b"publish" or method == b"publishOneway":
                self._publish(self._session_of(frame), frame, frame.units())
            elif method == b"ping":
                self._ping(frame)
            else:
                known = find_method(SERVER_METHODS, method)
                if known.name != method:
                    self._serve_request(frame._replace(method=known.name))
                    return
                units = frame.units()
                check_units(known, len(units))
                self._busy = True
                work = ensureDeferred(_SERVED[known.name](self, frame, units))
                work.addErrback(self._failed, frame)
                work.addBoth(self._done)
        except FrameError as error:
            self.violated(str(error))
        except BrokerError as error:
            self._refuse(frame, error)

    def _done(self, _: Any) -> None:
        self._busy = False
        self._serve_pending()

    def _serve_pending(self) -> None:
        if self._closed and self.session is None:
            self._pending.clear()
        while self._pending and not self._busy and (self.writable or self._closed):
            self._serve_request(self._pending.popleft())
        if self._lost is not None and not self._busy and not self._pending:
            self._let_go(self._lost)
            return
        if len(self._pending) < self._limits.max_pending // 2:
            self.release("requests are waiting")

    def resumeProducing(self) -> None:
        """The transport's buffer has room again: first go on with requests that came before what is read next."""
        self.writable = True
        self._serve_pending()
        if self.writable:
            super().resumeProducing()

    def _failed(self, failure: Failure, frame: Frame) -> None:
        if isinstance(failure.value, BrokerError):
            self._refuse(frame, failure.value)
            return
        if self._failures is None:
            self._failures = LogLimit(self._broker.node.monotonic)
        self._failures.tell(
            lambda text: log.failure("{text}", failure, text=text), lambda: f"{self.peer}: {_shown(frame)} failed"
        )
        self._answer_error(frame, BrokerError(Code.INTERNAL_UNKNOWN, "the broker failed to serve this request"))

    def _session_of(self, frame: Frame) -> Session:
        session = self.session
        if session is None or frame.session != self._secret or session.ended:
            return self._factory.login.session(frame.session.decode("utf-8", "replace"))
        session.seen = self._read_at
        return session

    def _publish(self, session: Session, frame: Frame, units: list[Unit]) -> None:
        """Publish units; where one must wait, the rest of the request does."""
        if not units:
            check_units(SERVER_METHODS[frame.method], 0)
        before = self._broker.position
        publish = self._factory.requests.publish
        oneway = frame.method == b"publishOneway"
        done: list[bytes] = []
        for index, (qos, key, content) in enumerate(units):
            try:
                published = publish(session, key, qos, content)
            except BrokerError as error:
                if not oneway:
                    raise
                self._log_oneway(error)
                continue
            if isinstance(published, Pending):
                self._busy = True
                work = ensureDeferred(self._publish_patiently(session, frame, units[index:], published, done, before))
                work.addErrback(self._failed, frame)
                work.addBoth(self._done)
                return
            if not oneway:
                done.append(publish_unit(published))
        if not oneway:
            self._answer(frame, b"".join(done), before)

    async def _publish_patiently(
        self, session: Session, frame: Frame, units: list[Unit], pending: Pending, done: list[bytes], before: int
    ) -> None:
        """Go on with a request whose first unit has to wait.

        Args:
            session: the publisher.
            frame: the request.
            units: what is not published yet.
            pending: what the first of them waits for.
            done: answers to the units before.
            before: where the store stood before the request.
        """
        oneway = frame.method == b"publishOneway"
        waits: Pending | None = pending
        for unit in units:
            first, waits = waits, None
            try:
                published = await self._factory.requests.publish_when_possible(
                    session, unit.key, unit.qos, unit.content, first
                )
            except BrokerError as error:
                if not oneway:
                    raise
                self._log_oneway(error)
                continue
            if not oneway:
                done.append(publish_unit(published))
        if not oneway:
            self._answer(frame, b"".join(done), before)

    def _log_oneway(self, error: BrokerError) -> None:
        self._tell(lambda: f"{self.peer}: publishOneway: {str(error)[:MOST_SHOWN]}")

    def violated(self, reason: str) -> None:
        """The client broke a rule of the protocol; one that sends too long a request is told so, or it would try again.

        Args:
            reason: what it did.
        """
        error = self._reader.error
        if self._told:
            return
        if self._closed or self.session is None or not isinstance(error, FrameTooLong) or error.header is None:
            super().violated(reason)
            return
        self._told = True
        self.tell_violation(reason)
        if error.header.kind is Kind.INVOKE:
            refusal = BrokerError(Code.USER_MAX_SIZE_EXCEED, f"the request is too long: {reason}")
            self._answer_error(error.header, refusal)
        store = self._broker.node.store
        if self._answers:  # to requests before it
            store.when_committed(store.position, self._close_unread)
        else:
            self._close_unread()

    def _close_unread(self) -> None:
        """Close behind what was written, while the client still sends: what is not read would reset the connection."""
        if self._closed:
            return
        self._closed = True
        transport: Any = self.transport
        transport.unregisterProducer()
        self._holds.clear(transport)
        if ISSLTransport.providedBy(transport) or not hasattr(transport, "loseWriteConnection"):
            transport.loseConnection()
        else:
            transport.loseWriteConnection()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._broker.node.clock.callLater(LINGER, self._linger_overdue)

    def _linger_overdue(self) -> None:
        self._timer = None
        self.abort()

    def tell_violation(self, reason: str) -> None:
        """Say why the connection is closed: of clients always, of others once a minute and address."""
        if self.session is None:
            self._tell(lambda: f"{self.peer}: {reason}; connection closed")
        else:
            super().tell_violation(reason)

    def _tell(self, text: Callable[[], str]) -> None:
        """Say in the log what was refused, once a minute and client; of those that have not logged in, address."""
        self._factory.refusals.tell(self.host if self.session is None else self.peer, text)

    def _ping(self, frame: Frame) -> None:
        check_units(SERVER_METHODS[b"ping"], len(frame.units()))
        secret = frame.session.decode("utf-8", "replace")
        session = self._broker.node.sessions.get(secret)
        if secret and session is None:
            raise BrokerError(Code.COMMUNICATION_NO_CALLBACK_SERVER, "the session of this ping is gone")
        if session is not None:
            session.seen = self._broker.node.monotonic()
        state = "OK" if self._broker.accepting else self._factory.run_level()
        body = encode_unit(f"<qos><state id='{state}'/></qos>".encode())
        self._send(Kind.RESPONSE, frame, body)

    async def _connect(self, frame: Frame, units: list[Unit]) -> None:
        if self.session is not None and not self.session.ended:
            raise BrokerError(Code.USER_CONNECT_MULTIPLE, "this connection has logged in already")
        before = self._broker.position
        qos = read_connect_qos(units[0].qos)
        dial = self._factory.dialer.prepare(qos, self.host)
        connected = await self._factory.login.connect(qos, self.host)
        session = connected.session
        if self._closed:
            # The client left while its credentials were checked.
            self._factory.login.sessions.not_told(session, reconnected=connected.reconnected)
            return
        self._logged_in(session)
        session.dispatch.dial = None if dial is None else lambda: dial(session)
        secret = session.secret_id.encode()
        body = encode_unit(write_connect_qos(connected.qos, redact=True))
        answer = encode_frame(Kind.RESPONSE, self._ids.for_answer(frame), frame.method, secret, body)
        self._when_safe(answer, before, lambda: self._attach_soon(session))

    def _attach_soon(self, session: Session) -> None:
        reach("connect answered")
        self._attaching = self._broker.node.later(FIRST_UPDATE_DELAY, lambda: self._attach(session))

    def _attach(self, session: Session) -> None:
        self._attaching = None
        if session.ended or self._closed or not session.can_receive:
            return
        if session.dispatch.dial is None or session.epoch != self._epoch:
            self._broker.attach(session, self, self._epoch)
        else:
            session.dispatch.start_polling()

    def _logged_in(self, session: Session) -> None:
        self.bind(session)
        self._secret = session.secret_id.encode()
        self._factory.logged_in(self)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._limits.idle_timeout:
            self._timer = self._broker.node.clock.callLater(self._limits.idle_timeout, self._idle)

    async def _disconnect(self, frame: Frame, units: list[Unit]) -> None:
        session = self._known_session(frame)
        before = self._broker.position
        self._leaving = True
        await self._factory.login.disconnect(session, read_disconnect_qos(units[0].qos if units else b""))
        self._when_safe(self._frame(Kind.RESPONSE, frame, OK), before, self._left)

    def _left(self) -> None:
        self._leaving = False
        self.close("the client disconnected")

    def close(self, reason: str) -> None:
        """Let go of the connection; while the client is leaving, its answer comes first."""
        if not self._leaving:
            super().close(reason)

    def _known_session(self, frame: Frame) -> Session:
        try:
            return self._session_of(frame)
        except BrokerError as error:
            raise BrokerError(Code.USER_NOT_CONNECTED, "there is no session to disconnect") from error

    async def _subscribe(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._broker.position
        subscribed = await self._factory.requests.subscribe(session, units[0].key, units[0].qos)
        status = StatusQos(
            state=subscribed.state,
            subscription_id=subscribed.id,
            method=Method.SUBSCRIBE,
            properties=subscribed.properties,
        )
        self._answer(frame, status_units([status]), before)

    async def _unsubscribe(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._broker.position
        ended = self._factory.requests.unsubscribe(session, units[0].key)
        statuses = [StatusQos(subscription_id=id, method=Method.UNSUBSCRIBE) for id in ended]
        self._answer(frame, status_units(statuses), before)

    async def _get(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._broker.position
        told = await self._factory.requests.get(session, units[0].key, units[0].qos)
        if isinstance(told, Told):
            qos = write_publish_qos(PublishQos(properties=told.properties))
            self._answer(frame, encode_unit(qos, write_key(Key(told.oid)), told.content), before)
        elif isinstance(told, Deferred):
            self._answer_later(told, frame, before)
        else:
            self._answer_messages(told, frame, before)

    def _answer_messages(self, found: Found, frame: Frame, before: int) -> None:
        node = self._broker.node
        now = node.now()
        body = b"".join(encode_message(message, content=content, node=node.id, now=now) for message, content in found)
        self._answer(frame, body, before)

    def _answer_later(self, waiting: Deferred[Found], frame: Frame, before: int) -> None:
        """Answer when a queue has what was asked for; requests that come meanwhile need not wait for it."""
        if len(self._waiting) >= self._limits.max_pending:
            waiting.addErrback(lambda failure: failure.trap(CancelledError) and None)
            waiting.cancel()
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{len(self._waiting)} requests of this connection wait already")
        self._waiting.add(waiting)

        def ended(result: object) -> object:
            self._waiting.discard(waiting)
            return result

        waiting.addBoth(ended)
        waiting.addCallback(lambda found: self._answer_messages(found, frame, before))
        waiting.addErrback(lambda failure: None if failure.check(CancelledError) else self._failed(failure, frame))

    async def _erase(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._broker.position
        erased = self._factory.requests.erase(session, units[0].key, units[0].qos)
        statuses = [StatusQos(oid=oid, method=Method.ERASE) for oid in erased]
        self._answer(frame, status_units(statuses), before)

    def _answer(self, frame: Frame, body: bytes, before: int) -> None:
        self._when_safe(self._frame(Kind.RESPONSE, frame, body), before, None)

    def _frame(self, kind: Kind, frame: Frame, body: bytes) -> bytes:
        return encode_frame(kind, self._ids.for_answer(frame), frame.method, frame.session, body)

    def _send(self, kind: Kind, frame: Frame, body: bytes) -> None:
        self.write(self._frame(kind, frame, body))

    def _when_safe(self, answer: bytes, before: int, then: Callable[[], None] | None) -> None:
        """Write an answer when what the request appended to the store is committed; at once if that is nothing."""
        store = self._broker.node.store
        position = store.position
        if position == before or position <= store.committed:
            self.write(answer)
            if then is not None:
                then()
        elif then is not None:
            store.when_committed(position, lambda: self._write_and(answer, then))
        else:
            if not self._answers:
                store.when_committed(position, self._release_answers)
            self._answers.append((position, answer))

    def _write_and(self, answer: bytes, then: Callable[[], None]) -> None:
        self.write(answer)
        then()

    def _release_answers(self) -> None:
        store = self._broker.node.store
        committed = store.committed
        answers = self._answers
        ready: list[bytes] = []
        while answers and answers[0][0] <= committed:
            ready.append(answers.popleft()[1])
        if answers:
            store.when_committed(answers[0][0], self._release_answers)
        self.write(b"".join(ready))

    def _refuse(self, frame: Frame, error: BrokerError) -> None:
        self._tell(lambda: f"{self.peer}: {_shown(frame)} refused: {str(error)[:MOST_SHOWN]}")
        self._answer_error(frame, error)

    def _answer_error(self, frame: Frame, error: BrokerError) -> None:
        if frame.method == b"publishOneway":
            return
        now = datetime.fromtimestamp(self._broker.node.seconds(), UTC)
        self.write(
            encode_exception(
                self._ids.for_answer(frame),
                frame.method,
                frame.session,
                error,
                self._broker.node.id,
                f"version={__version__}",
                f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}",
            )
        )
        if frame.method == b"connect" and self.session is None:
            self.close("the login failed")

    def _store_caught_up(self) -> None:
        store = self._broker.node.store
        if store.backlog <= STORE_LOW_WATER and len(self._answers) <= MOST_HELD_ANSWERS // 2:
            self.release("the store is behind")
        elif not self._closed:
            store.when_committed(store.position, self._store_caught_up)

    def _login_overdue(self) -> None:
        self._timer = None
        self.violated("no login in time")

    def _idle(self) -> None:
        self._timer = None
        self.violated("idle for too long")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Serve what has come over the connection, then let go of everything that it held."""
        for call in (self._timer, self._attaching):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._attaching = None
        self._closed = True
        self.writable = False
        self._answers.clear()
        for waiting in list(self._waiting):
            waiting.cancel()
        self._factory.closed(self)
        unserved = list(self._unserved)
        self._unserved.clear()
        try:
            for frame in unserved:
                self._serve_frame(frame)
        except FrameError as error:
            self.tell_violation(str(error))
        self._lost = reason
        self._serve_pending()

    def _let_go(self, reason: Failure) -> None:
        self._lost = None
        self._factory.refusals.end(self.peer)
        if self._failures is not None:
            self._failures.end(lines(log.info), self.peer, "failures")
        super().connectionLost(reason)


def _shown(frame: Frame) -> str:
    """The method of a request as the log shows it: the peer has chosen the bytes."""
    return frame.method[:64].decode("ascii", "replace")


_QUESTIONS = (b"get", b"ping")
_SERVED: dict[bytes, Callable[[NativeServer, Frame, list[Unit]], Coroutine[Any, Any, None]]] = {
    b"connect": NativeServer._connect,
    b"disconnect": NativeServer._disconnect,
    b"subscribe": NativeServer._subscribe,
    b"unSubscribe": NativeServer._unsubscribe,
    b"get": NativeServer._get,
    b"erase": NativeServer._erase,
}
