"""Queue entries and messages as units of the native protocol (spec xmlblaster §4.5, §20.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from broker.core.entries import Entry
from broker.core.message import Envelope, Message
from broker.model.cache import cached_if_short
from broker.model.property import ClientProperty
from broker.model.qos import RouteNode, UpdateQos
from broker.model.records import INITIAL, NO_CONTENT, NO_META
from broker.native.codec import UpdateTemplate, subscription_element, write_get_qos, write_key
from broker.native.wire.frames import Unit

ENCODING = "native"
INITIAL_ENCODING = "native initial"
UNIT_FORMAT = "native unit"
INITIAL_PROPERTY = ClientProperty("__isInitialUpdate", "true", "boolean")
MARKED = INITIAL | NO_CONTENT | NO_META
LARGE = 4096
"""Bytes of a content that is not worth copying once more to save a formatting operation."""

_subscription_element = cached_if_short(65_536)(subscription_element)


def encode_units(entries: Sequence[Entry], queued: int, now: int, *, alone: bool = False) -> list[bytes]:
    """The units of an update, or of several.

    Args:
        entries: in order of delivery.
        queued: entries that the receiver's queue holds, with these.
        now: milliseconds since 1970.
        alone: each of them has an update of its own.
    """
    units: list[bytes] = []
    subscription, subscription_id = b"", ""  # mostly of one for all entries
    for place, entry in enumerate(entries):
        message = entry.message
        envelope = message.envelope
        content = message.content
        size = len(content)
        index = 0 if alone else place
        if not (entry.flags & MARKED or entry.redeliver or message.expires or size > LARGE):
            unit = envelope.encodings.get(UNIT_FORMAT)
            if unit is None:
                unit = envelope.encodings[UNIT_FORMAT] = _unit_format(envelope)
            if unit:
                if entry.subscription_id != subscription_id:
                    subscription_id = entry.subscription_id
                    subscription = _subscription_element(subscription_id)
                units.append(unit % (subscription, message.id, index, queued - place, size, content))
                continue
        units.append(_encode_unit(entry, index, queued - place, now))
    return units


def _encode_unit(entry: Entry, index: int, queued: int, now: int) -> bytes:
    message = entry.message
    envelope = message.envelope
    flags = entry.flags
    name = INITIAL_ENCODING if flags & INITIAL else ENCODING
    template = envelope.encodings.get(name) or _template(envelope, name)
    subscription = _subscription_element(entry.subscription_id)
    qos = template.render(subscription, message.id, index, queued, entry.redeliver, message.remaining_life(now))
    key = write_key(replace(envelope.key, meta=b"")) if flags & NO_META else envelope.encoded.key
    content = message.content
    if envelope.neutral is not None:
        content, mime = envelope.neutral(content)
        key = write_key(replace(envelope.key, mime=mime))
    if flags & NO_CONTENT:
        content = b""
    return b"".join((qos, b"\0", key, b"\0%d\0" % len(content), content))


def _template(envelope: Envelope, name: str) -> UpdateTemplate:
    qos = envelope.qos
    if name is INITIAL_ENCODING:
        qos = replace(qos, properties=(*qos.properties, INITIAL_PROPERTY))
    template = envelope.encodings[name] = UpdateTemplate(qos)
    return template


def _unit_format(envelope: Envelope) -> bytes:
    """What makes a whole unit in one formatting operation; empty where the content must be looked at."""
    if envelope.neutral is not None:
        return b""
    return _template(envelope, ENCODING).common + b"\0" + envelope.encoded.key.replace(b"%", b"%%") + b"\0%d\0%b"


def message_unit(message: Message, *, content: bool, node: str, now: int) -> Unit:
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
    return Unit(write_get_qos(qos), message.envelope.encoded.key, message.content if content else b"")
