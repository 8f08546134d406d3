"""Topics."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from broker.admin.filtering import at_least, by_choice, by_pattern
from broker.admin.listing import Collection, Sort
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
        readonly: nobody may publish any more.
        domain: of its key; absent where it has none.
        mime: type of its contents; absent where nobody has published.
        owner: login name of whom it belongs to; absent where it is everybody's.
        internal: it is the broker's own.
    """

    oid: str
    state: str
    subscribers: int
    exact_subscribers: int
    history_entries: int
    history_bytes: int
    history_in_memory: int
    max_history_entries: int
    readonly: bool
    internal: bool
    domain: str | None = None
    mime: str | None = None
    owner: str | None = None


def topic_row(topic: Topic) -> TopicRow:
    """What is told of a topic."""
    key, history = topic.key, topic.history
    return TopicRow(
        topic.oid,
        topic.state.value,
        len(topic.subscriptions),
        topic.exact,
        len(history),
        history.bytes,
        history.in_memory,
        history.limits.entries,
        topic.config.readonly,
        is_system_topic(topic.oid),
        None if key is None else key.domain or None,
        None if key is None else key.mime,
        topic.owner or None,
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
        row=topic_row,
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
