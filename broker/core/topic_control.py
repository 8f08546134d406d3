"""Topics as an administrator makes, configures and tries them, whoever they belong to (operations §1.12a)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from broker.core.asker import Asker
from broker.core.topics import Topic, TopicState, check_configuration
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.key import INTERNAL_PREFIX, Key
from broker.model.qos import PublishQos, TopicQos

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.publishing import Publisher, Put


class TopicControl:
    """Changes topics for those whom administration has let in; it is all that a session needs no right for.

    Args:
        node: shared state.
        publisher: configures topics, and publishes on them.
    """

    def __init__(self, node: Node, publisher: Publisher) -> None:
        self._node = node
        self._publisher = publisher

    def check_key(self, key: Key) -> Key:
        """A key as it would be read back.

        Raises:
            BrokerError: ``user.illegalArgument`` for one without an oid, of the broker itself, of a tongue that alone
                publishes on it, or with what XML has no way to write.
        """
        node = self._node
        if not key.oid:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "a topic needs an oid")
        if key.oid.startswith(INTERNAL_PREFIX) or key.oid in node.raw_contents:
            raise BrokerError(
                Code.USER_ILLEGAL_ARGUMENT, f"'{key.oid[:200]}' is reserved for the broker itself", key.oid
            )
        read = node.codec.read_key(node.codec.write_key(key))
        if read != key:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the key has characters that XML cannot write")
        return read

    def make(self, asking: Asker, key: Key, config: TopicQos) -> Topic:
        """Make a topic that is configured; it belongs to everybody and counts for nobody.

        Args:
            asking: who makes it.
            key: of it.
            config: how it behaves.

        Raises:
            BrokerError: as :meth:`check_key`; ``user.configuration`` where it is configured already,
                ``resource.exhaust`` where there are too many topics.
        """
        key = self.check_key(key)
        topic = self._node.topics.get(key.oid)
        if topic is not None and topic.key is not None:
            raise BrokerError(Code.USER_CONFIGURATION, f"there is a topic '{key.oid[:200]}' already", key.oid)
        topic = self._node.topic(key.oid)
        self._configure(topic, key, config, described=True)
        return topic

    def configure(self, asking: Asker, topic: Topic, config: TopicQos) -> None:
        """Let a topic behave otherwise; messages beyond a lower limit of its history go, the oldest first.

        Args:
            asking: who changes it.
            topic: that is configured.
            config: how it behaves from now on.

        Raises:
            BrokerError: ``user.configuration`` where nobody has configured it.
        """
        key = topic.key
        if key is None:
            raise BrokerError(
                Code.USER_CONFIGURATION, f"topic '{topic.oid[:200]}' is not configured yet: make it first", topic.oid
            )
        self._configure(topic, key, config, described=False)

    def check_definition(self, key: Key, config: TopicQos) -> None:
        """Refuse what :meth:`define` could not make a topic of; raises as :meth:`check_key` and as queries do."""
        self.check_key(key)
        check_configuration(config)
        if config.create_dom_entry:
            self._node.queries.document(key)

    def define(self, asking: Asker, key: Key, config: TopicQos, owner: str, creator: str) -> Topic:
        """Make a topic as it was in another broker.

        Args:
            asking: who makes it.
            key: of it, checked.
            config: how it behaves, checked.
            owner: login name of whom it belongs to; empty for everybody.
            creator: login name that it counts for; empty for nobody.

        Raises:
            BrokerError: as :meth:`make`.
        """
        topic = self._node.topic(key.oid)
        topic.owner = owner
        if creator and topic.creator is None:
            topic.charge(self._node.quotas.of(creator))
        self._configure(topic, key, config, described=True)
        return topic

    async def publish(self, asking: Asker, topic: Topic, qos: PublishQos, content: bytes) -> Put:
        """Publish a message, to see what becomes of it; its sender is the administrator.

        Args:
            asking: who publishes.
            topic: on which.
            qos: of the message, without destinations.
            content: opaque bytes.

        Raises:
            BrokerError: ``user.illegalArgument`` for a topic of the broker itself; see
                :meth:`broker.core.publishing.Publisher.publish_as`.
        """
        key = self.check_key(topic.key or Key(topic.oid))
        sender = SessionName(self._node.id, asking.sender)
        return await self._publisher.publish_as(sender, replace(key, meta=b""), qos, content)

    def _configure(self, topic: Topic, key: Key, config: TopicQos, *, described: bool) -> None:
        try:
            self._publisher.configure(topic, key, config, described=described)
        finally:
            if topic.state is TopicState.UNREFERENCED:  # its time begins anew, and may be another
                topic.stop()
                topic.state = TopicState.ALIVE
            self._node.check_topic(topic)
