"""Subscriptions, and why they get what is published."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from broker.admin.filtering import by_choice, by_pattern, by_truth
from broker.admin.listing import Collection, Sort
from broker.admin.moment import moment
from broker.admin.views.sessions import name_of
from broker.core.broker import Broker
from broker.core.explanation import DeliveryCheck, Step, StepOutcome
from broker.core.node import Node
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.model.key import QueryKind
from broker.model.records import NEWEST_ONLY, ONEWAY


class SubscriptionKind(StrEnum):
    """How a subscription selects topics."""

    EXACT = "EXACT"
    XPATH = "XPATH"
    DOMAIN = "DOMAIN"


class FilterRow(msgspec.Struct, frozen=True):
    """A filter of a subscription.

    Args:
        type: of it, e.g. ``Sql92Filter``.
        query: of it.
    """

    type: str
    query: str


class SubscriptionRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A subscription.

    Args:
        id: unique in the broker.
        session: name of the session that receives.
        kind: how it selects topics.
        query: oid, XPath expression or domain.
        topics: that it receives from now; their number.
        persistent: it survives a crash.
        local: it gets what its own session publishes, too.
        oneway: what it gets is not acknowledged.
        notify: it is told that a topic is erased.
        newest_only: only the newest message of each topic waits.
        created_at: when it was made.
        filters: that let messages pass.
    """

    id: str
    session: str
    kind: str
    query: str
    topics: int
    persistent: bool
    local: bool
    oneway: bool
    notify: bool
    newest_only: bool
    created_at: str
    filters: list[FilterRow] = []


class StepRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A check of what decides whether a subscription gets a message.

    Args:
        check: which.
        outcome: ``pass``, ``fail``, or ``skip`` where it does not apply or an earlier one has failed.
        detail: one sentence.
        microseconds: that a filter took.
    """

    check: DeliveryCheck
    outcome: StepOutcome
    detail: str = ""
    microseconds: int | None = None


class Explained(msgspec.Struct, frozen=True):
    """Why a subscription gets what is published on a topic, or does not.

    Args:
        delivers: it does.
        subscription: its id; empty for one that there is not yet.
        session: that receives.
        topic: oid.
        steps: the checks, in their order.
    """

    delivers: bool
    subscription: str
    session: str
    topic: str
    steps: list[StepRow]


class ReceiverRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subscription that could get what is published on a topic.

    Args:
        subscription: its id.
        session: that receives.
        kind: how it selects topics.
        query: of it.
        delivers: it gets messages, as far as their filters let them pass.
        check: that fails where it does not.
        detail: of that.
        filters: that each message is asked.
    """

    subscription: str
    session: str
    kind: str
    query: str
    delivers: bool
    check: DeliveryCheck | None = None
    detail: str | None = None
    filters: list[FilterRow] = []


def query_of(subscription: Subscription) -> str:
    """What a subscription selects by: an oid, an expression or a domain."""
    key = subscription.key
    return key.oid or key.text or key.domain


def subscription_row(subscription: Subscription) -> SubscriptionRow:
    """What is told of a subscription."""
    return SubscriptionRow(
        subscription.id,
        name_of(subscription.session),
        subscription.key.kind.value,
        query_of(subscription),
        len(subscription.topics),
        subscription.persistent,
        subscription.local,
        bool(subscription.flags & ONEWAY),
        subscription.notify,
        bool(subscription.flags & NEWEST_ONLY),
        moment(subscription.created),
        _filters(subscription),
    )


def subscriptions(node: Callable[[], Node]) -> Collection[Subscription]:
    """The collection.

    Args:
        node: gives the node.
    """
    return Collection(
        objects=lambda: list(node().subscriptions.values()),
        id_of=lambda each: each.id,
        row_type=SubscriptionRow,
        row=subscription_row,
        sorts={
            "id": Sort(lambda each: each.id, is_text=True),
            "session": Sort(lambda each: name_of(each.session), is_text=True),
            "query": Sort(query_of, is_text=True),
            "topics": Sort(lambda each: len(each.topics)),
            "createdAt": Sort(lambda each: each.created),
        },
        default_sort="session",
        filters={
            "session": by_pattern(lambda each: name_of(each.session)),
            "subject": by_pattern(lambda each: each.session.name.subject),
            "kind": by_choice(lambda each: each.key.kind.value, SubscriptionKind),
            "query": by_pattern(query_of),
            "persistent": by_truth(lambda each: each.persistent),
        },
    )


def explained(subscription: Subscription, oid: str, steps: list[Step]) -> Explained:
    """What is told of an explanation."""
    delivers = all(step.outcome is not StepOutcome.FAIL for step in steps)
    rows = [StepRow(step.check, step.outcome, step.detail, step.microseconds) for step in steps]
    return Explained(delivers, subscription.id, name_of(subscription.session), oid, rows)


def receivers(broker: Callable[[], Broker], topic: Callable[[], Topic]) -> Collection[Subscription]:
    """Subscriptions with the oid or the domain of a topic, or an expression.

    Args:
        broker: gives the core.
        topic: gives the topic.
    """

    def objects() -> list[Subscription]:
        found = topic()
        return [each for each in list(broker().node.subscriptions.values()) if _concerns(each, found)]

    def row(subscription: Subscription) -> ReceiverRow:
        steps = broker().explanation.of(subscription, topic().oid)
        failed = next((step for step in steps if step.outcome is StepOutcome.FAIL), None)
        return ReceiverRow(
            subscription.id,
            name_of(subscription.session),
            subscription.key.kind.value,
            query_of(subscription),
            failed is None,
            None if failed is None else failed.check,
            None if failed is None else failed.detail,
            _filters(subscription),
        )

    return Collection(
        objects=objects,
        id_of=lambda each: each.id,
        row_type=ReceiverRow,
        row=row,
        sorts={"session": Sort(lambda each: name_of(each.session), is_text=True)},
        default_sort="session",
        filters={
            "session": by_pattern(lambda each: name_of(each.session)),
            "kind": by_choice(lambda each: each.key.kind.value, SubscriptionKind),
        },
    )


def _concerns(subscription: Subscription, topic: Topic) -> bool:
    key = subscription.key
    if key.kind is QueryKind.EXACT:
        return key.oid == topic.oid
    return key.kind is QueryKind.XPATH or key.domain == topic.domain


def _filters(subscription: Subscription) -> list[FilterRow]:
    return [FilterRow(each.type, each.query) for each in subscription.key.filters + subscription.qos.filters]
