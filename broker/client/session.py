"""The Twisted face of the client: a session that comes back by itself (spec xmlblaster §19.1)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.client.address import Addresses
from broker.client.connection import ClientConnection
from broker.client.keepalive import PING, Keepalive
from broker.client.options import (
    DEFAULT_PUBLISH,
    DEFAULT_SUBSCRIBE,
    ConnectOptions,
    PublishOptions,
    SubscribeOptions,
    message_unit,
    query_of,
)
from broker.client.pending import LOST, PendingRequests
from broker.client.request_queue import PUBLISH, Request
from broker.client.subscriptions import Subscription, SubscriptionTable, UpdateCallback, wanted_id
from broker.client.unacknowledged import Unacknowledged, UnacknowledgedError
from broker.client.updates import UpdateTaker
from broker.client.values import QUEUED, Published, State, Subscribed, Update, read_found, read_login
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos
from broker.model.qos import DisconnectQos, QueryQos
from broker.native.codec import (
    write_connect_qos,
    write_disconnect_qos,
    write_query_key,
    write_query_qos,
)
from broker.native.wire.frames import Unit, encode_unit
from broker.timers import cancel

__all__ = ["Client", "State", "UpdateCallback"]

log = Logger()
_chance = random.SystemRandom()

NORMAL = 5
JITTER = 0.2
MAX_FRAME = 64 << 20
"""Bytes of a frame that a broker takes unless it is told otherwise."""
HEADER_SIZE = 64
"""Bytes of a frame beside its body, without user and session."""


class Client:
    """A session at a broker that comes back by itself where the connection is lost.

    What a request's outcome says:

    * An answer of the broker (a :class:`Published` whose info is not ``QUEUED``, for example) says that the broker has
      acknowledged the request. A request that is in flight when the connection is lost is sent again on the next one,
      so a message may be published twice; receivers can tell by their own keys.
    * While there is no connection, publishes, subscribes, unsubscribes by id and erases of one topic are answered
      ``QUEUED`` at once: they wait in the memory of this client and nothing is promised. With ``wait=True`` they are
      answered by the broker only. Other requests fail with ``communication.noConnection.polling``.
    * Any :class:`BrokerError` says that the request was not acknowledged. It is the broker's own exception; or
      ``user.maxSizeExceed`` for a request longer than ``max_frame``, which is not sent; or ``internal.unknown`` where
      the connection ended each time that the request was sent; or why the client has given up or was ended.
    * What a broker that is newer than this client adds is no error: elements and attributes that are not known are
      passed over, states and error codes are text (``Published.state``, ``BrokerError.code``), and a call that is not
      known is refused. An answer that cannot be read at all fails its request with ``internal.unknown``, although the
      broker may have done it.
    * What was answered ``QUEUED`` and was not acknowledged afterwards is kept in :attr:`unacknowledged`.
      :meth:`flush`, :meth:`leave` and :meth:`disconnect` raise it as an :class:`UnacknowledgedError`.

    An update is acknowledged when a callback has taken it. Where there is none, because the program has not subscribed
    yet since it came back to its session, it waits; point-to-point messages that nobody takes are refused. One whose
    callback raises is refused, and becomes a dead message; the others of the same update (``ConnectOptions.burst``) are
    handed out and acknowledged all the same. A callback that raises ``user.update.holdback`` leaves its message and
    those behind it at the broker, which delivers nothing more to the session until its ``dispatcherActive`` is set
    again; after ``communication`` they are delivered again later.

    Args:
        reactor: to connect with.
        host: of the broker.
        port: of the broker.
        options: who connects.
        tls: a context from :func:`twisted.internet.ssl.optionsForClientTLS`, a function of the host, or ``None``.
        compress: the port speaks ``zlib:stream``.
        retries: attempts to connect again, -1 for ever, 0 none.
        delay: seconds between them.
        patience: seconds without a connection after which no attempt is made any more; ``None`` for ever.
        connect_timeout: seconds to wait for a connection.
        others: hosts and ports where the broker may be instead; each attempt begins with where it was last.
        ping_interval: seconds between signs of life, 0 none.
        response_timeout: seconds to wait for the answer to a login, a ping or a question (``get``), and for any answer
            while requests are in flight. The connection of a broker that is silent for longer is aborted and counts as
            lost; a question fails with ``communication.responseTimeout``.
        backlog: requests that may wait for a connection.
        max_frame: bytes of one request that the broker takes.
        on_update: gets updates that no subscription's own callback takes, point-to-point messages among them.
        on_state: told of every change of :attr:`state`.

    Attributes:
        state: of the connection.
        name: absolute name of the session.
        answer: to the last login.
        reconnected: whether the last login found the session that was there before.
        error: why the client is ``DEAD``.
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
        patience: float | None = None,
        connect_timeout: float = 30.0,
        others: Sequence[tuple[str, int]] = (),
        ping_interval: float = 10.0,
        response_timeout: float = 60.0,
        backlog: int = 10_000,
        max_frame: int = MAX_FRAME,
        on_update: UpdateCallback | None = None,
        on_state: Callable[[State], None] | None = None,
    ) -> None:
        self.options = options
        self.state = State.IDLE
        self.name = ""
        self.answer: ConnectQos | None = None
        self.reconnected = False
        self.error: BrokerError | None = None
        self._reactor = reactor
        self._addresses = Addresses(reactor, [(host, port), *others], tls=tls, timeout=connect_timeout)
        self._compress = compress
        self._retries = retries
        self._delay = delay
        self._patience = patience
        self._ping_interval = ping_interval
        self._response_timeout = response_timeout
        self._max_frame = max_frame
        self._on_state = on_state
        self._pending = PendingRequests(backlog, lambda: self.state is State.POLLING)
        self._subscriptions = SubscriptionTable()
        self._updates = UpdateTaker(self._subscriptions, on_update)
        self._connection: ClientConnection | None = None
        self._keepalive: Keepalive | None = None
        self._secret = ""
        self._instance = f"/xmlBlaster/node/client/instanceId/{time.time_ns()}"
        self._attempts = 0
        self._away_since = 0.0
        self._generated = time.time_ns()
        self._leaving = False
        self._connecting = False
        self._logging_in: ClientConnection | None = None
        self._sleeping: Deferred[None] | None = None
        self._timer: Any = None

    @property
    def unacknowledged(self) -> list[Unacknowledged]:
        """What was answered ``QUEUED`` and is not acknowledged by the broker.

        That is what still waits, and what was refused or given up until :meth:`flush`, :meth:`leave` or
        :meth:`disconnect` has raised it.
        """
        return self._pending.queued()

    async def connect(self, *, wait: bool = False) -> ConnectQos:
        """Log in; also again, after the client has left, has disconnected or has given up.

        Args:
            wait: go on trying where the broker cannot be reached, instead of failing.

        Raises:
            BrokerError: ``communication.noConnection`` where it cannot be reached, ``communication.responseTimeout``
                where it does not answer; the broker's own exception where it refuses the login;
                ``user.connect.multiple`` where the client is connected or is coming back by itself;
                ``user.notConnected`` where the program leaves meanwhile.
        """
        if self._connecting or self.state in (State.ALIVE, State.POLLING):
            reason = f"the client need not be connected, it is {self.state.value}"
            raise BrokerError(Code.USER_CONNECT_MULTIPLE, reason)
        self._leaving = False
        self._connecting = True
        self._attempts = 0
        self._away_since = self._reactor.seconds()
        try:
            while True:
                try:
                    return await self._connect()
                except BrokerError as error:
                    if self._leaving:
                        raise _disconnected() from error
                    if not wait or not _passes(error) or not self._may_try():
                        if self.state is not State.IDLE:
                            self._die(error)
                        raise
                    self._become(State.POLLING)
                    await self._sleep()
        finally:
            self._connecting = False

    async def subscribe(
        self,
        oid: str = "",
        *,
        xpath: str = "",
        domain: str = "",
        callback: UpdateCallback | None = None,
        options: SubscribeOptions = DEFAULT_SUBSCRIBE,
        wait: bool = False,
    ) -> Subscribed:
        """Subscribe to a topic, or to all that match a query.

        Args:
            oid: the topic.
            xpath: query over the keys of topics.
            domain: of topics.
            callback: gets its updates; without one ``on_update`` does.
            options: what is delivered.
            wait: for the broker's answer, also while there is no connection.

        Raises:
            BrokerError: see :class:`Client`. A subscription that was there before stays as it was.
        """
        subscription = Subscription(query_of(oid, xpath, domain), options, callback)
        wanted = wanted_id(self.options, subscription)

        def settled(units: list[Unit] | None) -> None:
            if units is None:
                self._subscriptions.refuse(subscription)
            else:
                self._subscriptions.confirm(subscription, Subscribed.of(_first(units).qos).id)

        request = Request(b"subscribe", self._subscribe_body(subscription), NORMAL)
        request.settled = settled
        self._subscriptions.ask(subscription, wanted)  # an initial update may arrive before the answer
        try:
            units = await self._request(request, wait=wait)
        except BaseException:
            self._subscriptions.refuse(subscription)
            raise
        return Subscribed(wanted, info=QUEUED) if units is None else Subscribed.of(_first(units).qos)

    async def unsubscribe(
        self, oid: str = "", *, xpath: str = "", domain: str = "", subscription_id: str = "", wait: bool = False
    ) -> int:
        """End subscriptions; their callbacks get updates until the broker has answered.

        Args:
            oid: the topic.
            xpath: the query that was subscribed to.
            domain: the domain that was subscribed to.
            subscription_id: of one subscription.
            wait: for the broker's answer, also while there is no connection.

        Returns:
            How many ended (one that waits for a connection counts as one).

        Raises:
            BrokerError: see :class:`Client`. The subscriptions stay as they were.
        """
        key = query_of(oid, xpath, domain, subscription_id)

        def settled(units: list[Unit] | None) -> None:
            if units is not None:
                self._subscriptions.end(key, subscription_id)

        body = encode_unit(write_query_qos(QueryQos()), write_query_key(key))
        request = Request(b"unSubscribe", body, NORMAL)
        request.settled = settled
        units = await self._request(request, may_wait=bool(subscription_id), wait=wait)
        if units is None:
            self._subscriptions.end_later(subscription_id, request)
            return 1
        return len(units)

    async def publish(
        self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH, *, wait: bool = False
    ) -> Published:
        """Publish a message.

        Args:
            oid: the topic; empty lets the broker make one up.
            content: text is sent as UTF-8.
            options: how it is delivered.
            wait: for the broker's answer, also while there is no connection.

        Returns:
            The outcome; with info ``QUEUED`` where the message waits for a connection.

        Raises:
            BrokerError: see :class:`Client`; ``resource.overflow.queue.entries`` where too much waits.
        """
        if not oid and self._connection is None:
            oid = self._generate_oid()
        request = Request(PUBLISH, message_unit(oid, content, options), options.priority)
        units = await self._request(request, wait=wait)
        return Published(oid, info=QUEUED) if units is None else Published.of(_first(units).qos)

    async def publish_many(
        self,
        messages: Iterable[tuple[str, bytes | str]],
        options: PublishOptions = DEFAULT_PUBLISH,
        *,
        wait: bool = False,
    ) -> list[Published]:
        """Publish messages in one request.

        Raises:
            BrokerError: see :meth:`publish`. What comes before a message that the broker refuses is published, and what
                comes behind it is not.
        """
        listed = list(messages)
        body = b"".join(message_unit(oid, content, options) for oid, content in listed)
        if not listed:
            return []
        units = await self._request(Request(PUBLISH, body, options.priority), wait=wait)
        if units is None:
            return [Published(oid, info=QUEUED) for oid, _ in listed]
        return [Published.of(unit.qos) for unit in units]

    def publish_oneway(self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH) -> None:
        """Publish a message without an answer; it is lost where there is no connection.

        Raises:
            BrokerError: ``user.maxSizeExceed`` for a message longer than ``max_frame``.
        """
        body = message_unit(oid, content, options)
        self._check_size(body)
        if self._connection is not None:
            self._connection.send(b"publishOneway", body)

    async def get(
        self,
        oid: str = "",
        *,
        xpath: str = "",
        domain: str = "",
        options: SubscribeOptions = DEFAULT_SUBSCRIBE,
        timeout: float | None = None,
    ) -> list[Update]:
        """Read the newest messages of topics.

        Args:
            oid: the topic.
            xpath: query over the keys of topics.
            domain: of topics.
            options: ``options.history`` says how many of each.
            timeout: seconds to wait for the answer; ``None`` is ``response_timeout``.

        Raises:
            BrokerError: see :class:`Client`; ``communication.responseTimeout`` where there is no answer in time.
        """
        body = encode_unit(write_query_qos(options.qos()), write_query_key(query_of(oid, xpath, domain)))
        units = await self._ask(Request(b"get", body, NORMAL), self._response_timeout if timeout is None else timeout)
        return read_found(units)

    async def erase(
        self, oid: str = "", *, xpath: str = "", domain: str = "", force: bool = False, wait: bool = False
    ) -> list[str]:
        """Erase topics.

        Args:
            oid: the topic.
            xpath: query over the keys of topics.
            domain: of topics.
            force: drop also what queues still hold.
            wait: for the broker's answer, also while there is no connection.

        Returns:
            Their oids; where the request waits for a connection (see :attr:`unacknowledged`), the one that was asked
            for.

        Raises:
            BrokerError: see :class:`Client`.
        """
        body = encode_unit(
            write_query_qos(QueryQos(force_destroy=force)), write_query_key(query_of(oid, xpath, domain))
        )
        units = await self._request(Request(b"erase", body, 0), may_wait=bool(oid), wait=wait)
        return [oid] if units is None else [Published.of(unit.qos).oid for unit in units]

    async def ping(self) -> str:
        """Ask the broker how it is; returns its state, ``OK`` or the name of its run level."""
        units = await self._ask(Request(b"ping", PING, NORMAL), self._response_timeout)
        return Published.of(_first(units).qos).state if units else "OK"

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until the broker has acknowledged everything, also while there is no connection.

        Args:
            timeout: seconds to wait; ``None`` as long as the client tries to come back.

        Raises:
            UnacknowledgedError: some of what was answered ``QUEUED`` was refused or given up, which is not raised
                again; or it still waits after ``timeout``.
        """
        complete = await self._quiet(timeout)
        lost = self._pending.take_given_up()
        if not complete:
            lost += self._pending.queued()
        if lost:
            raise UnacknowledgedError(lost)

    async def disconnect(self, *, clear_sessions: bool = False, timeout: float | None = None) -> None:
        """End the session at the broker, and the connection.

        Requests in flight get their answers first. Without a connection the session stays at the broker.

        Args:
            clear_sessions: end all sessions of this login name.
            timeout: seconds that the broker has for all answers; ``None`` is ``response_timeout``.

        Raises:
            UnacknowledgedError: what was answered ``QUEUED`` is not acknowledged, and will not be.
            BrokerError: the broker's exception, or ``communication`` where it has not answered.
        """
        patience = self._response_timeout if timeout is None else timeout
        try:
            await self._answers(patience)
            connection = self._connection
            self._leaving = True
            if connection is not None:
                body = encode_unit(write_disconnect_qos(DisconnectQos(clear_sessions=clear_sessions)))
                overdue = self._abort_later(connection, patience)
                try:
                    await connection.call(b"disconnect", body)
                    self._secret = ""
                    self._subscriptions.clear()
                finally:
                    cancel(overdue)
        finally:
            self._end()
            self._raise_given_up()

    async def leave(self, *, timeout: float | None = None) -> None:
        """End the connection only: the broker keeps the session, and queues for it.

        Requests in flight get their answers first. Fires when what was written is sent, the last acknowledgements among
        it; a program may end then.

        Args:
            timeout: seconds that the broker has for all answers, and to take what was written; ``None`` is
                ``response_timeout``.

        Raises:
            UnacknowledgedError: what was answered ``QUEUED`` is not acknowledged, and will not be.
        """
        patience = self._response_timeout if timeout is None else timeout
        try:
            await self._answers(patience)
        finally:
            self._leaving = True
            connection = self._connection
            self._end()
        if connection is not None:
            overdue = self._abort_later(connection, patience)
            await connection.gone()
            cancel(overdue)
        self._raise_given_up()

    async def _answers(self, timeout: float) -> None:
        """Wait for the answers to requests in flight, as long as there is a connection."""
        if self._connection is not None:
            await self._quiet(timeout)

    async def _quiet(self, timeout: float | None) -> bool:
        quiet = self._pending.quiet()
        overdue = None if timeout is None else self._reactor.callLater(timeout, quiet.cancel)
        try:
            await quiet
        except CancelledError:
            return False
        finally:
            cancel(overdue)
        return True

    def _raise_given_up(self) -> None:
        lost = self._pending.take_given_up()
        if lost:
            raise UnacknowledgedError(lost)

    def _abort_later(self, connection: ClientConnection, timeout: float) -> Any:
        reason = f"the broker has not answered for {timeout:g} s"
        error = BrokerError(Code.COMMUNICATION_RESPONSE_TIMEOUT, reason)
        return self._reactor.callLater(timeout, connection.abort, error)

    async def _connect(self) -> ConnectQos:
        body = encode_unit(write_connect_qos(self.options.qos(self._secret, self._instance), redact=False))
        connection = self._logging_in = await self._addresses.open(self._make_connection)
        overdue = self._abort_later(connection, self._response_timeout)
        try:
            units = await connection.call(b"connect", body)
            answer = read_login(_first(units))
        except BrokerError as error:
            connection.abort(error)
            raise
        finally:
            self._logging_in = None
            cancel(overdue)
        self.answer, self.name, self.reconnected = answer, answer.session.name, answer.reconnected
        self._secret = answer.session.secret_id
        connection.secret_id = self._secret.encode()
        self._connection = connection
        self._attempts = 0
        self._keepalive = Keepalive(
            self._reactor, connection, self._pending, self._ping_interval, self._response_timeout
        )
        if not answer.reconnected:
            self._subscriptions.forgotten()
        self._subscribe_again(connection)
        self._become(State.ALIVE)
        if connection is self._connection:  # the program may have left when it was told
            self._pending.connected(connection)
        return answer

    def _make_connection(self) -> ClientConnection:
        def lost(error: BrokerError) -> None:
            self._lost(made, error)

        made = ClientConnection(self.options.user, self._updates.take, lost, compress=self._compress)
        return made

    def _subscribe_again(self, connection: ClientConnection) -> None:
        """Ask for what the broker has forgotten; the connection on which that was asked may have been lost, too."""
        for subscription in self._subscriptions.missing:
            self._subscriptions.ask(subscription, wanted_id(self.options, subscription))
            asked = connection.call(b"subscribe", self._subscribe_body(subscription))
            asked.addCallback(self._subscribed_again, subscription)
            asked.addErrback(self._not_subscribed_again, subscription)

    def _subscribed_again(self, units: list[Unit], subscription: Subscription) -> None:
        self._subscriptions.replace(subscription, Subscribed.of(_first(units).qos).id)

    def _not_subscribed_again(self, failure: Failure, subscription: Subscription) -> None:
        self._subscriptions.refuse(subscription)
        error = failure.value
        if isinstance(error, BrokerError) and error.code in LOST:
            return
        self._subscriptions.give_up(subscription)
        log.warn("the subscription to {what} is lost: {why}", what=subscription.key.url, why=error)

    async def _request(self, request: Request, *, may_wait: bool = True, wait: bool = False) -> list[Unit] | None:
        """Send a request and wait for its answer; ``None`` where it waits for a connection."""
        self._check_size(request.body)
        if self._connection is not None and self.state is State.ALIVE:
            answer: Deferred[list[Unit]] = Deferred(request.abandon)
            request.answer = answer
            self._pending.send(request)
            return await answer
        if self.state is not State.POLLING:
            raise BrokerError(Code.USER_NOT_CONNECTED, f"the client is not connected, but {self.state.value}")
        if not may_wait and not wait:
            raise BrokerError(Code.COMMUNICATION_POLLING, "there is no connection now, and this request cannot wait")
        if wait:
            request.answer = Deferred(request.abandon)
        self._pending.put(request)
        return None if request.answer is None else await request.answer

    async def _ask(self, request: Request, timeout: float) -> list[Unit]:
        """Ask a question, which has to be answered in time."""

        def expire() -> None:
            answer, request.abandoned = request.answer, True
            if answer is not None:
                reason = f"the broker has not answered for {timeout:g} s"
                answer.errback(BrokerError(Code.COMMUNICATION_RESPONSE_TIMEOUT, reason))

        overdue = self._reactor.callLater(timeout, expire)
        try:
            return await self._request(request, may_wait=False) or []
        finally:
            cancel(overdue)

    def _check_size(self, body: bytes) -> None:
        size = len(body) + HEADER_SIZE + len(self._secret) + len(self.options.user)
        if size > self._max_frame:
            reason = f"the request has {size} bytes, and the broker takes {self._max_frame} (max_frame)"
            raise BrokerError(Code.USER_MAX_SIZE_EXCEED, reason)

    def _lost(self, connection: ClientConnection, error: BrokerError) -> None:
        if connection is not self._connection:
            return
        self._forget_connection()
        if self._leaving:
            return
        self._away_since = self._reactor.seconds()
        if not self._may_try():
            self._die(error)
            return
        self._become(State.POLLING)
        self._schedule_retry()

    def _forget_connection(self) -> None:
        self._connection = None
        self._pending.disconnected()
        self._subscriptions.connection_lost()
        if self._keepalive is not None:
            self._keepalive.stop()
            self._keepalive = None

    def _may_try(self) -> bool:
        if self._patience is not None and self._reactor.seconds() - self._away_since >= self._patience:
            return False
        return self._retries < 0 or self._attempts < self._retries

    def _schedule_retry(self) -> None:
        if self._leaving:
            return
        self._attempts += 1
        pause = self._delay * (1 + _chance.uniform(-JITTER, JITTER))
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
            log.failure("the client cannot connect", failure)
            error = BrokerError(Code.INTERNAL_UNKNOWN, failure.getErrorMessage())
        self._die(error)

    def _die(self, error: BrokerError) -> None:
        self.error = error
        self._become(State.DEAD)
        self._pending.give_up(error)

    def _end(self) -> None:
        """Nothing goes on: no connection, no attempt, no request."""
        error = _disconnected()
        cancel(self._timer)
        self._timer = None
        connection = self._connection
        self._forget_connection()
        self._die(error)
        if connection is not None:
            connection.close()
        if self._sleeping is not None:
            self._sleeping.errback(error)
        self._addresses.cancel()
        if self._logging_in is not None:
            self._logging_in.abort(error)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            try:
                if self._on_state is not None:
                    self._on_state(state)
            except Exception:  # noqa: BLE001 - of the program; the client goes on coming back
                log.failure("the program failed when it was told that the client is {state}", state=state.value)

    async def _sleep(self) -> None:
        self._attempts += 1
        self._sleeping = Deferred()
        timer = self._reactor.callLater(self._delay, self._sleeping.callback, None)
        try:
            await self._sleeping
        finally:
            self._sleeping = None
            cancel(timer)

    def _subscribe_body(self, subscription: Subscription) -> bytes:
        wanted = wanted_id(self.options, subscription)
        return encode_unit(write_query_qos(subscription.options.qos(wanted)), write_query_key(subscription.key))

    def _generate_oid(self) -> str:
        self._generated += 1
        return f"gen:{self.options.user}/{self.options.session}:{self._generated}"


def _first(units: list[Unit]) -> Unit:
    if not units:
        raise BrokerError(Code.INTERNAL_UNKNOWN, "the broker's answer is empty")
    return units[0]


def _disconnected() -> BrokerError:
    return BrokerError(Code.USER_NOT_CONNECTED, "the client has disconnected")


def _passes(error: BrokerError) -> bool:
    """Whether a login that failed so may succeed later: there is no connection, or the broker's store cannot work."""
    return error.is_communication or error.is_resource
