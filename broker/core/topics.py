"""A topic: its configuration, its subscribers and its life (spec xmlblaster §8)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.logger import Logger

from broker.core.codec import Encoded, Queries
from broker.core.entries import QueueLimits
from broker.core.history import History
from broker.core.quotas import Usage
from broker.core.settings import limits_of
from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.model.plugin import is_chosen
from broker.model.qos import PublishQos, TopicQos
from broker.timers import cancel

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from broker.core.message import Message
    from broker.core.sessions import Session
    from broker.core.subscriptions import Subscription
    from broker.filters.candidate import Candidate


log = Logger()

NOTHING = Encoded(b"", b"")


def check_configuration(config: TopicQos) -> None:
    """Refuse a topic that asks for another distributor than the only one, which gives each subscriber each message.

    Raises:
        BrokerError: ``resource.configuration.pluginFailed``.
    """
    distributor = config.distributor
    if distributor is not None and is_chosen(distributor):
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, f"there is no message distributor '{distributor[:64]}'"
        )


class OnTopic(NamedTuple):
    """A message as the filters of a topic's subscribers see it (:class:`broker.filters.Candidate`).

    Args:
        key: of the topic.
        qos: of the message.
        content: of the message.
    """

    key: Key
    qos: PublishQos
    content: bytes


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
        queries: make what queries see of it.

    Attributes:
        key: of the first publish; ``None`` while nobody has published.
        encoded: its key, and the publish QoS that configured it, for the store.
        config: its ``<topic>`` section.
        owner: login name of whom it belongs to, as the core has set it; empty for a topic that is everybody's.
        creator: usage of the account that it counts for; ``None`` where it counts for nobody.
        subscriptions: who receives, by subscription id.
        exact: how many of them name this topic by its oid.
        stored: whether its record is in the store.
        used: somebody has published on it.
        unasked: sessions of which some XPath subscriptions could not be asked whether they want it, with their number;
            until the next message tells them.
    """

    __slots__ = (
        "_document",
        "_queries",
        "_unsearchable",
        "config",
        "creator",
        "destroy_timer",
        "encoded",
        "exact",
        "history",
        "id",
        "key",
        "oid",
        "owner",
        "state",
        "stored",
        "subscriptions",
        "unasked",
        "used",
    )

    def __init__(self, id: int, oid: str, history: History, queries: Queries) -> None:
        self.id = id
        self.oid = oid
        self.history = history
        self.key: Key | None = None
        self.encoded = NOTHING
        self.config = TopicQos()
        self.owner = ""
        self.creator: Usage | None = None
        self.state = TopicState.UNCONFIGURED
        self.subscriptions: dict[Subscription, None] = {}  # in the order in which they came
        self.exact = 0
        self.stored = False
        self.used = False
        self.unasked: dict[Session, int] = {}
        self.destroy_timer: IDelayedCall | None = None
        self._document: Any = None
        self._unsearchable = False
        self._queries = queries

    @property
    def is_internal(self) -> bool:
        """Whether the broker itself owns it (spec §1.2)."""
        return self.oid.startswith("__")

    @property
    def domain(self) -> str:
        """What domain queries see of it; empty where it is not to be found by them."""
        return self.key.domain if self.key is not None and not self.is_internal else ""

    @property
    def document(self) -> Any:
        """What XPath queries see of it; ``None`` where it is not to be found by them."""
        if self._document is None and self.key is not None and not self._unsearchable:
            try:
                self._document = self.document_of(self.key, None)
            except BrokerError as error:  # it was accepted when more was allowed; others' queries go on without it
                log.warn("topic {oid} is not found by XPath queries: {error}", oid=self.oid, error=error)
            self._unsearchable = self._document is None
        return self._document

    def document_of(self, key: Key, config: TopicQos | None) -> Any:
        """What XPath queries would see of it, if it had another key and configuration.

        Args:
            key: the key.
            config: its configuration; ``None`` for what it has.

        Raises:
            BrokerError: the key cannot be searched.
        """
        is_searchable = (config or self.config).create_dom_entry and not self.is_internal
        account = self.creator.account if self.creator is not None else ""
        return self._queries.document(key, account) if is_searchable else None

    def candidate(self, message: Message) -> Candidate:
        """A message as filters are to see it: the topic's MIME type decides which of them apply (spec §12.1).

        Publishers often name the type in their first message only.
        """
        key = self.key
        if key is None or key.mime == message.envelope.key.mime:
            return message
        return OnTopic(key, message.envelope.qos, message.content)

    def configure(
        self,
        key: Key,
        encoded: Encoded,
        config: TopicQos | None,
        default: QueueLimits,
        *,
        described: bool = False,
        document: Any = None,
    ) -> None:
        """Take the configuration of the first (or an administrative) publish (spec §8.2).

        Args:
            key: its key; the meta data of the first publish stay.
            encoded: key and QoS of that publish, for the store.
            config: the ``<topic>`` section, if any.
            default: limits of the history where the section gives none.
            described: take its key in place of the one before.
            document: what XPath queries see of it from now on, where that is known already.
        """
        if self.key is None or described:
            self.key = key
            self.encoded = self.encoded._replace(key=encoded.key)
        if config is not None or not self.encoded.qos:
            self.encoded = self.encoded._replace(qos=encoded.qos)
            self.config = config or TopicQos()
            self.history.limits = limits_of(self.config.history, default)
            self.history.trim()
        self._document = document
        self._unsearchable = False

    def charge(self, usage: Usage) -> None:
        """Count for an account from now on."""
        self.creator = usage
        usage.topics += 1
        self.history.charge(usage)

    def release(self) -> None:
        """Count for nobody any more."""
        creator, self.creator = self.creator, None
        if creator is not None:
            creator.topics -= 1
            self.history.charge(Usage())

    def unconfigure(self, default: QueueLimits) -> None:
        """Take the configuration of the first publish back.

        Args:
            default: limits of the history.
        """
        for subscription in [each for each in self.subscriptions if each.is_rule]:
            self.unsubscribe(subscription)
        self.unasked = {}
        self.key = None
        self.encoded = NOTHING
        self.config = TopicQos()
        self.owner = ""
        self.release()
        self.history.limits = default
        self.state = TopicState.UNCONFIGURED
        self._document = None

    def subscribe(self, subscription: Subscription) -> None:
        """Deliver to this subscription from now on."""
        if subscription in self.subscriptions:
            return
        self.subscriptions[subscription] = None
        subscription.topics.add(self)
        if subscription.is_rule:
            subscription.session.subject.usage.matches += 1
        else:
            self.exact += 1

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver to it no more."""
        if subscription not in self.subscriptions:
            return
        del self.subscriptions[subscription]
        subscription.topics.discard(self)
        subscription.forget(self.oid)
        if subscription.is_rule:
            subscription.session.subject.usage.matches -= 1
        else:
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
        cancel(timer)
