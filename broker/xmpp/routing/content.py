"""What native clients publish, as stanzas, and stanzas as native clients read them.

Text is a message's body. Other content is an element with its MIME type: bits of binary (XEP-0231), which is what
clients know for small data in a message.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from broker.core.message import Message
from broker.errors import BrokerError, Code
from broker.model.base64_text import bytes_or_none
from broker.model.item import ITEM
from broker.model.jid import JID
from broker.model.key import Key
from broker.model.property import find
from broker.xml.tree import Tree, parse_tree
from broker.xml.well_formed import is_element
from broker.xmpp.wire import ns
from broker.xmpp.wire.stanza import element, message

if TYPE_CHECKING:
    from broker.core.node import Node

STANZA_MIME = "application/xmpp+xml"
STANZA_KEY = Key("__xmpp", mime=STANZA_MIME)
"""Key of messages of the core whose content is a stanza, raw; nobody can publish under it but this tongue."""
PAYLOAD_MIME = "application/xml"
"""Of items: their payload was read when it was published, and goes out as it is."""


def serve(node: Node) -> None:
    """Tell the core of contents that go into streams as they are; called once, before recovery."""
    node.raw_contents[STANZA_KEY.oid] = content_of
    node.content_checks.append(check_stored)


def check_stored(stored: Message) -> None:
    """Refuse a message from the store whose content would break the stream of whoever it is for.

    Raises:
        BrokerError: ``resource.db.unknown``.
    """
    content = stored.content
    if not content:  # only its header was read, or it is an item without a payload
        return
    if stored.oid == STANZA_KEY.oid:
        fits = is_element(content, "message", "presence", "iq")
    elif is_raw_item(stored):
        fits = is_element(content)
    else:
        return
    if not fits:
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "its content is no element any more")


def is_raw_item(item: Message) -> bool:
    """Whether the content of a message on a topic goes out as it is: the payload that an XMPP client published."""
    return item.envelope.key.mime == PAYLOAD_MIME and find(item.qos.properties, ITEM) is not None


def check_presence(written: str) -> None:
    """Refuse presence from the store that would break the stream of whoever it is for.

    Raises:
        BrokerError: ``resource.db.unknown``.
    """
    if not is_element(written.encode(), "presence"):
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "the presence that it holds is none")


def is_text(mime: str) -> bool:
    """Whether content of a MIME type is for people to read."""
    return mime.partition(";")[0].strip().lower().startswith("text/")


def stanza_of(native: Message, domain: str, to: JID) -> bytes:
    """A message of a native client as a stanza.

    Args:
        native: the message.
        domain: that is served.
        to: the receiver.
    """
    sender = native.qos.sender.rpartition("/client/")[2].partition("/")[0]
    from_ = f"{sender}@{domain}" if sender and not sender.startswith("_") else domain
    return message(from_, to.full, type="chat", id=str(native.id), children=payload_of(native))


def payload_of(native: Message) -> bytes:
    """The content of a native message as children of a stanza."""
    mime = native.envelope.key.mime
    if is_text(mime):
        try:
            return element("body", content=native.content.decode())
        except UnicodeDecodeError:
            pass
    name = f"sha1+{hashlib.sha1(native.content, usedforsecurity=False).hexdigest()}@bob.xmpp.org"
    attributes = {"cid": name, "max-age": "0", "type": mime}
    return element("data", ns.BITS_OF_BINARY, attributes, base64.b64encode(native.content))


def content_of(stanza: bytes) -> tuple[bytes, str]:
    """A stanza as content and MIME type for native clients: its body, bits of binary, or the stanza itself.

    Args:
        stanza: as it is queued.
    """
    try:
        tree = parse_tree(stanza, ns.CLIENT, what="stanza")
    except BrokerError:  # it was read before, so only limits of trees can have been reached
        return stanza, STANZA_MIME
    data = tree.find(ns.BITS_OF_BINARY, "data")
    if data is not None:
        return _bits(data)
    body = tree.find(ns.CLIENT, "body")
    return (stanza, STANZA_MIME) if body is None else (body.text.encode(), "text/plain")


def _bits(data: Tree) -> tuple[bytes, str]:
    content = bytes_or_none(data.text)
    if content is None:
        return data.text.encode(), "text/plain"
    return content, data.attributes.get("type", "application/octet-stream")


class StanzaHead(NamedTuple):
    """What a stanza is, without what is in it.

    Args:
        kind: ``message``, ``presence`` or ``iq``.
        type: of it; empty for none.
        id: that its sender has given it; likewise.
    """

    kind: str
    type: str = ""
    id: str = ""


def head_of(stanza: bytes) -> StanzaHead | None:
    """What a stanza is; ``None`` where it cannot be read.

    Args:
        stanza: as it is queued.
    """
    try:
        tree = parse_tree(stanza, ns.CLIENT, what="stanza")
    except BrokerError:
        return None
    return StanzaHead(tree.name, tree.attributes.get("type", ""), tree.attributes.get("id", ""))
