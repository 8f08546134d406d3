"""The methods of XML-RPC, each as the request of the native protocol that it is (spec doors §1.1, xmlblaster §20.2)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from twisted.internet.defer import Deferred, DeferredLock

from broker.auth.services import HTPASSWD
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.connect import Credentials
from broker.model.host import network_of
from broker.model.number import whole_or_none
from broker.native.answers import publish_unit, status_unit
from broker.native.codec import read_connect_qos, write_connect_qos
from broker.native.service import Dialer, NativeService
from broker.native.wire.frames import Unit
from broker.native.wire.methods import MAX_TEXT
from broker.native.wire.xmlrpc import MethodCall, Value
from broker.native.xmlrpc.callbacks import PolledCallbacks
from broker.native.xmlrpc.poll import PollChannel
from broker.native.xmlrpc.units import error_of, message_of, status_of, text_of, unit_from

OK = "<qos><state id='OK'/></qos>"
LONGEST_POLL = 55_000
"""Milliseconds: proxies give up a request after a minute."""
MOST_CALLS = 4
"""Calls of one session that may be under way or wait for each other, polls aside."""
Params: TypeAlias = tuple[Value, ...]
Result = TypeVar("Result")


class Calls:
    """Serves calls. Those of one session are served one after the other, in the order in which they came.

    Args:
        service: the requests of the protocol.
        callbacks: reaches the servers that clients name for their updates.
        max_polls: calls that may wait for updates.
    """

    def __init__(self, service: NativeService, callbacks: Dialer, max_polls: int) -> None:
        self._service = service
        self._node = service.broker.node
        self._callbacks = callbacks
        self._max_polls = max_polls
        self._polls = 0
        self._lines: dict[int, _Line] = {}
        self._channels: dict[int, PollChannel] = {}

    def is_session(self, secret: str) -> bool:
        """Whether somebody has logged in under a secret session id."""
        session = self._node.sessions.get(secret)
        return session is not None and session.kind is self._service.login.sessions

    def shut_down(self) -> None:
        """Whoever waits for updates gets none."""
        for channel in list(self._channels.values()):
            channel.interrupt()

    async def serve(self, call: MethodCall, host: str) -> Value:
        """Serve a call.

        Args:
            call: what is asked.
            host: address of the client.

        Returns:
            The answer, which may leave: what it promises is on disk.

        Raises:
            BrokerError: it is refused.
        """
        method = _METHODS.get(call.method)
        if method is None:
            raise BrokerError(Code.INTERNAL_NOT_IMPLEMENTED, f"there is no method {call.method[:64]}")
        value = await method(self, call.params, host)
        committed: Deferred[None] = Deferred()
        self._service.broker.when_committed(lambda: committed.callback(None))
        await committed
        return value

    async def _connect(self, params: Params, host: str) -> Value:
        _, answer = await self._logged_in(_text(params, len(params) - 1, "the QoS"), host, self._callbacks)
        return answer

    async def _connect_single_channel(self, params: Params, host: str) -> Value:
        qos = _text(params, len(params) - 1, "the QoS")
        session, answer = await self._logged_in(qos, host, PolledCallbacks())
        if session.can_receive:
            self._channel(session)
        return answer

    async def _login(self, params: Params, host: str) -> Value:
        user, password = _text(params, 0, "the login name"), _text(params, 1, "the password")
        qos = _text(params, 2, "the QoS", "").strip() or "<qos/>"
        request = replace(read_connect_qos(qos.encode()), credentials=Credentials(HTPASSWD, user, password))
        session, _ = await self._logged_in(write_connect_qos(request, redact=False).decode(), host, self._callbacks)
        return session.secret_id

    async def _logged_in(self, qos: str, host: str, dialer: Dialer) -> tuple[Session, Value]:
        login = await self._service.connect(qos.encode(), host, dialer)
        session = login.session
        session.dispatch.dial = login.dial
        if login.dial is not None:
            session.dispatch.start_polling()
        return session, login.qos.decode()

    async def _disconnect(self, params: Params, host: str) -> Value:
        try:
            session = self._session(params)
        except BrokerError as error:
            raise BrokerError(Code.USER_NOT_CONNECTED, "there is no session to disconnect") from error
        qos = _text(params, 1, "the QoS", "").strip()
        await self._in_turn(session, lambda: self._service.disconnect(session, qos.encode()))
        return OK

    async def _ping(self, params: Params, host: str) -> Value:
        return f"<qos><state id='{self._service.ping(b'')}'/></qos>"

    async def _publish(self, params: Params, host: str) -> Value:
        unit = _unit(params)
        session = self._session(params)
        return await self._in_turn(session, lambda: self._published(session, unit))

    async def _publish_array(self, params: Params, host: str) -> Value:
        units = [unit_from(each) for each in _array(params, 1, "the messages")]
        session = self._session(params)

        async def publish_all() -> Value:
            return [await self._published(session, unit) for unit in units]

        return await self._in_turn(session, publish_all)

    async def _publish_oneway(self, params: Params, host: str) -> Value:
        try:
            await self._publish_array(params, host)
        except BrokerError as error:  # nobody is told of it, but the administrator
            self._service.login.sessions.traffic.refused(error.code)
            reason = str(error)[:MAX_TEXT]
            self._service.refusals.tell(network_of(host), lambda: f"{host}: publishOneway: {reason}")
        return ""

    async def _subscribe(self, params: Params, host: str) -> Value:
        session, key, qos = self._session(params), _key(params), _qos(params)
        return status_of(status_unit(await self._in_turn(session, lambda: self._service.subscribe(session, key, qos))))

    async def _unsubscribe(self, params: Params, host: str) -> Value:
        session, key = self._session(params), _key(params)
        ended = await self._in_turn(session, lambda: self._service.unsubscribe(session, key))
        return [status_of(each) for each in ended]

    async def _erase(self, params: Params, host: str) -> Value:
        session, key, qos = self._session(params), _key(params), _qos(params)
        erased = await self._in_turn(session, lambda: self._service.erase(session, key, qos))
        return [status_of(each) for each in erased]

    async def _get(self, params: Params, host: str) -> Value:
        session, key, qos = self._session(params), _key(params), _qos(params)
        as_text = _as_string(params, 3)
        found = await self._in_turn(session, lambda: self._service.get(session, key, qos))
        units = await found if isinstance(found, Deferred) else found
        return [message_of(each, as_text=as_text) for each in units]

    async def _update_request(self, params: Params, host: str) -> Value:
        session = self._session(params)
        wait = whole_or_none(_text(params, 1, "waitMillis", "0"), 0)
        if wait is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "waitMillis must be a number of milliseconds")
        as_text = _as_string(params, 2)
        if not session.can_receive:
            raise BrokerError(Code.USER_CONFIGURATION, "the session has no callback that updates could be for")
        if self._polls >= self._max_polls:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{self._polls} calls wait for updates already")
        self._polls += 1
        try:
            update = await self._channel(session).poll(min(wait, LONGEST_POLL))
        finally:
            self._polls -= 1
        if update is None:
            return None
        return [update.method, update.number, [message_of(each, as_text=as_text) for each in update.units]]

    async def _update_answer(self, params: Params, host: str) -> Value:
        session = self._session(params)
        number = _text(params, 1, "the number of the update")
        states = [text_of(each, "a QoS") for each in _array(params, 2, "the QoS")]
        text = _text(params, 3, "the exception", "").strip()
        channel = self._channels.get(session.id)
        if channel is not None:
            channel.answered(number.strip(), states, error_of(text) if text else None)
        return ""

    async def _interrupt(self, params: Params, host: str) -> Value:
        channel = self._channels.get(self._session(params).id)
        if channel is not None:
            channel.interrupt()
        return ""

    async def _list_methods(self, params: Params, host: str) -> Value:
        return list(_METHODS)

    async def _method_help(self, params: Params, host: str) -> Value:
        name = _text(params, 0, "the name of the method")
        if name not in _METHODS:
            raise BrokerError(Code.INTERNAL_NOT_IMPLEMENTED, f"there is no method {name[:64]}")
        return f"{name} of the native protocol"

    async def _method_signature(self, params: Params, host: str) -> Value:
        return "undef"

    def _session(self, params: Params) -> Session:
        return self._service.session(_text(params, 0, "the session id").encode())

    def _channel(self, session: Session) -> PollChannel:
        """Where updates of a session go to be asked for.

        Raises:
            BrokerError: ``user.wrongApiUsage``: they go elsewhere.
        """
        channel = self._channels.get(session.id)
        if channel is None:
            if session.dispatch.outbound is not None:
                raise BrokerError(Code.USER_WRONG_API_USAGE, "updates of this session go over another connection")
            channel = self._channels[session.id] = PollChannel(
                self._node, session, lambda closed: self._closed(session, closed)
            )
        if session.dispatch.outbound is not channel:
            session.dispatch.dial = None
            self._service.broker.attach(session, channel, session.epoch)
        return channel

    def _closed(self, session: Session, channel: PollChannel) -> None:
        if self._channels.get(session.id) is channel:
            del self._channels[session.id]

    async def _published(self, session: Session, unit: Unit) -> str:
        return status_of(publish_unit(await self._service.publish_when_possible(session, unit)))

    async def _in_turn(self, session: Session, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Do something behind the calls of a session that came before, and when others have had their turns.

        Raises:
            BrokerError: ``resource.exhaust``: too many calls of the session wait.
        """
        line = self._lines.setdefault(session.id, _Line())
        if line.calls >= MOST_CALLS:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{line.calls} calls of this session are under way already")
        line.calls += 1
        try:
            await line.lock.acquire()
            try:
                await self._node.pace(session).next_turn()
                return await work()
            finally:
                line.lock.release()
        finally:
            line.calls -= 1
            if not line.calls:
                self._lines.pop(session.id, None)


class _Line:
    """The calls of one session that are under way."""

    __slots__ = ("calls", "lock")

    def __init__(self) -> None:
        self.calls = 0
        self.lock = DeferredLock()


def _text(params: Params, position: int, what: str, default: str | None = None) -> str:
    """A parameter that is text.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is something else, or is not there and has no default.
    """
    if not 0 <= position < len(params):
        if default is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{what} is missing")
        return default
    value = params[position]
    return default if value is None and default is not None else text_of(value, what)


def _array(params: Params, position: int, what: str) -> list[Value]:
    value = params[position] if position < len(params) else None
    if not isinstance(value, list):
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{what} must be an array")
    return value


def _key(params: Params) -> bytes:
    return _text(params, 1, "the key").encode()


def _qos(params: Params) -> bytes:
    return (_text(params, 2, "the QoS", "").strip() or "<qos/>").encode()


def _as_string(params: Params, position: int) -> bool:
    """Whether contents are to be text."""
    return _text(params, position, "asString", "false").strip().lower() in ("true", "1")


def _unit(params: Params) -> Unit:
    """The message of a publish: an array, or the three of it as parameters of their own."""
    return unit_from(params[1] if len(params) == 2 else list(params[1:4]))


_METHODS: dict[str, Callable[[Calls, Params, str], Coroutine[Any, Any, Value]]] = {
    "authenticate.connect": Calls._connect,
    "authenticate.connectSingleChannel": Calls._connect_single_channel,
    "authenticate.login": Calls._login,
    "authenticate.logout": Calls._disconnect,
    "authenticate.disconnect": Calls._disconnect,
    "authenticate.ping": Calls._ping,
    "xmlBlaster.ping": Calls._ping,
    "xmlBlaster.publish": Calls._publish,
    "xmlBlaster.publishArr": Calls._publish_array,
    "xmlBlaster.publishOneway": Calls._publish_oneway,
    "xmlBlaster.subscribe": Calls._subscribe,
    "xmlBlaster.unSubscribe": Calls._unsubscribe,
    "xmlBlaster.erase": Calls._erase,
    "xmlBlaster.get": Calls._get,
    "xmlBlaster.updateRequest": Calls._update_request,
    "xmlBlaster.updateAckOrException": Calls._update_answer,
    "xmlBlaster.interrupt": Calls._interrupt,
    "xmlBlaster.shutdownCb": Calls._interrupt,
    "system.listMethods": Calls._list_methods,
    "system.methodHelp": Calls._method_help,
    "system.methodSignature": Calls._method_signature,
}
CONNECTING = frozenset(["authenticate.connect", "authenticate.connectSingleChannel", "authenticate.disconnect"])
"""Methods whose faults have the code 99; those of others have 0, as clients know it."""
