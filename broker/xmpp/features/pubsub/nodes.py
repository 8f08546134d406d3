"""Nodes: topics of the core as XEP-0060 sees them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.core.sessions import Session
from broker.core.topics import Topic, TopicState
from broker.errors import BrokerError
from broker.model.item import item_properties
from broker.model.key import Key, QueryKey, QueryKind
from broker.model.number import whole_or_none
from broker.model.qos import PublishQos, QueryQos, QueueQos, TopicQos
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.features.pubsub.errors import refused
from broker.xmpp.features.pubsub.forms import is_true
from broker.xmpp.routing.content import PAYLOAD_MIME
from broker.xmpp.wire.errors import Condition
from broker.xmpp.wire.stanza import element

if TYPE_CHECKING:
    from broker.core.broker import Broker

META = "node"
"""Element of a topic's meta data that says what its node is called."""
NEVER = -1
MAX_NAME = 1023
MAX_TITLE = 255


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What the owner of a node may choose (XEP-0060 §16.4.4).

    Args:
        title: for people.
        max_items: items that are kept; 0 for none.
    """

    title: str = ""
    max_items: int = 10


class Nodes:
    """Finds, makes and changes nodes.

    Args:
        broker: the core.
        max_items: that a node may keep.
        domain: of the accounts.
    """

    def __init__(self, broker: Broker, max_items: int, domain: str) -> None:
        self._broker = broker
        self._domain = domain
        self._node = broker.node
        self.max_items = max_items

    def all(self) -> Iterator[Topic]:
        """Every topic that clients may know of."""
        return (topic for topic in list(self._node.topics.values()) if _is_visible(topic))

    def get(self, name: str) -> Topic:
        """A node by its name.

        Raises:
            StanzaError: ``item-not-found``.
        """
        topic = self._node.topics.get(name)
        if topic is None or not _is_visible(topic):
            raise refused(Condition.ITEM_NOT_FOUND, text="there is no such node")
        return topic

    def find(self, name: str) -> Topic | None:
        """A node by its name, if there is one."""
        topic = self._node.topics.get(name)
        return topic if topic is not None and _is_visible(topic) else None

    def owner(self, topic: Topic) -> str:
        """Bare JID of whom it belongs to; empty where it is everybody's."""
        return f"{topic.owner}@{self._domain}" if topic.owner else ""

    def config(self, topic: Topic) -> NodeConfig:
        """How it is configured."""
        return NodeConfig(_meta(topic).get("title", ""), topic.history.limits.entries)

    async def create(self, session: Session, name: str, config: NodeConfig) -> Topic:
        """Make a node (XEP-0060 §8.1).

        Args:
            session: of the client, whose login name owns the node.
            name: of the node; empty for one of our choice.
            config: of the node.

        Raises:
            StanzaError: ``conflict`` where there is one of that name, ``not-acceptable`` where it cannot be one.
            BrokerError: the client may not do so.
        """
        name = name or f"node-{secrets.token_hex(8)}"
        if name.startswith("__") or len(name) > MAX_NAME:
            raise refused(Condition.NOT_ACCEPTABLE, text="a node cannot have this name")
        if self.find(name) is not None:
            raise refused(Condition.CONFLICT, text="there is a node of that name already")
        await self._configure(session, _key(name, config.title, None), config)
        return self.get(name)

    async def configure(self, session: Session, topic: Topic, config: NodeConfig) -> None:
        """Change a node (XEP-0060 §8.2)."""
        await self._configure(session, _key(topic.oid, config.title, topic.key), config)

    async def publish(self, session: Session, publisher: str, topic: Topic, id: str, payload: bytes) -> str:
        """Publish an item (XEP-0060 §7.1); one of the same id is replaced.

        Args:
            session: of the client.
            publisher: its bare JID.
            topic: the node.
            id: of the item; empty for one of our choice.
            payload: of the item; empty for none.

        Returns:
            The id of the item.
        """
        id = id or secrets.token_hex(8)
        qos = PublishQos(persistent=True, properties=item_properties(id, publisher))
        await self._broker.publish_item(session, Key(topic.oid, PAYLOAD_MIME), qos, payload)
        return id

    async def retract(self, session: Session, topic: Topic, id: str) -> None:
        """Remove an item; the subscribers are told (XEP-0060 §7.2).

        Raises:
            StanzaError: ``item-not-found``.
        """
        if not await self._broker.retract(session, topic.oid, (id,)):
            raise refused(Condition.ITEM_NOT_FOUND, text="there is no such item")

    async def purge(self, session: Session, topic: Topic) -> None:
        """Remove all items; the subscribers are told (XEP-0060 §8.5)."""
        await self._broker.erase(session, QueryKey(QueryKind.EXACT, topic.oid), QueryQos(history_entries=-1))

    async def delete(self, session: Session, topic: Topic) -> None:
        """Delete a node; its subscribers are told (XEP-0060 §8.4)."""
        await self._broker.erase(session, QueryKey(QueryKind.EXACT, topic.oid), QueryQos())

    async def _configure(self, session: Session, key: Key, config: NodeConfig) -> None:
        limits = QueueQos("history", max_entries=min(config.max_items, self.max_items))
        qos = PublishQos(administrative=True, topic=TopicQos(destroy_delay=NEVER, history=limits))
        plan = self._broker.prepare(session, key, qos, raw=True, owned=True)
        await self._broker.publish_when_possible(session, plan, b"")


def changed(config: NodeConfig, form: Mapping[str, str]) -> NodeConfig:
    """A configuration with the changes of a form.

    Raises:
        StanzaError: ``not-acceptable`` for a value that cannot be served.
    """
    title, items = config.title, config.max_items
    for name, value in form.items():
        match name:
            case "pubsub#title":
                title = value[:MAX_TITLE]
            case "pubsub#max_items":
                items = _count(value)
            case "pubsub#persist_items":
                items = 0 if not is_true(value) else items or NodeConfig().max_items
            case "pubsub#access_model" if value != "open":
                raise refused(Condition.NOT_ACCEPTABLE, "unsupported-access-model")
            case "pubsub#publish_model" if value not in ("open", "publishers"):
                raise refused(Condition.NOT_ACCEPTABLE, text="everybody may publish whom the broker permits to")
            case "pubsub#node_type" if value != "leaf":
                raise refused(Condition.NOT_ACCEPTABLE, text="there are no collections")
    return NodeConfig(title, items)


def _count(value: str) -> int:
    if value == "max":
        return 2**31 - 1
    count = whole_or_none(value, 0)
    if count is None:
        raise refused(Condition.NOT_ACCEPTABLE, text="pubsub#max_items is a number, or max")
    return count


def _is_visible(topic: Topic) -> bool:
    return not topic.is_internal and topic.state in (TopicState.ALIVE, TopicState.UNREFERENCED)


def _key(name: str, title: str, known: Key | None) -> Key:
    meta = element(META, attributes={"title": title or None})
    return Key(name, known.mime if known is not None else PAYLOAD_MIME, meta=meta)


def _meta(topic: Topic) -> Mapping[str, str]:
    key = topic.key
    if key is None or not key.meta.startswith(f"<{META} ".encode()):
        return {}
    try:
        tree: Tree = parse_tree(key.meta, "", what="meta data")
    except BrokerError:  # a native client's own, such as one with prefixes: it is no node's
        return {}
    return tree.attributes
