"""What native clients publish, as stanzas, and stanzas as native clients read them.

Text is a message's body. Other content is an element with its MIME type: bits of binary (XEP-0231), which is what
clients know for small data in a message.
"""

from __future__ import annotations

import base64
import hashlib

from broker.core.message import Message
from broker.errors import BrokerError
from broker.model.jid import JID
from broker.model.key import Key
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.wire import ns
from broker.xmpp.wire.stanza import element, message

STANZA_MIME = "application/xmpp+xml"
STANZA_KEY = Key("__xmpp", mime=STANZA_MIME)
"""Key of messages of the core whose content is a stanza, raw; nobody can publish under it but this tongue."""


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
    try:
        return base64.b64decode(data.text, validate=True), data.attributes.get("type", "application/octet-stream")
    except ValueError:
        return data.text.encode(), "text/plain"
