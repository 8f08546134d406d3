"""Subscribe, unSubscribe, get and erase (spec xmlblaster §2.4–§2.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from broker.core.message import Envelope, Message
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic, TopicState
from broker.errors import BrokerError, Code
from broker.filters import compile_filters
from broker.model.key import SUBSCRIPTION_PREFIX, Key, QueryKey, QueryKind
from broker.model.property import ClientProperty, check_properties, is_set, property_of
from broker.model.qos import STATE_ERASED, STATE_OK, STATE_WARNING, Destination, PublishQos, QueryQos
from broker.model.records import INITIAL, SubscriptionRecord
from broker.native.codec import read_query_key, read_query_qos, write_key, write_publish_qos
from broker.store.limits import MAX_KEY_BYTES
from broker.xml import TopicQuery, compile_query
from broker.xml.xpath import MAX_STEPS

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.registry import SessionRegistry

MOST_STEPS = 5 * MAX_STEPS
"""Elementary steps that an XPath query may take on all topics together, about a second at worst."""
BOUNCE_PREFIX = "_bounce:"
ERASED_VERSION = "1.0"
"""``contentMimeExtended`` of an ERASED event where the topic has none (§24 fact 10)."""


class Subscribed(NamedTuple):
    """The outcome of a subscribe: the subscription's id, state, and the properties that are bounced."""

    id: str
    state: str
    properties: tuple[ClientProperty, ...]


class Querying:
    """Requests that select topics by a query key.

    Args:
        node: shared state.
        sessions: to make sessions persistent.
        authorizer: an :class:`broker.ports.IAuthorizer`.
    """

    def __init__(self, node: Node, sessions: SessionRegistry, authorizer: object) -> None:
        self._node = node
        self._sessions = sessions
        self._authorizer = authorizer
        sessions.drop_subscription = self.drop

    async def subscribe(self, session: Session, key_xml: bytes, qos_xml: bytes) -> Subscribed:
        """Subscribe a session (spec §2.4).

        Args:
            session: the subscriber.
            key_xml: the query as it came.
            qos_xml: the options as they came.

        Raises:
            BrokerError: see spec §2.4. Nothing changed then.
        """
        key = read_query_key(key_xml)
        qos = read_query_qos(qos_xml)
        check_properties(qos.properties)
        if key.kind is QueryKind.SUBSCRIPTION or (key.kind is QueryKind.EXACT and not key.oid):
            raise BrokerError(Code.USER_OID_UNKNOWN, "a subscription needs an oid or a query")
        self._permit(session, "subscribe", key)
        if not session.can_receive:
            raise BrokerError(
                Code.USER_SUBSCRIBE_NO_CALLBACK,
                f"{session.name.relative} has no callback address, so it can not subscribe",
                session.name.absolute,
            )
        bounced = tuple(each for each in qos.properties if each.name.startswith(BOUNCE_PREFIX))
        accepts = compile_filters(key.filters + qos.filters)
        session.counters.subscribe += 1
        if not qos.multi_subscribe:
            duplicate = self._duplicate(session, key, qos)
            if duplicate is not None:
                duplicate.accepts = accepts
                if key.kind is QueryKind.EXACT and qos.initial_update:
                    await self._initial_updates(duplicate, qos)
                return Subscribed(duplicate.id, STATE_WARNING, bounced)
        query = _query_of(key)
        if query is not None:
            self._check_cost(query)
            self._node.interest.check(session.subject, key.text, query)
        subscription = self._make(session, key, qos, accepts, query)
        if qos.persistent:
            self._keep(subscription, key_xml, qos_xml)
        self._register(subscription)
        if qos.initial_update:
            await self._initial_updates(subscription, qos)
        return Subscribed(subscription.id, STATE_OK, bounced)

    def recover(self, record: SubscriptionRecord, session: Session) -> None:
        """Stand up a subscription that was in the store, without initial update (spec §7).

        Raises:
            BrokerError: it cannot be read, or there are too many topics.
        """
        key = read_query_key(record.key)
        qos = read_query_qos(record.qos)
        accepts = compile_filters(key.filters + qos.filters)
        subscription = Subscription(record.id, session, key, qos, accepts, record.created, _query_of(key))
        try:
            self._register(subscription)
        except Exception:
            self.drop(subscription)  # nothing of it is left; its record, which is none of this object, stays
            raise
        subscription.persistent = True
        self._node.stored_subscriptions += 1

    def unsubscribe(self, session: Session, key_xml: bytes) -> list[str]:
        """End subscriptions of a session (spec §2.5).

        Returns:
            The ids of those that ended; none is no error.

        Raises:
            BrokerError: ``user.oid.unknown`` where the key selects nothing.
        """
        key = read_query_key(key_xml)
        if key.kind is QueryKind.EXACT and not key.oid:
            raise BrokerError(Code.USER_OID_UNKNOWN, "unSubscribe needs an oid, a subscription id or a query")
        self._permit(session, "unSubscribe", key)
        session.counters.unsubscribe += 1
        if key.kind is QueryKind.SUBSCRIPTION:
            found = session.subscriptions.get(key.oid)
            ended = [found] if found is not None else []
        else:
            ended = [each for each in session.subscriptions.values() if _same_query(each.key, key)]
        for subscription in ended:
            self.drop(subscription)
        return [subscription.id for subscription in ended]

    def drop(self, subscription: Subscription) -> None:
        """End a subscription; what it queued is still delivered."""
        node = self._node
        subscription.session.subscriptions.pop(subscription.id, None)
        node.subscriptions.pop(subscription.id, None)
        if subscription.is_rule:
            node.interest.remove(subscription)
        if subscription.persistent:
            subscription.persistent = False
            node.stored_subscriptions -= 1
            node.store.delete_subscription(subscription.id)
        for topic in list(subscription.topics):
            topic.unsubscribe(subscription)
            node.check_topic(topic)

    async def get(self, session: Session, key_xml: bytes, qos_xml: bytes) -> list[tuple[Message, bool]]:
        """The newest messages of the topics that a query selects (spec §2.6).

        Args:
            session: who asks.
            key_xml: the query as it came.
            qos_xml: the options as they came.

        Returns:
            Messages, each with whether its content is wanted. Nothing found is no error.

        Raises:
            BrokerError: see spec §2.6; an unknown filter is ``resource.configuration.pluginFailed``.
        """
        key = read_query_key(key_xml)
        qos = read_query_qos(qos_xml)
        check_properties(qos.properties)
        if key.kind is QueryKind.SUBSCRIPTION or (key.kind is QueryKind.EXACT and not key.oid):
            raise BrokerError(Code.USER_OID_UNKNOWN, "get needs an oid or a query")
        self._permit(session, "get", key)
        session.counters.get += 1
        accepts = compile_filters(key.filters + qos.filters)
        count = self._node.settings.history_entries if qos.history_entries is None else qos.history_entries
        found: list[tuple[Message, bool]] = []
        for topic in self._selected(key):
            messages = await self._latest(topic, count if accepts is None else -1)
            if accepts is not None:
                messages = [message for message in messages if accepts(message)]
                messages = messages if count < 0 else messages[:count]
            if not qos.newest_first:
                messages.reverse()
            found += [(message, qos.content) for message in messages]
        return found

    def erase(self, session: Session, key_xml: bytes, qos_xml: bytes) -> list[str]:
        """Erase the topics that a query selects, or only their histories (spec §2.7).

        Returns:
            The oids of the topics; none is no error.

        Raises:
            BrokerError: see spec §2.7.
        """
        key = read_query_key(key_xml)
        qos = read_query_qos(qos_xml)
        check_properties(qos.properties)
        if key.kind is QueryKind.SUBSCRIPTION or (key.kind is QueryKind.EXACT and not key.oid):
            raise BrokerError(Code.USER_OID_UNKNOWN, "erase needs an oid or a query")
        self._permit(session, "erase", key)
        if qos.history_entries is not None and qos.history_entries != -1:
            raise BrokerError(
                Code.INTERNAL_NOT_IMPLEMENTED, "erase takes <history numEntries='-1'/> only: the whole history"
            )
        session.counters.erase += 1
        topics = self._selected(key)
        for topic in topics:
            if qos.history_entries == -1:
                topic.history.clear()
                self._node.check_topic(topic)
            else:
                self._erase(topic, session, key_xml, qos_xml, force=qos.force_destroy)
        return [topic.oid for topic in topics]

    def erase_topic(self, topic: Topic, eraser: Session) -> None:
        """Erase a topic that is known already."""
        self._erase(topic, eraser, write_key(Key(topic.oid)), b"<qos/>", force=False)

    def _permit(self, session: Session, method: str, key: QueryKey) -> None:
        if not self._authorizer.permits(session.name.subject, method, key.url):  # type: ignore[attr-defined]
            raise BrokerError(Code.USER_NOT_AUTHORIZED, f"{session.name.subject} may not {method} '{key.url}'", key.url)

    def _selected(self, key: QueryKey) -> list[Topic]:
        topics = self._node.topics
        if key.kind is QueryKind.EXACT:
            topic = topics.get(key.oid)
            found = [topic] if topic is not None else []
        elif key.kind is QueryKind.DOMAIN:
            found = [each for each in topics.values() if each.domain == key.domain]
        else:
            query = compile_query(key.text)
            self._check_cost(query)
            found = [each for each in topics.values() if each.document is not None and query.matches(each.document)]
        return [topic for topic in found if topic.state in (TopicState.ALIVE, TopicState.UNREFERENCED)]

    def _check_cost(self, query: TopicQuery) -> None:
        """Refuse a query that would keep everybody waiting because there are so many topics."""
        documents = (topic.document for topic in self._node.topics.values())
        if sum(query.steps(document) for document in documents if document is not None) > MOST_STEPS:
            raise BrokerError(
                Code.RESOURCE_EXHAUST, f"the XPath query could take too long on {len(self._node.topics)} topics"
            )

    def _duplicate(self, session: Session, key: QueryKey, qos: QueryQos) -> Subscription | None:
        check_filters = is_set(qos.properties, "__multiSubCheckQos")
        for subscription in session.subscriptions.values():
            same_filters = not check_filters or subscription.qos.filters == qos.filters
            if same_filters and _same_query(subscription.key, key):
                return subscription
        return None

    def _make(
        self,
        session: Session,
        key: QueryKey,
        qos: QueryQos,
        accepts: Callable[[Message], bool] | None,
        query: TopicQuery | None,
    ) -> Subscription:
        if len(session.subscriptions) >= self._node.settings.max_subscriptions:
            raise BrokerError(
                Code.RESOURCE_EXHAUST, f"{session.name.relative} has {len(session.subscriptions)} subscriptions already"
            )
        id = self._subscription_id(session, key, qos)
        known = session.subscriptions.get(id)
        if known is not None:
            self.drop(known)
        elif id in self._node.subscriptions:
            raise BrokerError(Code.USER_SUBSCRIBE_ID, f"the subscription id '{id}' belongs to another session", id)
        return Subscription(id, session, key, qos, accepts, self._node.now(), query)

    def _subscription_id(self, session: Session, key: QueryKey, qos: QueryQos) -> str:
        wanted = qos.subscription_id
        if len(wanted.encode()) > MAX_KEY_BYTES:
            raise BrokerError(Code.USER_SUBSCRIBE_ID, f"a subscription id has at most {MAX_KEY_BYTES} bytes")
        if not wanted:
            mark = "XPATH" if key.kind is QueryKind.XPATH else ""
            return f"{SUBSCRIPTION_PREFIX}{mark}{self._node.ids.next()}"
        name = session.name
        allowed = (f"{name.marked}-", f"{name.relative}-", f"{name.subject}-")
        if not wanted.startswith(SUBSCRIPTION_PREFIX) or not wanted[len(SUBSCRIPTION_PREFIX) :].startswith(allowed):
            raise BrokerError(
                Code.USER_SUBSCRIBE_ID,
                f"a subscription id of this session begins with '{SUBSCRIPTION_PREFIX}{allowed[0]}'",
                wanted,
            )
        return wanted

    def _keep(self, subscription: Subscription, key_xml: bytes, qos_xml: bytes) -> None:
        node = self._node
        if node.stored_subscriptions >= node.settings.stored_subscriptions:
            raise BrokerError(
                Code.RESOURCE_OVERFLOW_ENTRIES,
                f"there are {node.stored_subscriptions} persistent subscriptions, the most that "
                "persistence/subscribe/maxEntries allows",
                subscription.id,
            )
        session = subscription.session
        self._sessions.make_persistent(session)
        if not session.persistent:  # it lacks the requisites: the answer to its connect or the log said so
            return
        subscription.persistent = True
        node.stored_subscriptions += 1
        node.store.put_subscription(
            SubscriptionRecord(subscription.id, session.id, key_xml, qos_xml, subscription.created)
        )

    def _register(self, subscription: Subscription) -> None:
        node = self._node
        topics: list[Topic] = []
        if subscription.is_rule:
            node.interest.add(subscription)
            topics = [each for each in node.topics.values() if subscription.selects(each)]
        else:
            topics = [node.topic(subscription.key.oid)]
        node.subscriptions[subscription.id] = subscription
        subscription.session.subscriptions[subscription.id] = subscription
        for topic in topics:
            topic.subscribe(subscription)
            node.check_topic(topic)

    async def _initial_updates(self, subscription: Subscription, qos: QueryQos) -> None:
        count = self._node.settings.history_entries if qos.history_entries is None else qos.history_entries
        if count == 0:
            return
        session = subscription.session
        for topic in list(subscription.topics):
            if not len(topic.history):
                continue
            messages = await self._latest(topic, count)
            if self._node.subscriptions.get(subscription.id) is not subscription:  # it ended meanwhile
                return
            if not qos.newest_first:
                messages.reverse()
            for message in messages:
                if subscription.accepts is not None and not subscription.accepts(message):
                    continue
                durable = message.envelope.persistent and session.persistent
                session.queue.put(message, subscription.id, subscription.flags | INITIAL, durable)
            session.dispatch.wake()

    async def _latest(self, topic: Topic, count: int) -> list[Message]:
        """The newest messages of a topic, newest first, without those that have expired and are not dropped yet."""
        messages = await topic.history.latest(count)
        now = self._node.now()
        return [message for message in messages if not message.expires or message.expires > now]

    def _erase(self, topic: Topic, session: Session, key_xml: bytes, qos_xml: bytes, *, force: bool) -> None:
        node = self._node
        receivers = [each for each in topic.subscriptions.values() if each.notify]
        if force:
            node.forget_messages(topic.oid)
        known = topic.key or Key(topic.oid)
        key = replace(known, meta=b"", mime_extended=known.mime_extended or ERASED_VERSION)
        for subscription in [each for each in topic.subscriptions.values() if not each.is_rule]:
            self.drop(subscription)  # invalid from now on; those with a query match again when the topic comes back
        node.remove_topic(topic)
        for subscription in receivers:
            self._announce_erasure(topic, key, subscription, session, key_xml, qos_xml)

    def _announce_erasure(
        self, topic: Topic, key: Key, subscription: Subscription, eraser: Session, key_xml: bytes, qos_xml: bytes
    ) -> None:
        receiver = subscription.session
        qos = PublishQos(
            state=STATE_ERASED,
            life_time=0,
            sender=eraser.name.absolute,
            destinations=(Destination(receiver.name.absolute),),
            properties=(
                _as_base64("__eraseQos", qos_xml),
                _as_base64("__eraseKey", key_xml),
            ),
        )
        envelope = Envelope(key, qos, write_key(key), write_publish_qos(qos))
        content = f"{self._node.id}/topic/{topic.oid}".encode()
        message = self._node.message(envelope, content)
        message.expires = self._node.now()  # told as expired, and delivered all the same (§24 fact 10)
        receiver.queue.put(message, subscription.id)
        receiver.dispatch.wake()


def _query_of(key: QueryKey) -> TopicQuery | None:
    return compile_query(key.text) if key.kind is QueryKind.XPATH else None


def _same_query(one: QueryKey, other: QueryKey) -> bool:
    return (one.kind, one.oid, one.text, one.domain) == (other.kind, other.oid, other.text, other.domain)


def _as_base64(name: str, value: bytes) -> ClientProperty:
    return replace(property_of(name, value), type="")
