"""Changes to topics (operations §1.12a)."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

import msgspec

from broker.admin.actions.change import Body, ChangeDesk, Request, broker_of, change_operation
from broker.admin.api.bodies import wrong_member
from broker.admin.api.operations import Operation, Parameter
from broker.admin.api.query import flag
from broker.admin.roles import Right
from broker.admin.views.topics import TopicRow, topic_row
from broker.core.topics import Topic
from broker.errors import BrokerError, Code
from broker.model.base64_text import bytes_or_none
from broker.model.key import DEFAULT_MIME, Key
from broker.model.property import ClientProperty
from broker.model.qos import FOREVER, NORMAL_PRIORITY, PublishQos, QueueQos, TopicQos

FORCE = "forceDestroy"
MAX_SECONDS = 3_153_600_000
"""A hundred years."""
MAX_LIMIT = 2_147_483_647
HISTORY = "history"

Limit = Annotated[int, msgspec.Meta(ge=0, le=MAX_LIMIT)]
ByteLimit = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Delay = Annotated[float, msgspec.Meta(ge=-1, le=MAX_SECONDS)]


class TopicSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """How a topic is to behave; what is not given is as the configuration says.

    Args:
        readonly: the first message stays the only one.
        create_dom_entry: XPath queries find it.
        destroy_delay_seconds: that it stays without messages and exact subscribers; -1 for ever.
        max_history_entries: messages that are kept.
        max_history_bytes: that they may count for.
    """

    readonly: bool = False
    create_dom_entry: bool = True
    destroy_delay_seconds: Delay | None = None
    max_history_entries: Limit | None = None
    max_history_bytes: ByteLimit | None = None


class NewTopic(Body, frozen=True):
    """A topic that is wanted.

    Args:
        oid: its name; left out where ``key`` has it.
        domain: for queries by domain.
        mime: type of its contents.
        key: the whole key as XML, with what XPath queries find, in place of these three.
        topic: how it behaves.
    """

    oid: str = ""
    domain: str = ""
    mime: str = DEFAULT_MIME
    key: str = ""
    topic: TopicSection = TopicSection()


class TopicChanges(Body, frozen=True):
    """What is to be changed of a topic; what is not given stays.

    Args:
        readonly: nobody publishes any more.
        destroy_delay_seconds: that it stays without messages and exact subscribers; -1 for ever.
        max_history_entries: messages that are kept; those beyond it go, the oldest first.
        max_history_bytes: that they may count for; likewise.
    """

    readonly: bool | None = None
    destroy_delay_seconds: Delay | None = None
    max_history_entries: Limit | None = None
    max_history_bytes: ByteLimit | None = None


class TrialMessage(Body, frozen=True):
    """A message that is published to see what becomes of it; the content is one of the first two.

    Args:
        content_text: as text, which is sent in UTF-8.
        content_base64: as bytes.
        persistent: it outlives a restart.
        priority: 0 to 9.
        life_time_seconds: until it expires, -1 for never, 0 for never kept.
        properties: client properties that are texts.
    """

    content_text: str | None = None
    content_base64: str | None = None
    persistent: bool = False
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = NORMAL_PRIORITY
    life_time_seconds: Delay = FOREVER
    properties: dict[str, str] = msgspec.field(default_factory=dict)


class PublishedMessage(msgspec.Struct, frozen=True, rename="camel"):
    """A message is published.

    Args:
        message_id: of it.
        receivers: subscriptions whose queues have it.
    """

    message_id: str
    receivers: int


class Erased(msgspec.Struct, frozen=True):
    """Messages are gone.

    Args:
        entries: that the history had.
    """

    entries: int


def topic_changes(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
    """

    def existing(oid: str) -> Topic:
        topic = broker_of(desk).node.topics.get(oid)
        if topic is None:
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no topic {oid[:200]}", oid)
        return topic

    async def make(request: Request[NewTopic]) -> TopicRow:
        broker, body = broker_of(desk), request.body
        key = Key(body.oid, body.mime or DEFAULT_MIME, domain=body.domain)
        if body.key:
            if body.oid or body.domain or body.mime != DEFAULT_MIME:
                raise wrong_member("/key", "it stands in place of oid, domain and mime")
            key = broker.node.codec.read_key(body.key.encode())
        return topic_row(broker.node, broker.topic_control.make(request.asker, key, topic_qos(body.topic)))

    async def change(request: Request[TopicChanges]) -> TopicRow:
        broker, topic = broker_of(desk), existing(request["oid"])
        broker.topic_control.configure(request.asker, topic, _changed(topic.config, request.body))
        return topic_row(broker.node, topic)

    async def publish(request: Request[TrialMessage]) -> PublishedMessage:
        body, topic = request.body, existing(request["oid"])
        qos = PublishQos(
            priority=body.priority,
            persistent=body.persistent,
            life_time=FOREVER if body.life_time_seconds < 0 else round(body.life_time_seconds * 1000),
            properties=tuple(ClientProperty(name, value) for name, value in body.properties.items()),
        )
        put = await broker_of(desk).topic_control.publish(request.asker, topic, qos, _content_of(body))
        return PublishedMessage(str(put.id), put.receivers)

    async def erase(request: Request[Body]) -> Erased:
        force = flag(request.call, FORCE)
        return Erased(broker_of(desk).erase_topic(request.asker, request["oid"], force=force))

    async def clear(request: Request[Body]) -> Erased:
        return Erased(broker_of(desk).clear_topic(request.asker, request["oid"]))

    return [
        change_operation(
            desk,
            "createTopic",
            "POST",
            "/topics",
            Right.ADMINISTRATOR,
            "Make a topic that is configured; it belongs to everybody.",
            "topic.create",
            NewTopic,
            TopicRow,
            make,
            status=HTTPStatus.CREATED,
            target=lambda request: f"topics/{request.body.oid}" if request.body.oid else "topics",
        ),
        change_operation(
            desk,
            "changeTopic",
            "PATCH",
            "/topics/{oid}",
            Right.ADMINISTRATOR,
            "Let a topic behave otherwise; its key stays.",
            "topic.change",
            TopicChanges,
            TopicRow,
            change,
        ),
        change_operation(
            desk,
            "publishOnTopic",
            "POST",
            "/topics/{oid}/publish",
            Right.ADMINISTRATOR,
            "Publish a message in your own name, to see what becomes of it.",
            "topic.publish",
            TrialMessage,
            PublishedMessage,
            publish,
        ),
        change_operation(
            desk,
            "eraseTopic",
            "DELETE",
            "/topics/{oid}",
            Right.ADMINISTRATOR,
            "Erase a topic; its subscribers are told.",
            "topic.erase",
            Body,
            Erased,
            erase,
            parameters=(
                Parameter(
                    FORCE,
                    {
                        "type": "boolean",
                        "default": False,
                        "description": "Also what queues hold of it; else that is delivered.",
                    },
                ),
            ),
        ),
        change_operation(
            desk,
            "clearHistory",
            "POST",
            "/topics/{oid}/history/clear",
            Right.ADMINISTRATOR,
            "Empty the history of a topic.",
            "topic.clearHistory",
            Body,
            Erased,
            clear,
        ),
    ]


def topic_qos(section: TopicSection) -> TopicQos:
    """The configuration as the core knows it."""
    changes = TopicChanges(
        readonly=section.readonly,
        destroy_delay_seconds=section.destroy_delay_seconds,
        max_history_entries=section.max_history_entries,
        max_history_bytes=section.max_history_bytes,
    )
    return _changed(TopicQos(create_dom_entry=section.create_dom_entry), changes)


def _changed(config: TopicQos, changes: TopicChanges) -> TopicQos:
    history, delay = config.history, changes.destroy_delay_seconds
    if changes.max_history_entries is not None or changes.max_history_bytes is not None:
        known = history or QueueQos(HISTORY)
        history = replace(
            known,
            max_entries=known.max_entries if changes.max_history_entries is None else changes.max_history_entries,
            max_bytes=known.max_bytes if changes.max_history_bytes is None else changes.max_history_bytes,
        )
    return replace(
        config,
        readonly=config.readonly if changes.readonly is None else changes.readonly,
        destroy_delay=config.destroy_delay if delay is None else max(-1, round(delay * 1000)),
        history=history,
    )


def _content_of(message: TrialMessage) -> bytes:
    text, encoded = message.content_text, message.content_base64
    if (text is None) is (encoded is None):
        raise wrong_member("/contentText", "give the content as contentText or as contentBase64")
    if encoded is None:
        return (text or "").encode()
    content = bytes_or_none(encoded)
    if content is None:
        raise wrong_member("/contentBase64", "it is no base64")
    return content
