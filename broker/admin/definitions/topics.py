"""Definitions of topics."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from broker.admin.definitions.format import TopicDefinition
from broker.admin.definitions.section import Section
from broker.core.asker import Asker
from broker.core.broker import Broker
from broker.core.topics import Topic
from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.model.qos import PublishQos, TopicQos


class TopicSection(Section[TopicDefinition]):
    """Topics that are configured, but those of the broker itself.

    Args:
        broker: the core.
    """

    name = "topics"

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._node = broker.node

    async def read(self) -> list[TopicDefinition]:
        """By oid."""
        topics = self._node.topics
        return [
            self._definition(topic.key, topic)
            for topic in (topics[oid] for oid in sorted(topics))
            if topic.key is not None and not topic.is_internal and topic.oid not in self._node.raw_contents
        ]

    def name_of(self, definition: TopicDefinition) -> str:
        """The oid."""
        return definition.oid

    def completed(self, before: TopicDefinition | None, wanted: TopicDefinition, *, replace: bool) -> TopicDefinition:
        """Key and QoS as the broker itself writes them."""
        try:
            key, config = self._parsed(wanted)
        except BrokerError:
            return wanted  # which the check refuses
        return msgspec.structs.replace(wanted, key=self._written(key), qos=self._written_qos(config))

    def check(self, before: TopicDefinition | None, after: TopicDefinition) -> None:
        """Refuse what can be no topic, and what cannot be changed of one."""
        key, config = self._parsed(after)
        if key.oid != after.oid:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "oid and key have different names")
        self._broker.topic_control.check_definition(key, config)
        for login in (after.owner, after.creator):
            if login:
                self._broker.registry.check_subject_name(login)
        if before is None:
            return
        known, was = self._parsed(before)
        if was.readonly:
            raise BrokerError(Code.USER_PUBLISH_READONLY, "the topic is readonly")
        if (known.domain, known.mime, known.mime_extended) != (key.domain, key.mime, key.mime_extended):
            raise BrokerError(Code.USER_CONFIGURATION, "the topic has another domain or MIME type; erase it first")
        if was.create_dom_entry is not config.create_dom_entry:
            raise BrokerError(Code.USER_CONFIGURATION, "the topic has another createDomEntry; erase it first")
        if (before.owner, before.creator) != (after.owner, after.creator):
            raise BrokerError(Code.USER_CONFIGURATION, "the topic belongs to somebody else; erase it first")

    def check_all(
        self, asker: Asker, after: Mapping[str, TopicDefinition], known: Mapping[str, TopicDefinition]
    ) -> Mapping[str, str]:
        """There is room for so many."""
        new = [name for name in after if name not in known]
        problems: dict[str, str] = {}
        if new and len(self._node.topics) + len(new) > self._node.settings.max_topics:
            problems = dict.fromkeys(new, f"there would be more than {self._node.settings.max_topics} topics")
        made: dict[str, int] = {}
        for name in new:
            creator = after[name].creator
            if creator:
                usage = self._node.quotas.of(creator)
                made[creator] = made.get(creator, 0) + 1
                if usage.topics + made[creator] > usage.limits.topics:
                    problems[name] = f"{creator} would have more than {usage.limits.topics} topics"
        return problems

    def put(self, asker: Asker, before: TopicDefinition | None, after: TopicDefinition) -> None:
        """Without messages."""
        key, config = self._parsed(after)
        self._broker.topic_control.define(asker, key, config, after.owner, after.creator)

    def delete(self, asker: Asker, before: TopicDefinition) -> None:
        """Erase it; its subscribers are told."""
        if before.oid in self._node.topics:
            self._broker.erase_topic(asker, before.oid, force=False)

    def _definition(self, key: Key, topic: Topic) -> TopicDefinition:
        creator = "" if topic.creator is None else topic.creator.account
        return TopicDefinition(topic.oid, self._written(key), self._written_qos(topic.config), topic.owner, creator)

    def _parsed(self, definition: TopicDefinition) -> tuple[Key, TopicQos]:
        codec = self._node.codec
        qos = codec.read_publish_qos(definition.qos.encode())
        return codec.read_key(definition.key.encode()), qos.topic or TopicQos()

    def _written(self, key: Key) -> str:
        return self._node.codec.write_key(key).decode()

    def _written_qos(self, config: TopicQos) -> str:
        return self._node.codec.write_publish_qos(PublishQos(administrative=True, topic=config)).decode()
