"""Attributes of a subscription (spec xmlblaster §16.1)."""

from __future__ import annotations

from collections.abc import Iterable

from broker.admin.attributes import Attributes
from broker.admin.values import at_index, date
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.native.codec import write_query_key, write_query_qos


def end_at(broker: Broker, administrator: Session, subscriptions: Iterable[Subscription], text: str) -> str:
    """End one of several subscriptions by its place, which counts from 0; returns its id.

    Raises:
        BrokerError: see :func:`broker.admin.values.at_index`, :meth:`broker.core.broker.Broker.end_subscriptions`.
    """
    ended = at_index(subscriptions, text)
    broker.end_subscriptions(administrator, [ended])
    return ended.id


def subscription_attributes(broker: Broker, administrator: Session) -> Attributes[Subscription]:
    """The attributes of a subscription.

    Args:
        broker: the core.
        administrator: who asks.
    """

    async def end(subscription: Subscription, argument: str) -> None:
        broker.end_subscriptions(administrator, [subscription])

    return Attributes(
        readers={
            "id": lambda subscription: subscription.id,
            "sessionName": lambda subscription: subscription.session.name.absolute,
            "topicId": lambda subscription: sorted(topic.oid for topic in subscription.topics),
            "creationTimestamp": lambda subscription: date(subscription.created),
            "query": lambda subscription: subscription.key.url,
            "subscribeKeyStr": lambda subscription: write_query_key(subscription.key).decode(),
            "subscribeQosStr": lambda subscription: write_query_qos(subscription.qos).decode(),
            "accessFilters": lambda subscription: [
                f"{each.type}:{each.query}" for each in (*subscription.key.filters, *subscription.qos.filters)
            ],
            "parentSubscription": lambda _: None,  # one by a query delivers by itself, and has no others below it
            "dependingSubscriptions": lambda _: None,
            "persistenceId": lambda subscription: subscription.id if subscription.persistent else None,
            "persistent": lambda subscription: subscription.persistent,
        },
        operations={"unSubscribe": end},
    )
