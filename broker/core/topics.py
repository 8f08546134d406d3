"""A topic: its configuration, its subscribers and its life (spec xmlblaster §8)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from broker.core.entries import QueueLimits
from broker.core.history import History
from broker.core.settings import limits_of
from broker.model.key import Key
from broker.model.qos import TopicQos
from broker.xml import TopicDocument, topic_document

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from broker.core.sessions import Session
    from broker.core.subscriptions import Subscription


class TopicState(Enum):
    """Life of a topic (spec §8.1).

    There is no SOFTERASED: queued messages carry all they need, so an erased topic is gone at once, and they are
    delivered all the same.
    """

    UNCONFIGURED = "UNCONFIGURED"
    ALIVE = "ALIVE"
    UNREFERENCED = "UNREFERENCED"
    DEAD = "DEAD"


class Topic:
    """Everything that is published under one oid.

    Args:
        id: unique within the node; also of its history.
        oid: the name.
        history: its newest messages.

    Attributes:
        key: of the first publish; ``None`` while nobody has published.
        key_xml: the same as its bytes.
        qos_xml: the publish QoS that configured it.
        config: its ``<topic>`` section.
        subscriptions: who receives, by subscription id.
        exact: how many of them name this topic by its oid.
        stored: whether its record is in the store.
        used: somebody has published on it.
        unasked: sessions of which some XPath subscriptions could not be asked whether they want it, with their number;
            until the next message tells them.
    """

    __slots__ = (
        "_document",
        "config",
        "destroy_timer",
        "exact",
        "history",
        "id",
        "key",
        "key_xml",
        "oid",
        "qos_xml",
        "state",
        "stored",
        "subscriptions",
        "unasked",
        "used",
    )

    def __init__(self, id: int, oid: str, history: History) -> None:
        self.id = id
        self.oid = oid
        self.history = history
        self.key: Key | None = None
        self.key_xml = b""
        self.qos_xml = b""
        self.config = TopicQos()
        self.state = TopicState.UNCONFIGURED
        self.subscriptions: dict[str, Subscription] = {}
        self.exact = 0
        self.stored = False
        self.used = False
        self.unasked: dict[Session, int] = {}
        self.destroy_timer: IDelayedCall | None = None
        self._document: TopicDocument | None = None

    @property
    def is_internal(self) -> bool:
        """Whether the broker itself owns it (spec §1.2)."""
        return self.oid.startswith("__")

    @property
    def domain(self) -> str:
        """What domain queries see of it; empty where it is not to be found by them."""
        return self.key.domain if self.key is not None and not self.is_internal else ""

    @property
    def document(self) -> TopicDocument | None:
        """What XPath queries see of it; ``None`` where it is not to be found by them."""
        if self._document is None and self.key is not None and self.config.create_dom_entry and not self.is_internal:
            self._document = topic_document(self.key)
        return self._document

    def configure(
        self, key: Key, key_xml: bytes, qos_xml: bytes, config: TopicQos | None, default: QueueLimits
    ) -> None:
        """Take the configuration of the first (or an administrative) publish (spec §8.2).

        Args:
            key: its key; the meta data of the first publish stay.
            key_xml: as bytes.
            qos_xml: the QoS as bytes.
            config: the ``<topic>`` section, if any.
            default: limits of the history where the section gives none.
        """
        if self.key is None:
            self.key = key
            self.key_xml = key_xml
        if config is not None or not self.qos_xml:
            self.qos_xml = qos_xml
            self.config = config or TopicQos()
            self.history.limits = limits_of(self.config.history, default)
            self.history.trim()
        self._document = None

    def unconfigure(self, default: QueueLimits) -> None:
        """Nobody has published on it after all.

        Args:
            default: limits of the history where nobody says so.
        """
        self.key = None
        self.key_xml = self.qos_xml = b""
        self.config = TopicQos()
        self.history.limits = default
        self.unasked = {}
        self._document = None

    def subscribe(self, subscription: Subscription) -> None:
        """Deliver to this subscription from now on."""
        if subscription.id in self.subscriptions:
            return
        self.subscriptions[subscription.id] = subscription
        subscription.topics.add(self)
        if not subscription.is_rule:
            self.exact += 1

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver to it no more."""
        if self.subscriptions.pop(subscription.id, None) is None:
            return
        subscription.topics.discard(self)
        if not subscription.is_rule:
            self.exact -= 1

    def settle_state(
        self, later: Callable[[int, Callable[[], None]], Any], default_delay: int, dead: Callable[[], None]
    ) -> None:
        """Move to the state that history and subscribers ask for (spec §8.1).

        Args:
            later: ``later(milliseconds, call)``.
            default_delay: milliseconds that a topic without own ``destroyDelay`` stays unreferenced.
            dead: called when the topic's time is over; at once or later.
        """
        if self.state is TopicState.DEAD:
            return
        if self.exact or len(self.history):
            self._cancel_timer()
            self.state = TopicState.UNCONFIGURED if self.key is None else TopicState.ALIVE
            return
        if self.key is None:
            dead()
            return
        if self.state is TopicState.UNREFERENCED:
            return
        self.state = TopicState.UNREFERENCED
        delay = self.config.destroy_delay if self.config.destroy_delay is not None else default_delay
        if delay == 0:
            dead()
        elif delay > 0:
            self.destroy_timer = later(delay, dead)

    def die(self) -> None:
        """The topic is gone; its timer too."""
        self._cancel_timer()
        self.state = TopicState.DEAD

    def stop(self) -> None:
        """Let go of the timer, without changing the state."""
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        timer, self.destroy_timer = self.destroy_timer, None
        if timer is not None and timer.active():
            timer.cancel()
