"""Messages of topics as items: published under a name, replaced, retracted, taken out (XEP-0060 §7, design D16)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from broker.core.message import Message
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.item import ITEM, PURGED, RETRACTED, text_of
from broker.model.key import Key
from broker.model.property import ClientProperty, find, property_of
from broker.model.qos import STATE_OK, PublishQos

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.publishing import Published, Publisher
    from broker.core.rights import Rights
    from broker.core.sessions import Session
    from broker.core.topics import Topic


def item_id(item: Message) -> str:
    """The id of a message's item: its publisher's, or (where it was published without one) the message's own."""
    return text_of(item.qos.properties, ITEM) or str(item.id)


def is_item(item: Message) -> bool:
    """Whether a message is an item rather than news of what became of one."""
    properties = item.qos.properties
    return item.qos.state == STATE_OK and find(properties, RETRACTED) is None and find(properties, PURGED) is None


class Items:
    """Has effects on single messages of topics.

    Args:
        node: shared state.
        publisher: publishes items.
        rights: decides who may.
    """

    def __init__(self, node: Node, publisher: Publisher, rights: Rights) -> None:
        self._node = node
        self._publisher = publisher
        self._rights = rights

    async def publish(self, session: Session, key: Key, qos: PublishQos, content: bytes) -> Published:
        """Publish an item; one of the same id, which is in the property :data:`ITEM`, is replaced.

        Args:
            session: the publisher.
            key: of the topic.
            qos: with the properties of :func:`broker.model.item.item_properties`.
            content: as the tongue has accepted it.

        Raises:
            BrokerError: as :meth:`broker.core.publishing.Publisher.publish`; ``user.notAuthorized`` where an item of
                that id belongs to somebody else. Nothing changed then.
        """
        plan = self._publisher.prepare(session, key, qos, raw=True)
        id = text_of(qos.properties, ITEM)
        others = 0
        while True:
            topic = self._node.topics.get(key.oid)
            older = [] if topic is None else [each for each in await self._all(topic) if item_id(each) == id]
            if session.ended:
                raise BrokerError(Code.USER_NOT_CONNECTED, "the session ended while its item waited")
            if topic is not None:
                others = self._rights.check_items(session, topic, older)
            published = self._publisher.publish(session, plan, content)
            if isinstance(published, Pending):
                await published.wait()
                continue
            if topic is not None:
                self._rights.note_items(session, topic, others)
                for each in older:
                    topic.history.discard(each.id)
            return published

    async def retract(self, session: Session, oid: str, ids: Collection[str]) -> list[str]:
        """Remove items of a topic; subscribers that know items are told.

        Args:
            session: who retracts.
            oid: of the topic.
            ids: of the items.

        Returns:
            The ids of those that were there.

        Raises:
            BrokerError: ``user.notAuthorized`` where one of them is neither the session's nor on a topic of its own.
        """
        self._rights.check(session, "erase", f"exact:{oid}")
        topic = self._node.topics.get(oid)
        if topic is None:
            return []
        found = [each for each in await self._all(topic) if item_id(each) in ids]
        others = self._rights.check_items(session, topic, found)
        session.counters.erase += 1
        gone = list(dict.fromkeys(item_id(each) for each in found if topic.history.discard(each.id)))
        self._rights.note_items(session, topic, others)
        for id in gone:
            self._tell(session.name, topic, property_of(RETRACTED, id))
        self._node.check_topic(topic)
        return gone

    def take(self, session: Session, topic: Topic, messages: list[Message]) -> list[Message]:
        """Take messages out of a topic's history, without a word to anybody; returns those that were still there.

        Raises:
            BrokerError: ``user.notAuthorized``.
        """
        self._rights.check(session, "erase", f"exact:{topic.oid}")
        self._rights.check_owner(session, topic)
        taken = [each for each in messages if topic.history.discard(each.id)]
        self._node.check_topic(topic)
        return taken

    def clear(self, by: SessionName, topic: Topic) -> None:
        """Empty a topic's history; subscribers that know items are told. Whether that may be is for the caller."""
        topic.history.clear()
        self._tell(by, topic, property_of(PURGED, True))
        self._node.check_topic(topic)

    async def _all(self, topic: Topic) -> list[Message]:
        """Every message of a topic as it is when this returns, newest first."""
        history = topic.history
        if not history.unread and history.in_memory == len(history):
            history.expire()
            return list(history)[::-1]
        found = await history.latest(-1)
        known = {each.id for each in found}
        return [each for each in history if each.id not in known][::-1] + found

    def _tell(self, by: SessionName, topic: Topic, news: ClientProperty) -> None:
        receivers = [each for each in topic.subscriptions if each.session.kind.told_of_items and not each.ended]
        if not receivers:
            return
        node = self._node
        qos = PublishQos(persistent=True, life_time=0, sender=by.absolute, properties=(news,))
        message = node.message(node.envelope(topic.key or Key(topic.oid), qos), b"")
        for subscription in receivers:
            receiver = subscription.session
            receiver.queue.put(message, subscription.id, subscription.flags, receiver.persistent)
            receiver.dispatch.wake()
