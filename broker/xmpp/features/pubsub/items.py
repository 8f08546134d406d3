"""Messages on topics as items of nodes, and what subscribers are told (XEP-0060 §7)."""

from __future__ import annotations

from broker.core.entries import Entry
from broker.core.items import item_id
from broker.core.message import Message
from broker.errors import BrokerError
from broker.model.item import ITEM, PUBLISHER, PURGED, RETRACTED, text_of
from broker.model.property import find
from broker.model.qos import STATE_ERASED
from broker.xml.tree import parse_tree
from broker.xmpp.routing.content import PAYLOAD_MIME, payload_of
from broker.xmpp.wire import ns
from broker.xmpp.wire.stanza import element, message


def write_item(item: Message, *, payload: bool = True) -> bytes:
    """A message as an ``<item/>``."""
    attributes = {"id": item_id(item), "publisher": text_of(item.qos.properties, PUBLISHER) or None}
    return element("item", attributes=attributes, content=_payload(item) if payload else b"")


def event(entry: Entry, host: str, to: str) -> bytes:
    """What a subscriber is told of a message on a topic (XEP-0060 §7.1.2, §7.2.2, §8.4.2, §8.5.2).

    Args:
        entry: of its queue.
        host: JID of the service.
        to: JID of the subscriber.
    """
    children = element("event", ns.PUBSUB_EVENT, content=_content(entry.message))
    return message(host, to, type="headline", id=str(entry.message.id), children=children)


def _content(item: Message) -> bytes:
    qos, node = item.qos, item.oid
    if qos.state == STATE_ERASED:
        return element("delete", attributes={"node": node})
    if find(qos.properties, PURGED) is not None:
        return element("purge", attributes={"node": node})
    retracted = text_of(qos.properties, RETRACTED)
    if retracted:
        return element("items", attributes={"node": node}, content=element("retract", attributes={"id": retracted}))
    return element("items", attributes={"node": node}, content=write_item(item))


def _payload(item: Message) -> bytes:
    mime = item.envelope.key.mime.partition(";")[0].strip().lower()
    if mime == PAYLOAD_MIME and text_of(item.qos.properties, ITEM):
        return item.content  # it was read when it was published
    if mime.endswith(("/xml", "+xml")):
        try:
            return parse_tree(item.content, "", what="payload", limit=max(len(item.content), 1)).to_bytes("")
        except BrokerError:  # its publisher claims to send XML, so what it is can be sent as something else only
            pass
    # A body of the items' own namespace would be none of a message.
    return payload_of(item).replace(b"<body>", f"<body xmlns='{ns.CLIENT}'>".encode(), 1)
