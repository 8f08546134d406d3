"""Messages on topics as items of nodes, and what subscribers are told (XEP-0060 §7)."""

from __future__ import annotations

from collections.abc import Iterable

from broker.core.entries import Entry
from broker.core.message import Message
from broker.errors import BrokerError
from broker.model.property import ClientProperty, find, property_of
from broker.model.qos import STATE_OK
from broker.xml.tree import parse_tree
from broker.xmpp.routing.content import payload_of
from broker.xmpp.wire import ns
from broker.xmpp.wire.stanza import element, message

ITEM = "_pubsub.item"
"""Client property: id of the item that a message is."""
PUBLISHER = "_pubsub.publisher"
"""Client property: who has published it."""
RETRACTED = "_pubsub.retracted"
"""Client property: id of the item that is gone."""
PURGED = "_pubsub.purged"
"""Client property: all items are gone."""
STATE_ERASED = "ERASED"
PAYLOAD_MIME = "application/xml"
_ENCODING = "pubsub"


def item_properties(id: str, publisher: str) -> tuple[ClientProperty, ...]:
    """What tells that a message is an item."""
    return (property_of(ITEM, id), property_of(PUBLISHER, publisher))


def item_id(item: Message) -> str:
    """The id of a message's item: its publisher's, or (from a native client) the message's own."""
    return _value(item.qos.properties, ITEM) or str(item.id)


def write_item(item: Message, *, payload: bool = True) -> bytes:
    """A message as an ``<item/>``."""
    attributes = {"id": item_id(item), "publisher": _value(item.qos.properties, PUBLISHER) or None}
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
    retracted = _value(qos.properties, RETRACTED)
    if retracted:
        return element("items", attributes={"node": node}, content=element("retract", attributes={"id": retracted}))
    return element("items", attributes={"node": node}, content=write_item(item))


def is_item(item: Message) -> bool:
    """Whether a message is an item rather than news of what became of one."""
    properties = item.qos.properties
    return item.qos.state == STATE_OK and find(properties, RETRACTED) is None and find(properties, PURGED) is None


def _payload(item: Message) -> bytes:
    mime = item.envelope.key.mime.partition(";")[0].strip().lower()
    if mime == PAYLOAD_MIME and _value(item.qos.properties, ITEM):
        return item.content  # it was read when it was published
    if mime.endswith(("/xml", "+xml")):
        try:
            return parse_tree(item.content, "", what="payload", limit=max(len(item.content), 1)).to_bytes("")
        except BrokerError:  # its publisher claims to send XML, so what it is can be sent as something else only
            pass
    # A body of the items' own namespace would be none of a message.
    return payload_of(item).replace(b"<body>", f"<body xmlns='{ns.CLIENT}'>".encode(), 1)


def _value(properties: Iterable[ClientProperty], name: str) -> str:
    found = find(properties, name)
    return found.text if found is not None else ""
