"""Topics."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from broker.admin.filtering import at_least, by_choice, by_pattern
from broker.admin.listing import Collection, Sort
from broker.admin.moment import moment
from broker.core.node import Node
from broker.core.topics import Topic
from broker.model.key import is_system_topic


class State(StrEnum):
    """The states of topics, as a filter names them."""

    UNCONFIGURED = "UNCONFIGURED"
    ALIVE = "ALIVE"
    UNREFERENCED = "UNREFERENCED"


class TopicRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A topic.

    Args:
        oid: its name.
        state: ``UNCONFIGURED`` while nobody has published, ``ALIVE``, or ``UNREFERENCED`` when it is soon to go.
        subscribers: subscriptions that get its messages.
        exact_subscribers: those of them that name it by its oid.
        history_entries: messages that are kept.
        history_bytes: what they count for; without those that nobody has asked for since the start.
        history_in_memory: of the entries.
        max_history_entries: that are kept.
        max_history_bytes: that they may count for.
        readonly: nobody may publish any more.
        domain: of its key; absent where it has none.
        mime: type of its contents; absent where nobody has published.
        owner: login name of whom it belongs to; absent where it is everybody's.
        internal: it is the broker's own.
        create_dom_entry: XPath queries find it.
        destroy_delay_seconds: that it stays without messages and exact subscribers, -1 for ever; absent where that is
            what the configuration says.
        destroys_at: when it goes; absent where it does not.
    """

    oid: str
    state: str
    subscribers: int
    exact_subscribers: int
    history_entries: int
    history_bytes: int
    history_in_memory: int
    max_history_entries: int
    max_history_bytes: int
    readonly: bool
    internal: bool
    create_dom_entry: bool
    domain: str | None = None
    mime: str | None = None
    owner: str | None = None
    destroy_delay_seconds: float | None = None
    destroys_at: str | None = None


def topic_row(node: Node, topic: Topic) -> TopicRow:
    """What is told of a topic.

    Args:
        node: that it is of.
        topic: the topic.
    """
    key, history, delay, timer = topic.key, topic.history, topic.config.destroy_delay, topic.destroy_timer
    return TopicRow(
        topic.oid,
        topic.state.value,
        len(topic.subscriptions),
        topic.exact,
        len(history),
        history.bytes,
        history.in_memory,
        history.limits.entries,
        history.limits.bytes,
        topic.config.readonly,
        is_system_topic(topic.oid),
        topic.config.create_dom_entry,
        None if key is None else key.domain or None,
        None if key is None else key.mime,
        topic.owner or None,
        None if delay is None else delay / 1000 if delay >= 0 else -1,
        None if timer is None else moment(node.now() + round((timer.getTime() - node.clock.seconds()) * 1000)),
    )


def topics(node: Callable[[], Node]) -> Collection[Topic]:
    """The collection.

    Args:
        node: gives the node.
    """
    return Collection(
        objects=lambda: list(node().topics.values()),
        id_of=lambda topic: topic.oid,
        row_type=TopicRow,
        row=lambda topic: topic_row(node(), topic),
        sorts={
            "oid": Sort(lambda topic: topic.oid, is_text=True),
            "subscribers": Sort(lambda topic: len(topic.subscriptions)),
            "historyEntries": Sort(lambda topic: len(topic.history)),
            "historyBytes": Sort(lambda topic: topic.history.bytes),
        },
        default_sort="oid",
        filters={
            "state": by_choice(lambda topic: topic.state.value, State),
            "oid": by_pattern(lambda topic: topic.oid),
            "owner": by_pattern(lambda topic: topic.owner),
            "minSubscribers": at_least(lambda topic: len(topic.subscriptions)),
        },
    )
