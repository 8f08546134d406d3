"""Subscribe, unSubscribe, get and erase (spec xmlblaster §2.4–§2.7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from twisted.logger import Logger

from broker.core.codec import Encoded, TopicQuery
from broker.core.entries import ENTRY_OVERHEAD
from broker.core.events import Value
from broker.core.history import EVERYTHING
from broker.core.matches import Matches
from broker.core.message import Message
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.core.topic_search import TopicSearch
from broker.core.topics import Topic
from broker.errors import BrokerError, Code
from broker.logs.limit import NamedLogLimits, lines
from broker.model.address import SessionName
from broker.model.key import SUBSCRIPTION_PREFIX, Key, QueryKey, QueryKind
from broker.model.property import ClientProperty, check_properties, is_set, property_of
from broker.model.qos import STATE_ERASED, STATE_OK, STATE_WARNING, Destination, PublishQos, QueryQos
from broker.model.records import INITIAL, NEWEST_ONLY, SubscriptionRecord
from broker.model.shorten import shorten
from broker.store.limits import MAX_KEY_BYTES

if TYPE_CHECKING:
    from broker.core.erasure import Erasure
    from broker.core.expiry import Expiry
    from broker.core.items import Items
    from broker.core.node import Node
    from broker.core.pace import Pace
    from broker.core.registry import SessionRegistry
    from broker.core.rights import Rights
    from broker.filters.candidate import Predicate

log = Logger()

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
        expiry: drops what has expired on disk.
        erasure: of what waits in queues.
        items: of the topics.
        rights: decides who may.
    """

    def __init__(
        self, node: Node, sessions: SessionRegistry, expiry: Expiry, erasure: Erasure, items: Items, rights: Rights
    ) -> None:
        self._node = node
        self._search = TopicSearch(node)
        self._matches = Matches(node)
        self._expiry = expiry
        self._erasure = erasure
        self._sessions = sessions
        self._items = items
        self._rights = rights
        self._cut = NamedLogLimits(node.monotonic, lines(log.info), "initial updates that were cut short")
        sessions.drop_subscription = self.drop

    async def subscribe(
        self, session: Session, key: QueryKey, qos: QueryQos, encoded: Encoded | None = None
    ) -> Subscribed:
        """Subscribe a session (spec §2.4).

        Args:
            session: the subscriber.
            key: the query.
            qos: the options.
            encoded: both as the codec writes them, where the client gave them so.

        Raises:
            BrokerError: see spec §2.4. Nothing changed then.
        """
        check_properties(qos.properties)
        if key.kind is QueryKind.SUBSCRIPTION or (key.kind is QueryKind.EXACT and not key.oid):
            raise BrokerError(Code.USER_OID_UNKNOWN, "a subscription needs an oid or a query")
        self._permit(session, "subscribe", key)
        if not session.can_receive:
            raise BrokerError(
                Code.USER_SUBSCRIBE_NO_CALLBACK,
                f"{session.name.relative} has no callback address, so it cannot subscribe",
                session.name.absolute,
            )
        bounced = tuple(each for each in qos.properties if each.name.startswith(BOUNCE_PREFIX))
        accepts = self._node.queries.filters(key.filters + qos.filters, session.subject.name)
        encoded = encoded or self._encoded(key, qos)
        if not (qos.multi_subscribe and session.qos.duplicate_updates):
            duplicate = self._duplicate(session, key, qos)
            if duplicate is not None:
                await self._renew(duplicate, key, qos, encoded, accepts)
                session.counters.subscribe += 1
                return Subscribed(duplicate.id, STATE_OK if qos.multi_subscribe else STATE_WARNING, bounced)
        query = self._search.query_of(key, session.subject.name)
        if query is not None:
            self._node.interest.check(session.subject, key.text, query)
        id = self._subscription_id(session, key, qos)
        if qos.persistent:
            self._check_keep(session, id)
        subscription = self._make(session, id, key, qos, accepts, query)
        # From here on it selects what is published; that is held until the initial update is queued.
        subscription.held = []
        topic = None if subscription.is_rule else self._node.topic(key.oid)
        self._enter(subscription)
        try:
            pace = self._node.pace(session)
            if topic is None:
                await self._matches.join(subscription, await self._search.matching(key, query, pace), pace)
            else:
                self._join(subscription, topic)
            initial = await self._initial(subscription, accepts, qos, pace) if qos.initial_update else []
            if self._is_registered(subscription):
                if qos.persistent:
                    self._check_keep(session, id)
                self._replace(subscription, id)
                if qos.persistent:
                    self._keep(subscription, encoded)
        except Exception:
            self.drop(subscription)
            raise
        if self._is_registered(subscription):  # else it has ended meanwhile
            self._queue(subscription, initial, INITIAL)
            held, subscription.held = subscription.held, None
            self._queue(subscription, held, 0)
        session.counters.subscribe += 1
        return Subscribed(id, STATE_OK, bounced)

    def check(self, key: QueryKey, qos: QueryQos, account: str) -> None:
        """Refuse what no subscription can be made of.

        Args:
            key: the query.
            qos: the options.
            account: login name that subscribes.

        Raises:
            BrokerError: ``user.query.invalid``, ``resource.exhaust``, ``resource.configuration.pluginFailed``;
                ``user.illegalArgument`` for the id of another subscription, ``user.security.authorization…`` for a
                topic that is for administrators.
        """
        if key.kind is QueryKind.SUBSCRIPTION:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "a subscription subscribes to no subscription")
        if key.kind is QueryKind.EXACT:
            self._rights.check_reach(account, key.oid)
        self._node.queries.filters(key.filters + qos.filters, account)
        self._search.query_of(key, account)

    def recover(self, record: SubscriptionRecord, session: Session) -> None:
        """Stand up a subscription that was in the store, without initial update (spec §7).

        Raises:
            BrokerError: it cannot be read, or there are too many topics.
        """
        key = self._node.codec.read_query_key(record.key)
        if key.kind is QueryKind.EXACT and not self._rights.reaches(session, key.oid):
            self._node.store.delete_subscription(record.id)
            log.warn("{name} may not subscribe to {oid} any more", name=session.name.relative, oid=key.oid)
            return
        qos = self._node.codec.read_query_qos(record.qos)
        accepts = self._node.queries.filters(key.filters + qos.filters, session.subject.name)
        subscription = Subscription(
            record.id, session, key, qos, accepts, record.created, self._search.query_of(key, session.subject.name)
        )
        try:
            self._stand_up(subscription)
        except Exception:
            self.drop(subscription)  # nothing of it is left; its record, which is none of this object, stays
            raise
        subscription.persistent = True
        self._node.stored_subscriptions += 1

    async def unsubscribe(self, session: Session, key: QueryKey) -> list[str]:
        """End subscriptions of a session (spec §2.5).

        Returns:
            The ids of those that ended; none is no error.

        Raises:
            BrokerError: see spec §2.5.
        """
        self._permit(session, "unSubscribe", key)
        session.counters.unsubscribe += 1
        if key.kind is QueryKind.SUBSCRIPTION:
            found = session.subscriptions.get(key.oid)
            ended = [found] if found is not None else []
        else:
            ended = [each for each in session.subscriptions.values() if _same_query(each.key, key)]
        pace = self._node.pace(session)
        for subscription in ended:
            if not subscription.ended:  # while others had their turns
                self.drop(subscription)
            if pace.is_over:
                await pace.next_turn()
        return [subscription.id for subscription in ended]

    def drop(self, subscription: Subscription) -> None:
        """End a subscription; what it queued is still delivered."""
        node = self._node
        self._unregister(subscription)
        if subscription.persistent:
            subscription.persistent = False
            node.stored_subscriptions -= 1
            node.store.delete_subscription(subscription.id)
        subscription.end()
        if not subscription.is_rule:
            for topic in list(subscription.topics):
                topic.unsubscribe(subscription)
                node.check_topic(topic)
        else:
            self._matches.leave(subscription)

    async def get(self, session: Session, key: QueryKey, qos: QueryQos) -> list[tuple[Message, bool]]:
        """The newest messages of the topics that a query selects (spec §2.6).

        Args:
            session: who asks.
            key: the query.
            qos: the options.

        Returns:
            Messages, each with whether its content is wanted. Nothing found is no error.

        Raises:
            BrokerError: see spec §2.6; an unknown filter is ``resource.configuration.pluginFailed``.
        """
        check_properties(qos.properties)
        if key.kind is QueryKind.SUBSCRIPTION:
            raise BrokerError(Code.USER_OID_UNKNOWN, "get needs an oid or a query")
        self._permit(session, "get", key)
        session.counters.get += 1
        accepts = self._node.queries.filters(key.filters + qos.filters, session.subject.name)
        count = self._node.settings.history_entries if qos.history_entries is None else qos.history_entries
        found: list[tuple[Message, bool]] = []
        pace = self._node.pace(session)
        size = 0
        for topic in await self._search.selected(key, pace):
            first = len(found)
            for message in await self._latest(topic, count):
                if accepts is None or accepts(topic.candidate(message)):
                    if qos.content:
                        size += len(message.content)
                        self.check_answer(size)
                    found.append((message, qos.content))
                if pace.is_over:
                    await pace.next_turn()
            if not qos.newest_first:
                found[first:] = reversed(found[first:])
        return found

    def check_answer(self, size: int) -> None:
        """Refuse to answer with more than one request may be answered with.

        Args:
            size: bytes of the contents so far.

        Raises:
            BrokerError: ``resource.exhaust``.
        """
        most = self._node.settings.max_answer_bytes
        if size > most:
            raise BrokerError(
                Code.RESOURCE_EXHAUST,
                f"the contents are more than {most} bytes together: ask for fewer topics, for fewer messages at a "
                "time, or for messages without their contents",
            )

    async def erase(self, session: Session, key: QueryKey, qos: QueryQos, encoded: Encoded | None = None) -> list[str]:
        """Erase the topics that a query selects, or only their histories (spec §2.7).

        Args:
            session: who erases.
            key: the query.
            qos: the options.
            encoded: both as the codec writes them, where the client gave them so; subscribers are told.

        Returns:
            The oids of the topics; none is no error.

        Raises:
            BrokerError: see spec §2.7.
        """
        check_properties(qos.properties)
        if key.kind is QueryKind.SUBSCRIPTION:
            raise BrokerError(Code.USER_OID_UNKNOWN, "erase needs an oid or a query")
        self._permit(session, "erase", key)
        if qos.history_entries is not None and qos.history_entries != -1:
            raise BrokerError(
                Code.INTERNAL_NOT_IMPLEMENTED, "erase takes <history numEntries='-1'/> only: the whole history"
            )
        pace = self._node.pace(session)
        topics = await self._search.selected(key, pace)
        for topic in topics:
            self._rights.check_owner(session, topic)
        session.counters.erase += 1
        request = encoded or self._encoded(key, qos)
        erased: list[str] = []
        for topic in topics:
            if self._node.topics.get(topic.oid) is not topic:
                continue  # it has gone while others had their turns
            if qos.history_entries == -1:
                self._items.clear(session.name, topic)
            else:
                self._erase(topic, session.name, request, force=qos.force_destroy)
            erased.append(topic.oid)
            if pace.is_over:
                await pace.next_turn()
        return erased

    def administer(self, oid: str, *, clear: bool, force: bool = False) -> int:
        """Erase a topic, or empty its history, for somebody whom administration has let in.

        Args:
            oid: of the topic.
            clear: its history only.
            force: destroy also what queues still hold of it.

        Returns:
            How many messages its history had.

        Raises:
            BrokerError: ``user.oid.unknown`` where there is none.
        """
        topic = self._node.topics.get(oid)
        if topic is None:
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no topic {oid[:200]}")
        entries = len(topic.history)
        if clear:
            self._items.clear(self._node.name, topic)
        else:
            request = self._encoded(QueryKey(QueryKind.EXACT, oid), QueryQos(force_destroy=force))
            self._erase(topic, self._node.name, request, force=force)
        return entries

    async def erase_owned(self, owner: str) -> None:
        """Erase the topics of an owner who is no more."""
        pace = self._node.pace_of(owner)
        for topic in [each for each in self._node.topics.values() if each.owner == owner]:
            if self._node.topics.get(topic.oid) is topic:
                request = self._encoded(QueryKey(QueryKind.EXACT, topic.oid), QueryQos())
                self._erase(topic, self._node.name, request, force=False)
            if pace.is_over:
                await pace.next_turn()

    def _encoded(self, key: QueryKey, qos: QueryQos) -> Encoded:
        codec = self._node.codec
        return Encoded(codec.write_query_key(key), codec.write_query_qos(qos))

    def _permit(self, session: Session, method: str, key: QueryKey) -> None:
        self._rights.check(session, method, key.url)

    def _duplicate(self, session: Session, key: QueryKey, qos: QueryQos) -> Subscription | None:
        """The subscription that a session has already and that stands for one more.

        A client that wants no message twice (``duplicateUpdates``) gets the same id only for the same filters: with
        others both select.
        """
        check_filters = qos.multi_subscribe or is_set(qos.properties, "__multiSubCheckQos")
        for subscription in session.subscriptions.values():
            known = subscription.key.filters + subscription.qos.filters
            same_filters = not check_filters or known == key.filters + qos.filters
            same_id = not qos.multi_subscribe or qos.subscription_id in ("", None, subscription.id)
            if same_filters and same_id and _same_query(subscription.key, key):
                return subscription
        return None

    def _make(
        self,
        session: Session,
        id: str,
        key: QueryKey,
        qos: QueryQos,
        accepts: Predicate | None,
        query: TopicQuery | None,
    ) -> Subscription:
        if len(session.subscriptions) >= self._node.settings.max_subscriptions:
            raise BrokerError(
                Code.RESOURCE_EXHAUST, f"{session.name.relative} has {len(session.subscriptions)} subscriptions already"
            )
        session.subject.usage.check_subscriptions()
        if len(self._node.subscriptions) >= self._node.settings.all_subscriptions:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"there are {len(self._node.subscriptions)} subscriptions already")
        if id in session.subscriptions:
            id = f"{id} {self._node.ids.next()}"  # until nothing can refuse it: the one before stays that long
        elif id in self._node.subscriptions:
            raise BrokerError(Code.USER_SUBSCRIBE_ID, f"the subscription id '{id}' belongs to another session", id)
        return Subscription(id, session, key, qos, accepts, self._node.now(), query)

    def _is_registered(self, subscription: Subscription) -> bool:
        return self._node.subscriptions.get(subscription.id) is subscription

    def _replace(self, subscription: Subscription, id: str) -> None:
        """Let a subscription have the id that it was made for, in place of the one that has it now."""
        if subscription.id == id:
            return
        before = subscription.session.subscriptions.get(id)
        if before is not None:
            self.drop(before)
        self._unregister(subscription)
        subscription.id = id
        self._enter(subscription)

    async def _renew(
        self,
        subscription: Subscription,
        key: QueryKey,
        qos: QueryQos,
        encoded: Encoded,
        accepts: Predicate | None,
    ) -> None:
        """A session subscribes again to the same: other filters, and the initial update once more.

        Raises:
            BrokerError: as :meth:`subscribe`. Nothing changed then.
        """
        session = subscription.session
        made_persistent = qos.persistent and not subscription.persistent
        if made_persistent:
            self._check_keep(session, "")
        initial: list[Message] = []
        if key.kind is QueryKind.EXACT and qos.initial_update and subscription.held is None:
            initial = await self._initial(subscription, accepts, qos, self._node.pace(session))
        if not self._is_registered(subscription):
            return
        filters = key.filters, qos.filters
        changed = filters != (subscription.key.filters, subscription.qos.filters)
        if made_persistent and not subscription.persistent:
            self._keep(subscription, encoded)
        elif changed and subscription.persistent:
            kept = replace(subscription.qos, filters=qos.filters)
            self._store(subscription, encoded._replace(qos=self._node.codec.write_query_qos(kept)))
        subscription.accepts = accepts
        subscription.key = replace(subscription.key, filters=key.filters)
        subscription.qos = replace(subscription.qos, filters=qos.filters)
        self._queue(subscription, initial, INITIAL)

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

    def _check_keep(self, session: Session, id: str) -> None:
        """Refuse one persistent subscription more than are allowed.

        Args:
            session: of the subscription.
            id: of the subscription; one that it replaces does not count.
        """
        node = self._node
        replaced = session.subscriptions.get(id)
        stored = node.stored_subscriptions - (1 if replaced is not None and replaced.persistent else 0)
        if stored >= node.settings.stored_subscriptions:
            raise BrokerError(
                Code.RESOURCE_OVERFLOW_ENTRIES,
                f"there are {stored} persistent subscriptions, the most that persistence/subscribe/maxEntries allows",
                id,
            )
        if not session.persistent:
            self._sessions.check_persistable(session.name, session.qos)

    def _keep(self, subscription: Subscription, encoded: Encoded) -> None:
        session = subscription.session
        self._sessions.make_persistent(session)
        if not session.persistent:  # it lacks the requisites: the answer to its connect or the log said so
            return
        subscription.persistent = True
        self._node.stored_subscriptions += 1
        self._store(subscription, encoded)

    def _store(self, subscription: Subscription, encoded: Encoded) -> None:
        record = SubscriptionRecord(subscription.id, subscription.session.id, *encoded, subscription.created)
        self._node.store.put_subscription(record)

    def _stand_up(self, subscription: Subscription) -> None:
        """Register a subscription, at once."""
        if not subscription.is_rule:
            topic = self._node.topic(subscription.key.oid)
            self._enter(subscription)
            self._join(subscription, topic)
            return
        selected = [each for each in self._node.topics.values() if subscription.selects(each)]
        self._enter(subscription)
        for topic in selected:
            topic.subscribe(subscription)

    def _enter(self, subscription: Subscription) -> None:
        """It is there; one with a query selects topics that are made from now on."""
        if subscription.is_rule:
            self._node.interest.add(subscription)
        self._node.subscriptions[subscription.id] = subscription
        subscription.session.subject.usage.subscriptions += 1
        subscription.session.subscriptions[subscription.id] = subscription
        self._tell(subscription, "subscribe")

    def _tell(self, subscription: Subscription, what: str) -> None:
        events, name, key = self._node.events, subscription.session.name, subscription.key
        if events.wanted:
            query = key.oid if not subscription.is_rule else key.domain or key.text
            told: dict[str, Value] = {
                "kind": key.kind.value,
                "query": query[:200],
                "subscriptionId": shorten(subscription.id),
            }
            events.of_session(name.subject, name.public_id, what, **told)
            if not subscription.is_rule:
                events.of_topic(key.oid, what, session=f"{name.subject}/{name.public_id}", **told)

    def _join(self, subscription: Subscription, topic: Topic) -> None:
        """It gets what is published on its topic."""
        topic.subscribe(subscription)
        self._node.check_topic(topic)

    def _unregister(self, subscription: Subscription) -> None:
        node = self._node
        subscription.session.subscriptions.pop(subscription.id, None)
        if node.subscriptions.pop(subscription.id, None) is not None:
            subscription.session.subject.usage.subscriptions -= 1
            self._tell(subscription, "unSubscribe")
        if subscription.is_rule:
            node.interest.remove(subscription)

    async def _initial(
        self, subscription: Subscription, accepts: Predicate | None, qos: QueryQos, pace: Pace
    ) -> list[Message]:
        """What a new subscription gets of its topics' past: the newest messages that its queue has room for.

        Raises:
            BrokerError: a filter cannot read a message.
        """
        count = self._node.settings.history_entries if qos.history_entries is None else qos.history_entries
        if subscription.flags & NEWEST_ONLY and count:
            count = 1
        found: list[Message] = []
        if count == 0:
            return found
        start = self._node.ids.next()  # what is published from now on comes by itself
        queue = subscription.session.queue
        queue.drop_stale()  # what would not be delivered any more takes no room
        if queue.may_hold_stale and (looked := self._expiry.look()) is not None:
            await looked
        entries, size = queue.space
        for topic in list(subscription.topics):
            if not len(topic.history):
                continue
            first = len(found)
            for message in await self._latest(topic, count, start):
                if pace.is_over:
                    await pace.next_turn()
                if accepts is not None and not accepts(topic.candidate(message)):
                    continue
                if entries <= 0 or size <= 0:
                    self._tell_cut(subscription)
                    break
                entries -= 1
                size -= len(message.content) + ENTRY_OVERHEAD
                found.append(message)
            if not qos.newest_first:
                found[first:] = reversed(found[first:])
        return found

    def _tell_cut(self, subscription: Subscription) -> None:
        name = subscription.session.name
        self._cut.tell(name.absolute, lambda: f"{name.relative}: its queue has no room for all of an initial update")

    def _queue(self, subscription: Subscription, messages: list[Message], flags: int) -> None:
        """Queue messages of a subscription.

        Args:
            subscription: that selects them.
            messages: in the order of their delivery.
            flags: beside those of the subscription.
        """
        session = subscription.session
        for message in messages:
            durable = message.envelope.persistent and (session.persistent or session.can_return)
            if durable and not session.stored:
                self._sessions.save(session)
            entry = session.queue.put(message, subscription.id, subscription.flags | flags, durable)
            if subscription.flags & NEWEST_ONLY:
                subscription.supersede(entry)
        if messages:
            session.dispatch.wake()

    async def _latest(self, topic: Topic, count: int, before: int = EVERYTHING) -> list[Message]:
        """The newest messages of a topic, newest first."""
        messages = await topic.history.latest(count, before)
        if not messages:  # all that there was may have expired
            self._node.check_topic(topic)
        return messages

    def _erase(self, topic: Topic, eraser: SessionName, request: Encoded, *, force: bool) -> None:
        node = self._node
        receivers = [each for each in topic.subscriptions if each.notify and not each.ended]
        if force:
            self._erasure.erase(topic.oid)
        known = topic.key or Key(topic.oid)
        key = replace(known, meta=b"", mime_extended=known.mime_extended or ERASED_VERSION)
        for subscription in [each for each in topic.subscriptions if not each.is_rule]:
            self.drop(subscription)  # invalid from now on; those with a query match again when the topic comes back
        node.remove_topic(topic)
        for subscription in receivers:
            self._announce_erasure(topic, key, subscription, eraser, request)

    def _announce_erasure(
        self, topic: Topic, key: Key, subscription: Subscription, eraser: SessionName, request: Encoded
    ) -> None:
        receiver = subscription.session
        qos = PublishQos(
            state=STATE_ERASED,
            life_time=0,
            sender=eraser.absolute,
            destinations=(Destination(receiver.name.absolute),),
            properties=(
                _as_base64("__eraseQos", request.qos),
                _as_base64("__eraseKey", request.key),
            ),
        )
        envelope = self._node.envelope(key, qos)
        content = f"{self._node.id}/topic/{topic.oid}".encode()
        message = self._node.message(envelope, content)
        message.expires = self._node.now()  # told as expired, and delivered all the same (§24 fact 10)
        receiver.queue.put(message, subscription.id)
        receiver.dispatch.wake()


def _same_query(one: QueryKey, other: QueryKey) -> bool:
    return (one.kind, one.oid, one.text, one.domain) == (other.kind, other.oid, other.text, other.domain)


def _as_base64(name: str, value: bytes) -> ClientProperty:
    return replace(property_of(name, value), type="")
