"""The Twisted face of the client: a session that comes back by itself (spec xmlblaster §19.1)."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.client.connection import ClientConnection
from broker.client.options import (
    DEFAULT_PUBLISH,
    DEFAULT_SUBSCRIBE,
    ConnectOptions,
    PublishOptions,
    SubscribeOptions,
    query_of,
)
from broker.client.request_queue import Request, RequestQueue
from broker.client.values import QUEUED, Published, Subscribed, Update
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos
from broker.model.key import SUBSCRIPTION_PREFIX, QueryKey
from broker.model.qos import DisconnectQos, QueryQos
from broker.native.codec import (
    read_connect_qos,
    write_connect_qos,
    write_disconnect_qos,
    write_key,
    write_publish_qos,
    write_query_key,
    write_query_qos,
)
from broker.native.wire.frames import Unit, encode_unit

log = Logger()

UpdateCallback = Callable[[Update], object]
"""Called with each update; may return an awaitable. The update is acknowledged when it is done."""

NORMAL = 5
JITTER = 0.2


class State(Enum):
    """State of the connection (spec §19.1)."""

    IDLE = "IDLE"
    ALIVE = "ALIVE"
    POLLING = "POLLING"
    DEAD = "DEAD"


class _Subscription:
    """A subscription as it was asked for, to ask again where the broker does not know it any more."""

    def __init__(self, key: QueryKey, options: SubscribeOptions, callback: UpdateCallback | None) -> None:
        self.key = key
        self.options = options
        self.callback = callback


class Client:
    """A session at a broker.

    While the connection is lost, what can wait is kept and sent when it is back: publishes, subscribes, unsubscribes by
    id and erases of one topic. A request whose answer was lost with the connection is sent again, so a message may be
    published twice; receivers can tell by their own keys.

    Args:
        reactor: to connect with.
        host: of the broker.
        port: of the broker.
        options: who connects.
        tls: a context from :func:`twisted.internet.ssl.optionsForClientTLS`, or ``None``.
        compress: the port speaks ``zlib:stream``.
        retries: attempts to connect again, -1 for ever, 0 none.
        delay: seconds between them.
        ping_interval: seconds between signs of life, 0 none.
        response_timeout: seconds to wait for a ping's answer.
        backlog: requests that may wait for a connection.
        on_update: gets updates that no subscription's own callback takes, point-to-point messages among them.
        on_state: told of every change of :attr:`state`.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        options: ConnectOptions,
        *,
        tls: Any = None,
        compress: bool = False,
        retries: int = -1,
        delay: float = 5.0,
        ping_interval: float = 10.0,
        response_timeout: float = 60.0,
        backlog: int = 10_000,
        on_update: UpdateCallback | None = None,
        on_state: Callable[[State], None] | None = None,
    ) -> None:
        self.options = options
        self.state = State.IDLE
        self.name = ""
        self.answer: ConnectQos | None = None
        self.reconnected = False
        self._reactor = reactor
        self._host = host
        self._port = port
        self._tls = tls
        self._compress = compress
        self._retries = retries
        self._delay = delay
        self._ping_interval = ping_interval
        self._response_timeout = response_timeout
        self._on_update = on_update
        self._on_state = on_state
        self._backlog = RequestQueue(backlog)
        self._sent: dict[int, Request] = {}
        self._subscriptions: dict[str, _Subscription] = {}
        self._connection: ClientConnection | None = None
        self._secret = ""
        self._instance = f"/xmlBlaster/node/client/instanceId/{time.time_ns()}"
        self._attempts = 0
        self._generated = time.time_ns()
        self._leaving = False
        self._timer: Any = None
        self._ping_timer: Any = None

    async def connect(self, *, wait: bool = False) -> ConnectQos:
        """Log in.

        Args:
            wait: go on trying where the broker can not be reached, instead of failing.

        Raises:
            BrokerError: ``communication.noConnection`` where it can not be reached; the broker's own exception where it
                refuses the login.
        """
        while True:
            try:
                await self._connect()
                assert self.answer is not None
                return self.answer
            except BrokerError as error:
                if not wait or not _passes(error) or not self._may_try():
                    self._become(State.DEAD if self.state is not State.IDLE else State.IDLE)
                    raise
                self._become(State.POLLING)
                await self._sleep()

    async def subscribe(
        self,
        oid: str = "",
        *,
        xpath: str = "",
        domain: str = "",
        callback: UpdateCallback | None = None,
        options: SubscribeOptions = DEFAULT_SUBSCRIBE,
    ) -> Subscribed:
        """Subscribe to a topic, or to all that match a query.

        Args:
            oid: the topic.
            xpath: query over the keys of topics.
            domain: of topics.
            callback: gets its updates; without one ``on_update`` does.
            options: what is delivered.

        Raises:
            BrokerError: the broker's exception.
        """
        key = query_of(oid, xpath, domain)
        subscription = _Subscription(key, options, callback)
        wanted = self._subscription_id(key) if self.options.session else ""
        if wanted:
            self._subscriptions[wanted] = subscription  # an initial update may arrive before the answer
        try:
            units = await self._request(b"subscribe", self._subscribe_body(subscription, wanted))
        except BrokerError:
            self._subscriptions.pop(wanted, None)
            raise
        if units is None:
            return Subscribed(wanted, info=QUEUED)
        subscribed = Subscribed.of(units[0].qos)
        self._subscriptions[subscribed.id] = subscription
        return subscribed

    async def unsubscribe(self, oid: str = "", *, xpath: str = "", domain: str = "", subscription_id: str = "") -> int:
        """End subscriptions; returns how many ended (those that wait for a connection count as one)."""
        key = query_of(oid, xpath, domain, subscription_id)
        for id, subscription in list(self._subscriptions.items()):
            if id == subscription_id or subscription.key == key:
                del self._subscriptions[id]
        body = encode_unit(write_query_qos(QueryQos()), write_query_key(key))
        units = await self._request(b"unSubscribe", body, may_wait=bool(subscription_id))
        return 1 if units is None else len(units)

    async def publish(self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH) -> Published:
        """Publish a message.

        Args:
            oid: the topic; empty lets the broker make one up.
            content: text is sent as UTF-8.
            options: how it is delivered.

        Returns:
            The outcome; with info ``QUEUED`` where the message waits for a connection.

        Raises:
            BrokerError: the broker's exception, or ``resource.overflow.queue.entries`` where too much waits.
        """
        if not oid and self._connection is None:
            oid = self._generate_oid()
        units = await self._request(b"publish", _message(oid, content, options), priority=options.priority)
        return Published(oid, info=QUEUED) if units is None else Published.of(units[0].qos)

    async def publish_many(
        self, messages: Iterable[tuple[str, bytes | str]], options: PublishOptions = DEFAULT_PUBLISH
    ) -> list[Published]:
        """Publish messages in one request; what comes behind one that is refused is not published."""
        listed = list(messages)
        body = b"".join(_message(oid, content, options) for oid, content in listed)
        if not listed:
            return []
        units = await self._request(b"publish", body, priority=options.priority)
        if units is None:
            return [Published(oid, info=QUEUED) for oid, _ in listed]
        return [Published.of(unit.qos) for unit in units]

    def publish_oneway(self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH) -> None:
        """Publish a message without an answer; it is lost where there is no connection."""
        if self._connection is not None:
            self._connection.send(b"publishOneway", _message(oid, content, options))

    async def get(
        self,
        oid: str = "",
        *,
        xpath: str = "",
        domain: str = "",
        options: SubscribeOptions = DEFAULT_SUBSCRIBE,
    ) -> list[Update]:
        """Read the newest messages of topics; ``options.history`` says how many of each."""
        body = encode_unit(write_query_qos(options.qos()), write_query_key(query_of(oid, xpath, domain)))
        units = await self._request(b"get", body, may_wait=False)
        return [Update.of(unit) for unit in units or ()]

    async def erase(self, oid: str = "", *, xpath: str = "", domain: str = "", force: bool = False) -> list[str]:
        """Erase topics; returns their oids."""
        body = encode_unit(
            write_query_qos(QueryQos(force_destroy=force)), write_query_key(query_of(oid, xpath, domain))
        )
        units = await self._request(b"erase", body, priority=0, may_wait=bool(oid))
        return [oid] if units is None else [Published.of(unit.qos).oid for unit in units]

    async def ping(self) -> str:
        """Ask the broker how it is; returns its state, ``OK`` or the name of its run level."""
        units = await self._request(b"ping", encode_unit(b"<qos/>"), may_wait=False)
        return Published.of(units[0].qos).state if units else "OK"

    async def disconnect(self, *, clear_sessions: bool = False) -> None:
        """End the session at the broker, and the connection."""
        self._leaving = True
        try:
            if self._connection is not None:
                body = encode_unit(write_disconnect_qos(DisconnectQos(clear_sessions=clear_sessions)))
                await self._connection.call(b"disconnect", body)
        finally:
            self._end()

    async def leave(self) -> None:
        """End the connection only: the broker keeps the session, and queues for it.

        Fires when what was written is sent, the last acknowledgements among it; a program may end then.
        """
        self._leaving = True
        connection = self._connection
        self._end()
        if connection is not None:
            await connection.gone()

    async def _connect(self) -> None:
        connection = await self._open()
        qos = self.options.qos(self._secret, self._instance)
        try:
            units = await connection.call(b"connect", encode_unit(write_connect_qos(qos, redact=False)))
        except BrokerError:
            connection.close()
            raise
        answer = self.answer = read_connect_qos(units[0].qos)
        self._secret = answer.session.secret_id
        connection.secret_id = self._secret.encode()
        self.name = answer.session.name
        self.reconnected = answer.reconnected
        known, self._connection = self._connection, connection
        self._attempts = 0
        if known is not None:
            known.close()
        if not answer.reconnected and self.state is State.POLLING:
            self._subscribe_again(connection)
        self._become(State.ALIVE)
        for request in list(self._backlog.take()):
            self._send(request)
        self._schedule_ping()

    async def _open(self) -> ClientConnection:
        endpoint: Any = HostnameEndpoint(self._reactor, self._host, self._port)
        if self._tls is not None:
            endpoint = wrapClientTLS(self._tls, endpoint)
        made: list[ClientConnection] = []

        def build() -> ClientConnection:
            connection = ClientConnection(
                self.options.user, self._receive, lambda error: self._lost(made[0], error), compress=self._compress
            )
            made.append(connection)
            return connection

        try:
            connection: ClientConnection = await endpoint.connect(Factory.forProtocol(build))
        except Exception as error:
            raise BrokerError(
                Code.COMMUNICATION_NO_CONNECTION, f"no connection to {self._host}:{self._port}: {error}"
            ) from error
        return connection

    def _subscribe_again(self, connection: ClientConnection) -> None:
        """The broker has forgotten the session: ask for its subscriptions again, without what was delivered before."""
        known, self._subscriptions = self._subscriptions, {}
        for id, subscription in known.items():
            wanted = id if self.options.session else ""
            self._subscriptions[id] = subscription
            asked = connection.call(b"subscribe", self._subscribe_body(subscription, wanted))
            asked.addCallback(self._subscribed_again, id, subscription)
            asked.addErrback(self._not_subscribed_again, id)

    def _subscribed_again(self, units: list[Unit], id: str, subscription: _Subscription) -> None:
        del self._subscriptions[id]
        self._subscriptions[Subscribed.of(units[0].qos).id] = subscription

    def _not_subscribed_again(self, failure: Failure, id: str) -> None:
        log.warn("subscription {id} is lost: {why}", id=id, why=failure.value)

    async def _request(
        self, method: bytes, body: bytes, *, priority: int = NORMAL, may_wait: bool = True
    ) -> list[Unit] | None:
        """Send a request and wait for its answer; ``None`` where it waits for a connection."""
        request = Request(method, body, priority)
        if self._connection is not None and self.state is State.ALIVE:
            answer: Deferred[list[Unit]] = Deferred()
            request.answer = answer
            self._backlog.number(request)
            self._send(request)
            return await answer
        if self.state is not State.POLLING:
            raise BrokerError(Code.USER_NOT_CONNECTED, f"the client is not connected, but {self.state.value}")
        if not may_wait:
            raise BrokerError(Code.COMMUNICATION_POLLING, "there is no connection now, and this request can not wait")
        self._backlog.put(request)
        return None

    def _send(self, request: Request) -> None:
        assert self._connection is not None
        self._sent[request.number] = request
        answer = self._connection.call(request.method, request.body)
        answer.addCallbacks(self._answered, self._failed, callbackArgs=(request,), errbackArgs=(request,))

    def _answered(self, units: list[Unit], request: Request) -> None:
        self._sent.pop(request.number, None)
        if request.answer is not None:
            request.answer.callback(units)

    def _failed(self, failure: Failure, request: Request) -> None:
        self._sent.pop(request.number, None)
        error = failure.value
        cut = isinstance(error, BrokerError) and error.code == Code.COMMUNICATION_NO_CONNECTION
        if cut and self._retries and not self._leaving:
            self._backlog.put(request)
            return
        if request.answer is not None:
            request.answer.errback(failure)
        else:
            log.warn("a request that waited was refused: {error}", error=str(error))

    def _lost(self, connection: ClientConnection, error: BrokerError) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        self._stop_timers()
        if self._leaving:
            return
        if not self._may_try():
            self._die(error)
            return
        self._become(State.POLLING)
        self._schedule_retry()

    def _may_try(self) -> bool:
        return self._retries < 0 or self._attempts < self._retries

    def _schedule_retry(self) -> None:
        self._attempts += 1
        pause = self._delay * (1 + random.uniform(-JITTER, JITTER))
        self._timer = self._reactor.callLater(pause, self._retry)

    def _retry(self) -> None:
        self._timer = None
        Deferred.fromCoroutine(self._connect()).addErrback(self._retry_failed)

    def _retry_failed(self, failure: Failure) -> None:
        error = failure.value
        if self._leaving:
            return
        if isinstance(error, BrokerError) and _passes(error) and self._may_try():
            self._schedule_retry()
            return
        if not isinstance(error, BrokerError):
            log.failure("the client can not connect", failure)
            error = BrokerError(Code.INTERNAL_UNKNOWN, failure.getErrorMessage())
        self._die(error)

    def _die(self, error: BrokerError) -> None:
        self._become(State.DEAD)
        for request in self._backlog.take():
            if request.answer is not None:
                request.answer.errback(error)

    def _end(self) -> None:
        self._stop_timers()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._die(BrokerError(Code.USER_NOT_CONNECTED, "the client has disconnected"))

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._ping_timer):
            if timer is not None and timer.active():
                timer.cancel()
        self._timer = self._ping_timer = None

    def _schedule_ping(self) -> None:
        if self._ping_interval > 0:
            self._ping_timer = self._reactor.callLater(self._ping_interval, self._send_ping)

    def _send_ping(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._ping_timer = self._reactor.callLater(self._response_timeout, connection.close)
        asked = connection.call(b"ping", encode_unit(b"<qos/>"))
        asked.addBoth(lambda _: self._ponged(connection))

    def _ponged(self, connection: ClientConnection) -> None:
        if connection is self._connection:
            if self._ping_timer is not None and self._ping_timer.active():
                self._ping_timer.cancel()
            self._schedule_ping()

    async def _receive(self, units: list[Unit]) -> None:
        for unit in units:
            update = Update.of(unit)
            subscription = self._subscriptions.get(update.subscription_id)
            callback = subscription.callback if subscription is not None else None
            callback = callback or self._on_update
            if callback is None:
                log.warn("nobody takes an update of {oid}", oid=update.oid)
                continue
            result = callback(update)
            if isawaitable(result):
                awaited: Awaitable[object] = result
                await awaited

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            if self._on_state is not None:
                self._on_state(state)

    def _sleep(self) -> Deferred[None]:
        self._attempts += 1
        done: Deferred[None] = Deferred()
        self._timer = self._reactor.callLater(self._delay, done.callback, None)
        return done

    def _subscribe_body(self, subscription: _Subscription, wanted: str) -> bytes:
        return encode_unit(write_query_qos(subscription.options.qos(wanted)), write_query_key(subscription.key))

    def _subscription_id(self, key: QueryKey) -> str:
        return f"{SUBSCRIPTION_PREFIX}client/{self.options.user}/session/{self.options.session}-{key.url}"

    def _generate_oid(self) -> str:
        self._generated += 1
        return f"gen:{self.options.user}/{self.options.session}:{self._generated}"


def _passes(error: BrokerError) -> bool:
    """Whether a login that failed so may succeed later: there is no connection, or the broker's store can not work."""
    return error.is_communication or error.is_resource


def _message(oid: str, content: bytes | str, options: PublishOptions) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return encode_unit(write_publish_qos(options.qos()), write_key(options.key(oid)), data)
