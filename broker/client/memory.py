"""A broker in memory with the interface of :class:`broker.client.Client`, for the tests of programs that use it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import replace
from inspect import isawaitable

from twisted.logger import Logger

from broker.client.options import (
    DEFAULT_PUBLISH,
    DEFAULT_SUBSCRIBE,
    ConnectOptions,
    PublishOptions,
    SubscribeOptions,
    query_of,
)
from broker.client.session import State, UpdateCallback
from broker.client.unacknowledged import Unacknowledged
from broker.client.values import Published, Subscribed, Update
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos, SessionQos
from broker.model.key import PTP_SUBSCRIPTION, SUBSCRIPTION_PREFIX, Key, QueryKey, QueryKind
from broker.model.qos import STATE_ERASED, PublishQos, UpdateQos
from broker.xml.document import topic_document
from broker.xml.xpath import compile_query

log = Logger()

NODE = "memory"


class _Topic:
    def __init__(self, key: Key) -> None:
        self.key = key
        self.history: list[tuple[bytes, PublishQos, int]] = []


class _Subscription:
    def __init__(self, id: str, client: MemoryClient, key: QueryKey, options: SubscribeOptions) -> None:
        self.id = id
        self.client = client
        self.key = key
        self.options = options
        self.callback: UpdateCallback | None = None


class MemoryBroker:
    """Topics with a history of ten, subscriptions by oid, XPath and domain, point-to-point; no filters and no limits.

    Messages are delivered before the publish returns, in order. One whose callback raises is dropped, and the log
    says so.
    """

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._subscriptions: dict[str, _Subscription] = {}
        self._clients: dict[str, MemoryClient] = {}
        self._waiting: dict[str, list[Update]] = {}
        self._last = 0

    def client(self, options: ConnectOptions, on_update: UpdateCallback | None = None) -> MemoryClient:
        """A client of this broker; it still has to connect."""
        return MemoryClient(self, options, on_update)

    def _next(self) -> int:
        self._last += 1
        return self._last

    async def _publish(self, sender: MemoryClient, oid: str, content: bytes, options: PublishOptions) -> Published:
        oid = oid or f"{NODE}-{self._next()}"
        qos = replace(options.qos(), sender=sender.name)
        number = self._next()
        for receiver in options.to:
            await self._send(receiver, Key(oid, options.mime), content, qos, number, force=options.force)
        if options.subscribable:
            topic = self._topics.setdefault(oid, _Topic(options.key(oid)))
            if options.life_time != 0:
                topic.history = [*topic.history, (content, qos, number)][-10:]
            for subscription in list(self._subscriptions.values()):
                local = subscription.options.local or subscription.client is not sender
                if local and _selects(subscription.key, topic.key):
                    await subscription.client._deliver(
                        subscription, _update(topic.key, content, qos, number, subscription)
                    )
        return Published(oid, number)

    async def _send(self, name: str, key: Key, content: bytes, qos: PublishQos, number: int, *, force: bool) -> None:
        update = Update(key.oid, content, key, UpdateQos(qos, PTP_SUBSCRIPTION, number))
        found = [client for known, client in self._clients.items() if known == name or known.partition("/")[0] == name]
        for client in found:
            await client._deliver(None, update)
        if not found and not force:
            raise BrokerError(Code.USER_PTP_UNKNOWN_DESTINATION, f"nobody named '{name}' is logged in")
        if not found:
            self._waiting.setdefault(name, []).append(update)


class MemoryClient:
    """A session at a :class:`MemoryBroker`; methods as of :class:`broker.client.Client`."""

    def __init__(self, broker: MemoryBroker, options: ConnectOptions, on_update: UpdateCallback | None) -> None:
        self.options = options
        self.state = State.IDLE
        self._broker = broker
        self._on_update = on_update
        self._number = options.session or -broker._next()

    @property
    def name(self) -> str:
        """Absolute name of the session."""
        return f"/node/{NODE}/client/{self._short}"

    @property
    def _short(self) -> str:
        return f"{self.options.user}/{self._number}"

    @property
    def unacknowledged(self) -> list[Unacknowledged]:
        """Always empty: everything is answered at once."""
        return []

    async def connect(self, *, wait: bool = False) -> ConnectQos:
        """Log in; any password will do."""
        if self.state is State.ALIVE:
            raise BrokerError(Code.USER_CONNECT_MULTIPLE, "the client need not be connected, it is ALIVE")
        reconnected = self._short in self._broker._clients
        self._broker._clients[self._short] = self
        self.state = State.ALIVE
        for name in (self._short, self.options.user):
            for update in self._broker._waiting.pop(name, []):
                await self._deliver(None, update)
        return ConnectQos(session=SessionQos(name=self.name), reconnected=reconnected)

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
        """Subscribe."""
        self._check_alive()
        key = query_of(oid, xpath, domain)
        subscription = _Subscription(f"{SUBSCRIPTION_PREFIX}{self._broker._next()}", self, key, options)
        subscription.callback = callback
        self._broker._subscriptions[subscription.id] = subscription
        count = 1 if options.history is None else options.history
        for topic in list(self._broker._topics.values()):
            if count and _selects(key, topic.key):
                for content, qos, number in topic.history[-count:] if count > 0 else topic.history:
                    await self._deliver(subscription, _update(topic.key, content, qos, number, subscription))
        return Subscribed(subscription.id)

    async def unsubscribe(
        self, oid: str = "", *, xpath: str = "", domain: str = "", subscription_id: str = "", wait: bool = False
    ) -> int:
        """End subscriptions."""
        key = query_of(oid, xpath, domain, subscription_id)
        known = self._broker._subscriptions
        ended = [
            each.id
            for each in known.values()
            if each.client is self and (each.id == subscription_id or each.key == key)
        ]
        for id in ended:
            del known[id]
        return len(ended)

    async def publish(
        self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH, *, wait: bool = False
    ) -> Published:
        """Publish a message."""
        self._check_alive()
        data = content.encode() if isinstance(content, str) else content
        return await self._broker._publish(self, oid, data, options)

    async def publish_many(
        self,
        messages: Iterable[tuple[str, bytes | str]],
        options: PublishOptions = DEFAULT_PUBLISH,
        *,
        wait: bool = False,
    ) -> list[Published]:
        """Publish messages."""
        return [await self.publish(oid, content, options) for oid, content in messages]

    async def get(
        self,
        oid: str = "",
        *,
        xpath: str = "",
        domain: str = "",
        options: SubscribeOptions = DEFAULT_SUBSCRIBE,
        timeout: float | None = None,
    ) -> list[Update]:
        """Read the newest messages of topics."""
        self._check_alive()
        key = query_of(oid, xpath, domain)
        count = 1 if options.history is None else options.history
        found: list[Update] = []
        for topic in self._broker._topics.values():
            if _selects(key, topic.key):
                newest = list(reversed(topic.history))
                found += [
                    Update(topic.key.oid, content, topic.key, UpdateQos(qos, received=number))
                    for content, qos, number in (newest if count < 0 else newest[:count])
                ]
        return found

    async def erase(
        self, oid: str = "", *, xpath: str = "", domain: str = "", force: bool = False, wait: bool = False
    ) -> list[str]:
        """Erase topics; subscribers are told."""
        self._check_alive()
        key = query_of(oid, xpath, domain)
        erased = [topic.key for topic in self._broker._topics.values() if _selects(key, topic.key)]
        for each in erased:
            del self._broker._topics[each.oid]
            qos = PublishQos(state=STATE_ERASED, sender=self.name)
            for subscription in list(self._broker._subscriptions.values()):
                if _selects(subscription.key, each):
                    if subscription.key.kind is QueryKind.EXACT:
                        del self._broker._subscriptions[subscription.id]
                    update = _update(each, b"", qos, self._broker._next(), subscription)
                    await subscription.client._deliver(subscription, update)
        return [each.oid for each in erased]

    async def ping(self) -> str:
        """Always ``OK``."""
        self._check_alive()
        return "OK"

    async def flush(self, timeout: float | None = None) -> None:
        """Nothing waits."""

    async def leave(self, *, timeout: float | None = None) -> None:
        """End the connection; the double keeps nothing for a client that is away."""
        await self.disconnect()

    async def disconnect(self, *, clear_sessions: bool = False, timeout: float | None = None) -> None:
        """End the session."""
        known = self._broker._subscriptions
        for subscription in [each for each in known.values() if each.client is self]:
            del known[subscription.id]
        self._broker._clients.pop(self._short, None)
        self.state = State.DEAD

    async def _deliver(self, subscription: _Subscription | None, update: Update) -> None:
        callback = (subscription.callback if subscription is not None else None) or self._on_update
        if callback is None:
            return
        try:
            result = callback(update)
            if isawaitable(result):
                awaited: Awaitable[object] = result
                await awaited
        except Exception:  # noqa: BLE001 - of the receiving program, and the publisher must not feel it
            log.failure("an update was not taken")

    def _check_alive(self) -> None:
        if self.state is not State.ALIVE:
            raise BrokerError(Code.USER_NOT_CONNECTED, f"the client is not connected, but {self.state.value}")


def _selects(query: QueryKey, key: Key) -> bool:
    match query.kind:
        case QueryKind.EXACT:
            return query.oid == key.oid
        case QueryKind.DOMAIN:
            return query.domain == key.domain
        case QueryKind.XPATH:
            return compile_query(query.text).matches(topic_document(key))
    return False


def _update(key: Key, content: bytes, qos: PublishQos, number: int, subscription: _Subscription) -> Update:
    wanted = content if subscription.options.content else b""
    return Update(key.oid, wanted, key, UpdateQos(qos, subscription.id, number))
