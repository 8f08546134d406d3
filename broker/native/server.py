"""The server's side of a client's connection (spec xmlblaster §20.1, §24; requirement ``protocol.socket``)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker import __version__
from broker.core.sessions import Session
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.logs.limit import LogLimit, lines
from broker.model.host import network_of
from broker.native.answers import OK, publish_unit, status_unit
from broker.native.connection import NativeConnection
from broker.native.held_answers import HeldAnswers
from broker.native.limits import NativeLimits
from broker.native.requests import RequestQueue
from broker.native.service import NativeService
from broker.native.wire.frames import (
    Frame,
    FrameError,
    FrameTooLong,
    Kind,
    Unit,
    encode_frame,
    encode_unit,
    encode_units,
)
from broker.native.wire.methods import SERVER_METHODS, check_units, encode_exception, find_method
from broker.net.transport import Connection
from broker.timers import cancel

log = Logger()

MAX_SHOWN = 512
"""Characters of an error that the log has."""
FIRST_UPDATE_DELAY = 10
"""Milliseconds between the answer to a connect and the first update: some clients expect nothing else in the segment
that brings the answer."""
_QUESTIONS = (b"get", b"ping")
"""What has no effect, or takes something out of a queue: without a connection it is not served, as nobody gets it."""


class NativeServer(NativeConnection):
    """A client's connection.

    Requests are served one after the other, in order (§24 fact 5); an answer leaves when what it promises is on disk
    (design D3), so answers of requests that change nothing durable may overtake others. What has come over a connection
    that is gone is served to its end.

    Args:
        service: that it asks.
        transport: that carries the frames.
        host: address of the peer.
        limits: what the client may ask for.
        compress: whether it speaks ``zlib:stream``.
    """

    def __init__(
        self, service: NativeService, transport: Connection, host: str, limits: NativeLimits, *, compress: bool = False
    ) -> None:
        broker = service.broker
        super().__init__(broker, transport, limits, compress=compress)
        self.host = host
        self._service = service
        self._request_queue = RequestQueue(transport, self._begin, limits.max_pending, self._reader, limits.max_frame)
        self.invoked = self._request_queue.add
        self.taken = self._request_queue.run
        self._store = broker.node.store
        self._answers = HeldAnswers(self._store, transport, self.write)
        self._secret = b""
        self._leaving = False
        self._broken: FrameError | None = None
        self._lost: str | None = None
        self._blocked = False  # a message waits for room in a queue
        self._pause: Deferred[None] | None = None
        self._attaching: IDelayedCall | None = None
        self._waiting: set[Deferred[list[Unit]]] = set()
        self._timer: IDelayedCall | None = None
        self._failures: LogLimit | None = None  # of the broker itself, each with its traceback

    def connected(self) -> None:
        """Give the client its time to log in."""
        self._timer = self._broker.node.clock.callLater(self._limits.login_timeout, self._login_overdue)

    def turn(self) -> None:
        """Go on with the request that gave way, or with those that wait."""
        pause, self._pause = self._pause, None
        if pause is not None:
            pause.callback(None)
        self._request_queue.turn()

    def broke(self, error: FrameError) -> None:
        """Serve what came before, then let go of the connection."""
        self._broken = error
        self._finish()

    def set_writable(self, writable: bool) -> None:
        """The transport's buffer is full, or has room: then first for requests that came before what is read next."""
        self.writable = writable
        self._request_queue.blocked = not writable
        if writable:
            self._request_queue.run()
            if self.writable:
                super().set_writable(True)

    def _finish(self) -> None:
        """Serve what has come, then see what is to end."""
        self._request_queue.on_idle = self._finished
        self._request_queue.run()

    def _finished(self) -> None:
        if self._lost is not None:
            self._let_go(self._lost)
        elif self._broken is not None:
            self._break_off(self._broken)
        else:  # behind the last answers
            self._broker.when_committed(lambda: self.close("the broker stops"))

    def _break_off(self, error: FrameError) -> None:
        """Let go of the connection; a client that sent too long a request is told so, or it would send it again."""
        header = error.header if isinstance(error, FrameTooLong) else None
        if self._closed or self.session is None or header is None:
            self.violated(str(error))
            return
        self.tell_violation(str(error))
        if header.kind is Kind.INVOKE:
            self._answer_error(header, BrokerError(Code.USER_MAX_SIZE_EXCEED, f"the request is too long: {error}"))
        self._broker.when_committed(lambda: self.close("a request was too long"))  # behind the answers before it

    def _begin(self, frame: Frame) -> Deferred[None] | None:
        method = frame.method
        if self._closed and (self.session is None or method in _QUESTIONS):
            return None
        try:
            if method == b"publish" or method == b"publishOneway":
                return self._publish(self._session_of(frame), frame, frame.units())
            if method == b"ping":
                self._ping(frame)
                return None
            known = find_method(SERVER_METHODS, method)
            if known.name != method:
                return self._begin(frame._replace(method=known.name))
            units = frame.units()
            check_units(known, len(units))
            work = ensureDeferred(_SERVED[known.name](self, frame, units))
            return work.addErrback(self._failed, frame)
        except FrameError as error:
            self._request_queue.clear()  # what comes behind it is not to be trusted
            self.violated(str(error))
        except BrokerError as error:
            self._refuse(frame, error)
        except Exception:  # noqa: BLE001 - it is logged, and answered
            self._failed(Failure(), frame)
        return None

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
            return self._service.session(frame.session)
        session.seen = self._read_at
        return session

    def _publish(self, session: Session, frame: Frame, units: list[Unit]) -> Deferred[None] | None:
        """Publish units; where one must wait, or the turn is over, the rest of the request goes on later."""
        if not units:
            check_units(SERVER_METHODS[frame.method], 0)
        publish, plans = self._broker.publish, session.plans
        before = self._store.position
        oneway = frame.method == b"publishOneway"
        done: list[bytes] = []
        last = len(units) - 1
        for index, (qos, key, content) in enumerate(units):
            try:
                plan = plans.get((key, qos))
                if plan is not None:
                    published = publish(session, plan, content)
                else:
                    published = self._service.publish(session, units[index])
            except BrokerError as error:
                if not oneway:
                    raise
                self._log_oneway(error)
            else:
                if isinstance(published, Pending):
                    work = ensureDeferred(
                        self._publish_patiently(session, frame, units[index:], published, done, before)
                    )
                    return work.addErrback(self._failed, frame)
                if not oneway:
                    done.append(publish_unit(published))
            if index < last and self._transport.turn_is_over:
                work = ensureDeferred(self._publish_patiently(session, frame, units[index + 1 :], None, done, before))
                return work.addErrback(self._failed, frame)
        if not oneway:
            self._answer(frame, b"".join(done), before)
        return None

    async def _publish_patiently(
        self,
        session: Session,
        frame: Frame,
        units: list[Unit],
        pending: Pending | None,
        done: list[bytes],
        before: int,
    ) -> None:
        """Go on with a request whose first unit has to wait, or that has to give way.

        Args:
            session: the publisher.
            frame: the request.
            units: what is not published yet.
            pending: what the first of them waits for; ``None`` where others have their turn.
            done: answers to the units before.
            before: where the store stood before the request.
        """
        oneway = frame.method == b"publishOneway"
        for unit in units:
            waits, pending = pending, None
            if waits is None and self._transport.turn_is_over:
                await self._next_turn()
            self._blocked = True
            try:
                published = await self._service.publish_when_possible(session, unit, waits)
            except BrokerError as error:
                if not oneway:
                    raise
                self._log_oneway(error)
                continue
            finally:
                self._blocked = False
            if not oneway:
                done.append(publish_unit(published))
        if not oneway:
            self._answer(frame, b"".join(done), before)

    def _next_turn(self) -> Deferred[None]:
        """Give way to others, amid a request."""
        pause = self._pause = Deferred()
        self._transport.ask_for_turn()
        return pause

    def _log_oneway(self, error: BrokerError) -> None:
        self._service.login.sessions.traffic.refused(error.code)
        self._tell(lambda: f"{self.peer}: publishOneway: {str(error)[:MAX_SHOWN]}")

    def tell_violation(self, reason: str) -> None:
        """Say why the connection is closed: of clients always, of others once a minute and address."""
        if self.session is None:
            self._tell(lambda: f"{self.peer}: {reason}; connection closed")
        else:
            super().tell_violation(reason)

    def _tell(self, text: Callable[[], str]) -> None:
        """Say in the log what was refused, once a minute and client; of those that have not logged in, address."""
        self._service.refusals.tell(network_of(self.host) if self.session is None else self.peer, text)

    def _ping(self, frame: Frame) -> None:
        check_units(SERVER_METHODS[b"ping"], len(frame.units()))
        state = self._service.ping(frame.session)
        self.write(self._response(frame, encode_unit(f"<qos><state id='{state}'/></qos>".encode())))

    async def _connect(self, frame: Frame, units: list[Unit]) -> None:
        if self.session is not None and not self.session.ended:
            raise BrokerError(Code.USER_CONNECT_MULTIPLE, "this connection has logged in already")
        before = self._store.position
        try:
            login = await self._service.connect(units[0].qos if units else b"", self.host)
        except BrokerError as error:
            self._answer_error(frame, error)  # the audit of logins has it
            return
        session = login.session
        if self._closed:
            # The client left while its credentials were checked.
            self._service.login.sessions.not_told(session, reconnected=login.reconnected)
            return
        self._logged_in(session)
        session.dispatch.dial = login.dial
        secret = session.secret_id.encode()
        answer = encode_frame(Kind.RESPONSE, self._ids.for_answer(frame), frame.method, secret, encode_unit(login.qos))
        self._answers.add_and(answer, before, lambda: self._attach_soon(session))

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
        self._request_queue.belong(session.subject.usage)
        self._secret = session.secret_id.encode()
        self._transport.logged_in(session.subject.name, session.subject.usage)
        self._cancel_timer()
        if self._limits.idle_timeout:
            self._look_if_idle()

    async def _disconnect(self, frame: Frame, units: list[Unit]) -> None:
        session = self._known_session(frame)
        before = self._store.position
        self._leaving = True
        await self._service.disconnect(session, units[0].qos if units else b"")
        self._answers.add_and(self._response(frame, OK), before, self._left)

    def _left(self) -> None:
        self._leaving = False
        self.close("the client disconnected")

    def close(self, reason: str) -> None:
        """Let go of the connection; while the client is leaving, its answer comes first."""
        if not self._leaving:
            super().close(reason)

    def shut_down(self) -> None:
        """The listener closes: what has come is served and answered first, unless it waits for something."""
        self._reads = False
        if self._blocked:
            self.close("the broker stops")
        elif not self._closed:
            self._finish()

    def _known_session(self, frame: Frame) -> Session:
        try:
            return self._session_of(frame)
        except BrokerError as error:
            raise BrokerError(Code.USER_NOT_CONNECTED, "there is no session to disconnect") from error

    async def _subscribe(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._store.position
        self._answer(frame, status_unit(await self._service.subscribe(session, units[0].key, units[0].qos)), before)

    async def _unsubscribe(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._store.position
        self._answer(frame, b"".join(await self._service.unsubscribe(session, units[0].key)), before)

    async def _erase(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._store.position
        self._answer(frame, b"".join(await self._service.erase(session, units[0].key, units[0].qos)), before)

    async def _get(self, frame: Frame, units: list[Unit]) -> None:
        session = self._session_of(frame)
        before = self._store.position
        found = await self._service.get(session, units[0].key, units[0].qos)
        if isinstance(found, Deferred):
            self._answer_later(found, frame, before)
        else:
            self._answer(frame, encode_units(found), before)

    def _answer_later(self, waiting: Deferred[list[Unit]], frame: Frame, before: int) -> None:
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
        waiting.addCallback(lambda found: self._answer(frame, encode_units(found), before))
        waiting.addErrback(lambda failure: None if failure.check(CancelledError) else self._failed(failure, frame))

    def _answer(self, frame: Frame, body: bytes, before: int) -> None:
        self._answers.add(self._response(frame, body), before)

    def _response(self, frame: Frame, body: bytes) -> bytes:
        return encode_frame(Kind.RESPONSE, self._ids.for_answer(frame), frame.method, frame.session, body)

    def _refuse(self, frame: Frame, error: BrokerError) -> None:
        self._tell(lambda: f"{self.peer}: {_shown(frame)} refused: {str(error)[:MAX_SHOWN]}")
        self._answer_error(frame, error)

    def _answer_error(self, frame: Frame, error: BrokerError) -> None:
        self._service.login.sessions.traffic.refused(error.code)
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

    def _login_overdue(self) -> None:
        self._timer = None
        self.violated("no login in time")

    def _look_if_idle(self) -> None:
        self._timer = None
        left = self._limits.idle_timeout - (self._monotonic() - self._read_at)
        if left > 0:
            self._timer = self._broker.node.clock.callLater(left, self._look_if_idle)
        else:
            self.violated("idle for too long")

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        cancel(timer)

    def lost(self, reason: str) -> None:
        """The connection is gone: serve what has come over it, then let go of everything that it held."""
        self._cancel_timer()
        attaching, self._attaching = self._attaching, None
        cancel(attaching)
        self._closed = True
        self.writable = False
        self._answers.clear()
        for waiting in list(self._waiting):
            waiting.cancel()
        if self.session is None:
            self._request_queue.clear()
        self._lost = reason
        self._request_queue.blocked = False
        self._finish()

    def _let_go(self, reason: str) -> None:
        self._request_queue.on_idle = None
        self._service.refusals.end(self.peer)
        if self._failures is not None:
            self._failures.end(lines(log.info), self.peer, "failures")
        super().lost(reason)


def _shown(frame: Frame) -> str:
    """The method of a request as the log shows it: the peer has chosen the bytes."""
    return frame.method[:64].decode("ascii", "replace")


_SERVED: dict[bytes, Callable[[NativeServer, Frame, list[Unit]], Coroutine[Any, Any, None]]] = {
    b"connect": NativeServer._connect,
    b"disconnect": NativeServer._disconnect,
    b"subscribe": NativeServer._subscribe,
    b"unSubscribe": NativeServer._unsubscribe,
    b"get": NativeServer._get,
    b"erase": NativeServer._erase,
}
