"""Nodes: topics of the core as XEP-0060 sees them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.core.sessions import Session
from broker.core.topics import Topic, TopicState
from broker.model.item import item_properties
from broker.model.key import Key, QueryKey, QueryKind
from broker.model.qos import PublishQos, QueryQos, QueueQos, TopicQos
from broker.xmpp.features.pubsub.config import NodeConfig, read_meta, write_meta
from broker.xmpp.features.pubsub.errors import refused
from broker.xmpp.routing.content import PAYLOAD_MIME
from broker.xmpp.wire.errors import Condition

if TYPE_CHECKING:
    from broker.core.broker import Broker

NEVER = -1
MAX_NAME = 1023


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
        return replace(self.told_how(topic), max_items=topic.history.limits.entries)

    def told_how(self, topic: Topic | None) -> NodeConfig:
        """What of its configuration matters for notifications; the default where it is gone."""
        key = topic.key if topic is not None else None
        return read_meta(key.meta if key is not None else b"")

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
        await self._configure(session, _key(name, config, None), config)
        return self.get(name)

    async def configure(self, session: Session, topic: Topic, config: NodeConfig) -> None:
        """Change a node (XEP-0060 §8.2)."""
        await self._configure(session, _key(topic.oid, config, topic.key), config)

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


def _is_visible(topic: Topic) -> bool:
    return not topic.is_internal and topic.state in (TopicState.ALIVE, TopicState.UNREFERENCED)


def _key(name: str, config: NodeConfig, known: Key | None) -> Key:
    return Key(name, known.mime if known is not None else PAYLOAD_MIME, meta=write_meta(config))
