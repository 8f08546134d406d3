"""Attributes of a topic (spec xmlblaster §16.1)."""

from __future__ import annotations

from collections.abc import Iterable

from broker.admin import dump
from broker.admin.attributes import Attributes
from broker.admin.subscription import end_at
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.model.key import QueryKey, QueryKind
from broker.model.qos import QueryQos

PRIVATE = frozenset({"subscribers", "toXml"})
"""What names other clients, so that the permission to read the topic does not suffice."""


def topic_attributes(broker: Broker, administrator: Session) -> Attributes[Topic]:
    """The attributes of a topic.

    Args:
        broker: the core.
        administrator: who asks; an erased topic is erased in this name.
    """
    node = broker.node

    async def clear(topic: Topic, argument: str) -> int:
        count = len(topic.history)
        await broker.erase(administrator, QueryKey(QueryKind.EXACT, topic.oid), QueryQos(history_entries=-1))
        return count

    async def erase(topic: Topic, argument: str) -> None:
        await broker.erase(administrator, QueryKey(QueryKind.EXACT, topic.oid), QueryQos())

    def drop(subscriptions: Iterable[Subscription]) -> int:
        return broker.end_subscriptions(administrator, [each for each in subscriptions if not each.is_rule])

    async def unsubscribe_all(topic: Topic, argument: str) -> int:
        return drop(topic.subscriptions)

    async def unsubscribe_by_index(topic: Topic, argument: str) -> str:
        return end_at(broker, administrator, topic.subscriptions, argument)

    async def unsubscribe_session(topic: Topic, argument: str) -> int:
        name = node.session_name(argument)
        return drop(each for each in topic.subscriptions if name in (each.session.name, each.session.name.of_subject()))

    return Attributes(
        readers={
            "id": lambda topic: topic.oid,
            "uniqueKey": lambda topic: topic.oid,
            "topicXml": lambda topic: topic.encoded.key.decode("utf-8", "replace"),
            "toXml": dump.of_topic,
            "domTreeExists": lambda topic: topic.document is not None,
            "contentMime": lambda topic: topic.key.mime if topic.key is not None else None,
            "contentMimeExtended": lambda topic: topic.key.mime_extended if topic.key is not None else None,
            "stateStr": lambda topic: topic.state.value,
            "numSubscribers": lambda topic: len(topic.subscriptions),
            "exactSubscribersExist": lambda topic: topic.exact > 0,
            "subscribers": lambda topic: sorted({each.session.name.relative for each in topic.subscriptions}),
            "numOfHistoryEntries": lambda topic: len(topic.history),
            "numOfCacheEntries": lambda topic: topic.history.in_memory,
            "destroyDelay": lambda topic: (
                node.settings.destroy_delay if topic.config.destroy_delay is None else topic.config.destroy_delay
            ),
        },
        operations={
            "clearHistoryQueue": clear,
            "eraseTopic": erase,
            "unSubscribeAll": unsubscribe_all,
            "unSubscribeByIndex": unsubscribe_by_index,
            "unSubscribeBySessionName": unsubscribe_session,
        },
    )
