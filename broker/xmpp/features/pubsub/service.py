"""What clients may ask of nodes (XEP-0060 §5-§7), and their owners (§8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from broker.core.entries import Entry
from broker.core.items import is_item, item_id
from broker.core.message import Message
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.errors import BrokerError
from broker.model.item import text_of
from broker.model.jid import JID, parse_jid
from broker.model.key import QueryKey, QueryKind
from broker.model.number import whole_or_none
from broker.model.property import property_of
from broker.model.qos import QueryQos
from broker.model.records import FOR_SUBJECT
from broker.xml.tree import Tree
from broker.xmpp.features.disco import Disco, Identity
from broker.xmpp.features.pubsub.config import ON_SUBSCRIBE, NodeConfig, changed, fields_of
from broker.xmpp.features.pubsub.errors import refused, unsupported
from broker.xmpp.features.pubsub.forms import Field, read_form, write_form
from broker.xmpp.features.pubsub.items import Events, write_item
from broker.xmpp.features.pubsub.nodes import Nodes
from broker.xmpp.routing.domain import Client, Domain, Iq
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element

log = Logger()

CONFIG = "http://jabber.org/protocol/pubsub#node_config"
META_DATA = "http://jabber.org/protocol/pubsub#meta-data"
PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"
SUBSCRIBER = "_pubsub.jid"
"""Property of a subscription: the JID that it was made for."""
FEATURES = (
    "access-open",
    "auto-create",
    "config-node",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "delete-nodes",
    "instant-nodes",
    "item-ids",
    "last-published",
    "meta-data",
    "persistent-items",
    "publish",
    "publish-options",
    "purge-nodes",
    "retract-items",
    "retrieve-affiliations",
    "retrieve-default",
    "retrieve-items",
    "retrieve-subscriptions",
    "rsm",
    "subscribe",
)

_UNSUPPORTED = {
    (ns.PUBSUB, "options"): "subscription-options",
    (ns.PUBSUB, "default"): "retrieve-default-sub",
    (ns.PUBSUB_OWNER, "affiliations"): "modify-affiliations",
    (ns.PUBSUB_OWNER, "subscriptions"): "manage-subscriptions",
}
"""Features that are not served, by the request that needs them, where that has another name (XEP-0060 §10)."""

Action = Callable[[Iq, Tree], Awaitable[bytes | None]]


class PubSub:
    """Serves nodes at ``pubsub.<domain>``.

    Args:
        domain: the service.
        disco: tells what there is.
    """

    def __init__(self, domain: Domain, disco: Disco) -> None:
        self._domain = domain
        self._broker = domain.broker
        self.host = f"pubsub.{domain.settings.domain}"
        self._events = Events(self.host)
        self.nodes = Nodes(domain.broker, domain.settings.max_items, domain.settings.domain)
        for name in (ns.PUBSUB, ns.RSM, *(f"{ns.PUBSUB}#{feature}" for feature in FEATURES)):
            domain.add_feature(name, self.host)
        domain.items.append((self.host, "topics"))
        disco.identities[self.host] = Identity("pubsub", "service", "topics")
        disco.info[self.host] = self._info
        disco.contents[self.host] = self._contents
        disco.add(self.host)
        self._actions: dict[tuple[str, str, str], Action] = {
            ("set", ns.PUBSUB, "subscribe"): self._subscribe,
            ("set", ns.PUBSUB, "unsubscribe"): self._unsubscribe,
            ("set", ns.PUBSUB, "publish"): self._publish,
            ("set", ns.PUBSUB, "retract"): self._retract,
            ("set", ns.PUBSUB, "create"): self._create,
            ("get", ns.PUBSUB, "items"): self._items,
            ("get", ns.PUBSUB, "subscriptions"): self._subscriptions,
            ("get", ns.PUBSUB, "affiliations"): self._affiliations,
            ("get", ns.PUBSUB_OWNER, "configure"): self._configuration,
            ("set", ns.PUBSUB_OWNER, "configure"): self._configure,
            ("get", ns.PUBSUB_OWNER, "default"): self._default,
            ("set", ns.PUBSUB_OWNER, "delete"): self._delete,
            ("set", ns.PUBSUB_OWNER, "purge"): self._purge,
            ("get", ns.PUBSUB_OWNER, "affiliations"): self._node_affiliations,
            ("get", ns.PUBSUB_OWNER, "subscriptions"): self._node_subscriptions,
        }
        domain.serve("get set", ns.PUBSUB, "pubsub", self._asked, self.host)
        domain.serve("get set", ns.PUBSUB_OWNER, "pubsub", self._asked, self.host)

    def event(self, entry: Entry, to: JID) -> bytes:
        """What a subscriber is told of a message on a topic: the account, or one of its resources."""
        config = self.nodes.told_how(self._broker.node.topics.get(entry.message.oid))
        return self._events.event(entry.message, to.bare if entry.flags & FOR_SUBJECT else to.full, config)

    async def _asked(self, request: Iq) -> bytes | None:
        payload = request.payload
        for child in payload.children:
            action = self._actions.get((request.type, payload.namespace, child.name))
            if action is not None:
                try:
                    return await action(request, child)
                except BrokerError as error:
                    raise StanzaError.of(error) from error
        if not payload.children:
            raise StanzaError(Condition.BAD_REQUEST)
        name = payload.children[0].name
        raise unsupported(_UNSUPPORTED.get((payload.namespace, name), name))

    async def _subscribe(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §6.1."""
        jid = _jid(action)
        if jid.bare != request.client.bare:
            raise refused(Condition.BAD_REQUEST, "invalid-jid")
        topic = self.nodes.get(_node(action))
        key = QueryKey(QueryKind.EXACT, topic.oid)
        qos = QueryQos(
            persistent=True,
            multi_subscribe=False,
            initial_update=self.nodes.config(topic).send_last_published_item == ON_SUBSCRIBE,
            history_entries=1,
            properties=(property_of(SUBSCRIBER, jid.full),),
        )
        subscription = await self._broker.subscribe_account(request.client.session, key, qos, jid.resource)
        return element("pubsub", ns.PUBSUB, content=_subscription(subscription))

    async def _unsubscribe(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §6.2."""
        jid, client = _jid(action), request.client
        name, wanted = _node(action), action.attributes.get("subid", "")
        if jid.bare != client.bare:
            raise refused(Condition.FORBIDDEN, text="that is the subscription of somebody else")
        subscriptions = self._subscriptions_of(client)
        found = [each for each in subscriptions if each.key.oid == name and _subscriber(each) == jid.full]
        if not found:
            self.nodes.get(name)
            raise refused(Condition.UNEXPECTED_REQUEST, "not-subscribed")
        if wanted and all(each.id != wanted for each in found):
            raise refused(Condition.NOT_ACCEPTABLE, "invalid-subid")
        label = self._broker.standing.dispatch_of(found[0].session).label
        await self._broker.unsubscribe_account(client.session, QueryKey(QueryKind.EXACT, name), label)
        return None

    async def _publish(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §7.1; a node that is not there is made (§7.1.4)."""
        client, name = request.client, _node(action)
        items = list(action.find_all(ns.PUBSUB, "item"))
        if len(items) != 1:
            raise refused(Condition.BAD_REQUEST, "item-required" if not items else "max-items-exceeded")
        payloads = items[0].children
        if len(payloads) != 1:
            raise refused(Condition.BAD_REQUEST, "payload-required" if not payloads else "invalid-payload")
        options = request.payload.find(ns.PUBSUB, "publish-options")
        form = read_form(options, PUBLISH_OPTIONS) if options is not None else None
        topic = self.nodes.find(name)
        if topic is None:
            topic = await self.nodes.create(client.session, name, changed(self._defaults, form or {}))
        elif form and not _meets(self.nodes.config(topic), form):
            raise refused(Condition.CONFLICT, "precondition-not-met")
        type = self.nodes.config(topic).type
        if type and payloads[0].namespace != type:
            raise refused(Condition.BAD_REQUEST, "invalid-payload", f"the payloads of this node are of '{type}'")
        payload = payloads[0].to_bytes("")
        id = items[0].attributes.get("id", "")
        made = await self.nodes.publish(client.session, client.bare, topic, id, payload)
        content = element("publish", attributes={"node": name}, content=element("item", attributes={"id": made}))
        return element("pubsub", ns.PUBSUB, content=content)

    async def _retract(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §7.2."""
        topic = self.nodes.get(_node(action))
        item = action.find(ns.PUBSUB, "item")
        id = item.attributes.get("id", "") if item is not None else ""
        if not id:
            raise refused(Condition.BAD_REQUEST, "item-required")
        await self.nodes.retract(request.client.session, topic, id)
        return None

    async def _create(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.1."""
        configure = request.payload.find(ns.PUBSUB, "configure")
        form = read_form(configure, CONFIG) if configure is not None else None
        client, name = request.client, action.attributes.get("node", "")
        topic = await self.nodes.create(client.session, name, changed(self._defaults, form or {}))
        if name:
            return None
        return element("pubsub", ns.PUBSUB, content=element("create", attributes={"node": topic.oid}))

    async def _items(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §6.5, with the pages of XEP-0059."""
        topic = self.nodes.get(_node(action))
        self._permit(request, "get", topic)
        messages = [each for each in reversed(await topic.history.latest(-1)) if is_item(each)]
        wanted = [item.attributes.get("id", "") for item in action.find_all(ns.PUBSUB, "item")]
        if wanted:
            messages = [each for each in messages if item_id(each) in wanted]
        most = whole_or_none(action.attributes.get("max_items", ""), 0)
        if most is not None:
            messages = messages[-most:] if most else []
        paging = request.payload.find(ns.RSM, "set")
        page, summary = _page(messages, paging) if paging is not None else (messages, b"")
        self._broker.check_answer(sum(len(each.content) for each in page))
        content = b"".join(await self._broker.node.pace(request.client.session).map(write_item, page))
        items = element("items", attributes={"node": topic.oid}, content=content)
        return element("pubsub", ns.PUBSUB, content=items + summary)

    async def _subscriptions(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §5.6."""
        name = action.attributes.get("node")
        found = self._subscriptions_of(request.client)
        content = b"".join(_subscription(each) for each in found if name in (None, each.key.oid))
        inner = element("subscriptions", attributes={"node": name}, content=content)
        return element("pubsub", ns.PUBSUB, content=inner)

    async def _affiliations(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §5.7."""
        me = request.client.bare

        def affiliation(topic: Topic) -> bytes:
            if self.nodes.owner(topic) != me:
                return b""
            return element("affiliation", attributes={"node": topic.oid, "affiliation": "owner"})

        pace = self._broker.node.pace(request.client.session)
        content = b"".join(await pace.map(affiliation, self.nodes.all()))
        return element("pubsub", ns.PUBSUB, content=element("affiliations", content=content))

    async def _configuration(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.2.1."""
        topic = self._owned(request, action)
        form = write_form("form", CONFIG, fields_of(self.nodes.config(topic)))
        inner = element("configure", attributes={"node": topic.oid}, content=form)
        return element("pubsub", ns.PUBSUB_OWNER, content=inner)

    async def _configure(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.2.4."""
        topic = self.nodes.get(_node(action))
        form = read_form(action, CONFIG)
        if form is not None:
            await self.nodes.configure(request.client.session, topic, changed(self.nodes.config(topic), form))
        return None

    async def _default(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.3."""
        form = write_form("form", CONFIG, fields_of(self._defaults))
        return element("pubsub", ns.PUBSUB_OWNER, content=element("default", content=form))

    async def _delete(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.4."""
        topic = self.nodes.get(_node(action))
        sessions = {each.session for each in topic.subscriptions}
        await self.nodes.delete(request.client.session, topic)
        for session in sessions:
            releasing = ensureDeferred(self._broker.standing.release(session))
            releasing.addErrback(lambda failure: log.failure("a subscriber's session did not end well", failure))
        return None

    async def _purge(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.5."""
        await self.nodes.purge(request.client.session, self.nodes.get(_node(action)))
        return None

    async def _node_affiliations(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.9.1."""
        topic = self._owned(request, action)
        owner = element("affiliation", attributes={"jid": self.nodes.owner(topic), "affiliation": "owner"})
        inner = element("affiliations", attributes={"node": topic.oid}, content=owner)
        return element("pubsub", ns.PUBSUB_OWNER, content=inner)

    async def _node_subscriptions(self, request: Iq, action: Tree) -> bytes | None:
        """XEP-0060 §8.8.1."""
        topic = self._owned(request, action)
        content = b"".join(
            _subscription(each)
            for each in topic.subscriptions
            if each.session.kind is self._broker.standing  # others may claim any address
        )
        inner = element("subscriptions", attributes={"node": topic.oid}, content=content)
        return element("pubsub", ns.PUBSUB_OWNER, content=inner)

    async def _info(self, request: Iq, node: str) -> bytes:
        """XEP-0060 §5.3, §5.4."""
        topic = self.nodes.get(node)
        config = self.nodes.config(topic)
        fields = [
            Field("pubsub#title", "text-single", config.title, "The name of the node"),
            Field("pubsub#description", "text-single", config.description, "A description of the node"),
            Field("pubsub#type", "text-single", config.type, "Payload type"),
            Field("pubsub#owner", "jid-multi", self.nodes.owner(topic), "The JIDs of its owners"),
            Field("pubsub#max_items", "text-single", str(config.max_items), "The maximum number of items to persist"),
        ]
        identity = Identity("pubsub", "leaf", config.title).to_bytes()
        feature = element("feature", attributes={"var": ns.PUBSUB})
        form = write_form("result", META_DATA, [field for field in fields if field.value])
        return identity + feature + form

    async def _contents(self, request: Iq, node: str) -> bytes:
        """XEP-0060 §5.2, §5.5."""
        if not node:
            nodes = sorted(self.nodes.all(), key=lambda topic: topic.oid)
            return b"".join(await self._broker.node.pace(request.client.session).map(self._node_item, nodes))
        topic = self.nodes.get(node)
        self._permit(request, "get", topic)
        items = [item_id(each) for each in reversed(await topic.history.latest(-1)) if is_item(each)]
        return b"".join(element("item", attributes={"jid": self.host, "name": id}) for id in items)

    def _subscriptions_of(self, client: Client) -> list[Subscription]:
        """Those of a client's account, and of each of its resources."""
        sessions = self._broker.standing.all_of(client.jid.local)
        return [each for session in sessions for each in session.subscriptions.values()]

    def _node_item(self, topic: Topic) -> bytes:
        attributes = {"jid": self.host, "node": topic.oid, "name": self.nodes.config(topic).title or None}
        return element("item", attributes=attributes)

    @property
    def _defaults(self) -> NodeConfig:
        return NodeConfig(max_items=self._broker.node.settings.history.entries)

    def _owned(self, request: Iq, action: Tree) -> Topic:
        """A node of which only its owner, or an administrator, may see how it is configured and who is subscribed."""
        topic = self.nodes.get(_node(action))
        if not topic.owner and not self._broker.rights.is_administrator(request.client.session):
            raise StanzaError(Condition.FORBIDDEN, "this node belongs to nobody")
        self._broker.rights.check_owner(request.client.session, topic)
        return topic

    def _permit(self, request: Iq, method: str, topic: Topic) -> None:
        self._broker.rights.check(request.client.session, method, f"exact:{topic.oid}")


def _node(action: Tree) -> str:
    name = action.attributes.get("node", "")
    if not name:
        raise refused(Condition.BAD_REQUEST, "nodeid-required")
    return name


def _jid(action: Tree) -> JID:
    text = action.attributes.get("jid", "")
    try:
        return parse_jid(text)
    except BrokerError as error:
        raise refused(Condition.BAD_REQUEST, "invalid-jid" if text else "jid-required", error.message) from error


def _subscriber(subscription: Subscription) -> str:
    """The JID that a subscription was made for."""
    return text_of(subscription.qos.properties, SUBSCRIBER)


def _subscription(subscription: Subscription) -> bytes:
    attributes = {
        "node": subscription.key.oid,
        "jid": _subscriber(subscription) or None,
        "subscription": "subscribed",
        "subid": subscription.id,
    }
    return element("subscription", attributes=attributes)


def _meets(config: NodeConfig, options: Mapping[str, str]) -> bool:
    """Whether a node is as publish-options demand (XEP-0060 §7.1.5)."""
    try:
        return changed(config, options) == config
    except StanzaError:  # no node can be so
        return False


def _page(messages: list[Message], paging: Tree) -> tuple[list[Message], bytes]:
    """One page of items (XEP-0059)."""
    ids = [item_id(each) for each in messages]
    first, last = 0, len(ids)
    after, before = paging.find(ns.RSM, "after"), paging.find(ns.RSM, "before")
    try:
        if after is not None:
            first = ids.index(after.text) + 1
        if before is not None and before.text:
            last = ids.index(before.text)
    except ValueError:
        raise StanzaError(Condition.ITEM_NOT_FOUND, "there is no such item") from None
    given = whole_or_none(paging.text_of(ns.RSM, "max"), 0)
    most = len(ids) if given is None else given
    page = range(first, last)[-most:] if before is not None and most else range(first, last)[:most]
    content = element("count", content=str(len(ids)))
    if len(page):
        head = element("first", attributes={"index": str(page[0])}, content=ids[page[0]])
        content = head + element("last", content=ids[page[-1]]) + content
    return [messages[i] for i in page], element("set", ns.RSM, content=content)
