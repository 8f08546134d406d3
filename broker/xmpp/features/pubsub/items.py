"""Messages on topics as items of nodes, and what subscribers are told (XEP-0060 §7)."""

from __future__ import annotations

from broker.core.items import item_id
from broker.core.message import Message
from broker.errors import BrokerError
from broker.model.item import PUBLISHER, PURGED, RETRACTED, text_of
from broker.model.property import find
from broker.model.qos import STATE_ERASED
from broker.xml.tree import parse_tree
from broker.xmpp.features.pubsub.config import NodeConfig
from broker.xmpp.routing.content import is_raw_item, payload_of
from broker.xmpp.wire import ns
from broker.xmpp.wire.stanza import element, message_around_address, to_attribute

MAX_EVENTS = 1024 * 1024
"""Bytes of the events that are remembered; a message mostly goes to all its subscribers within a turn or two."""


def write_item(item: Message, *, payload: bool = True) -> bytes:
    """A message as an ``<item/>``."""
    attributes = {"id": item_id(item), "publisher": text_of(item.qos.properties, PUBLISHER) or None}
    return element("item", attributes=attributes, content=_payload(item) if payload else b"")


class Events:
    """Writes what subscribers are told of messages on topics (XEP-0060 §7.1.2, §7.2.2, §8.4.2, §8.5.2).

    What they are told of one message differs by their addresses alone, so all else is written once.

    Args:
        host: JID of the service.
    """

    __slots__ = ("_host", "_size", "_written")

    def __init__(self, host: str) -> None:
        self._host = host
        self._written: dict[int, tuple[bytes, bytes, NodeConfig]] = {}
        self._size = 0

    def event(self, item: Message, to: str, config: NodeConfig) -> bytes:
        """What one subscriber is told.

        Args:
            item: the message.
            to: JID of the subscriber.
            config: of the node.

        Returns:
            A stanza; nothing where subscribers are not told of this.
        """
        head, end, by = self._written.get(item.id) or self._write(item, config)
        if by is not config and by != config:  # mostly it is the same object
            head, end, _ = self._write(item, config)
        return b"%b%b%b" % (head, to_attribute(to), end) if head else b""

    def _write(self, item: Message, config: NodeConfig) -> tuple[bytes, bytes, NodeConfig]:
        content = _content(item, config)
        if not content:
            return b"", b"", config
        children = element("event", ns.PUBSUB_EVENT, content=content)
        head, end = message_around_address(self._host, config.notification_type, str(item.id), children)
        written = head, end, config
        self._size += len(end)
        if self._size > MAX_EVENTS:
            self._size = len(end)
            self._written.clear()
        if self._size <= MAX_EVENTS:
            self._written[item.id] = written
        return written


def _content(item: Message, config: NodeConfig) -> bytes:
    qos, node = item.qos, item.oid
    if qos.state == STATE_ERASED:
        return element("delete", attributes={"node": node})
    if find(qos.properties, PURGED) is not None:
        return element("purge", attributes={"node": node}) if config.notify_retract else b""
    retracted = text_of(qos.properties, RETRACTED)
    if retracted:
        if not config.notify_retract:
            return b""
        return element("items", attributes={"node": node}, content=element("retract", attributes={"id": retracted}))
    return element("items", attributes={"node": node}, content=write_item(item, payload=config.deliver_payloads))


def _payload(item: Message) -> bytes:
    if is_raw_item(item):
        return item.content  # it was read when it was published, or checked when it came from the store
    mime = item.envelope.key.mime.partition(";")[0].strip().lower()
    if mime.endswith(("/xml", "+xml")):
        try:
            return parse_tree(item.content, "", what="payload", limit=max(len(item.content), 1)).to_bytes("")
        except BrokerError:  # its publisher claims to send XML, so what it is can be sent as something else only
            pass
    # A body of the items' own namespace would be none of a message.
    return payload_of(item).replace(b"<body>", f"<body xmlns='{ns.CLIENT}'>".encode(), 1)
