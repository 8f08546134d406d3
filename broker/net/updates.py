"""Queue entries and messages as units of the native protocol (spec xmlblaster §4.5, §20.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from broker.core.entries import Entry
from broker.core.message import Envelope, Message
from broker.model.property import ClientProperty
from broker.model.qos import RouteNode, UpdateQos
from broker.model.records import INITIAL, NO_CONTENT, NO_META
from broker.wire.frames import Unit, encode_unit
from broker.xmlio import UpdateTemplate, subscription_element, write_get_qos, write_key
from broker.xmpp.native import STANZA_MIME, content_of

ENCODING = "native"
INITIAL_ENCODING = "native initial"
INITIAL_PROPERTY = ClientProperty("__isInitialUpdate", "true", "boolean")

_subscription_element = lru_cache(maxsize=65_536)(subscription_element)


def _template(envelope: Envelope, name: str) -> UpdateTemplate:
    qos = envelope.qos
    if name is INITIAL_ENCODING:
        qos = replace(qos, properties=(*qos.properties, INITIAL_PROPERTY))
    template = envelope.encodings[name] = UpdateTemplate(qos)
    return template


def encode_entries(entries: Sequence[Entry], queued: int, now: int) -> bytes:
    """The units of an update.

    Args:
        entries: in order of delivery.
        queued: entries that the receiver's queue holds, with these.
        now: milliseconds since 1970.
    """
    pieces: list[bytes] = []
    for index, entry in enumerate(entries):
        message = entry.message
        envelope = message.envelope
        flags = entry.flags
        name = INITIAL_ENCODING if flags & INITIAL else ENCODING
        template = envelope.encodings.get(name) or _template(envelope, name)
        qos = template.render(
            _subscription_element(entry.subscription_id),
            message.id,
            index,
            queued - index,
            entry.redeliver,
            message.remaining_life(now),
        )
        key = write_key(replace(envelope.key, meta=b"")) if flags & NO_META else envelope.key_xml
        content = message.content
        if envelope.key.mime == STANZA_MIME:
            content, mime = content_of(content)
            key = write_key(replace(envelope.key, mime=mime))
        if flags & NO_CONTENT:
            content = b""
        pieces.append(b"%b\0%b\0%d\0" % (qos, key, len(content)))
        pieces.append(content)
    return b"".join(pieces)


def encode_message(message: Message, *, content: bool, node: str, now: int) -> bytes:
    """The unit of an answer to ``get``.

    Args:
        message: what was found.
        content: whether the content is wanted.
        node: id of this node, for the route.
        now: milliseconds since 1970.
    """
    life = message.remaining_life(now)
    qos = UpdateQos(
        publish=replace(message.qos, routes=(RouteNode(node, 0, message.id),)),
        received=message.id,
        remaining_life=-1 if life is None else life,
    )
    return encode_unit(*Unit(write_get_qos(qos), message.envelope.key_xml, message.content if content else b""))
