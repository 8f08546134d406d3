"""Entries of queues: the envelopes of their messages, and for operators what is in them."""

from __future__ import annotations

import base64

import msgspec

from broker.admin.moment import moment
from broker.core.entries import ENTRY_OVERHEAD, Entry
from broker.core.ids import NANOSECONDS
from broker.core.message import Message
from broker.core.peeking import Peeked
from broker.model.qos import MAXIMUM_PRIORITY
from broker.model.records import TRANSIENT
from broker.xmpp.routing.content import STANZA_KEY, head_of


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is in a message.

    Args:
        bytes: its size.
        truncated: only the beginning is told.
        text: the content, where it is text (UTF-8).
        base64: the content, where it is not.
    """

    bytes: int
    truncated: bool = False
    text: str | None = None
    base64: str | None = None


class StanzaRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a stanza is.

    Args:
        kind: ``message``, ``presence`` or ``iq``.
        type: of it, such as ``chat``.
        id: that its sender has given it.
    """

    kind: str
    type: str | None = None
    id: str | None = None


class EntryRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An entry of a queue.

    Args:
        seq: number of the entry, unique in the broker.
        message_id: of its message, which other queues may hold as well.
        priority: that it has in the queue: that of the message, unless it was put there with another one.
        oid: of its topic; empty for none.
        sender: absolute name of the session that has published it.
        received_at: when the broker took it.
        size_bytes: of its content.
        persistent: it survives a crash.
        key: as XML.
        on_disk: it is not in memory.
        in_flight: it is on its way to the client.
        redeliver: how often it was delivered in vain.
        expires_at: when its life time ends; absent where that is never.
        subscription: that it is delivered for; absent for what is addressed.
        stanza: of an XMPP client; absent for others, and where it is on disk and no contents are read.
        qos: as XML; for operators.
        properties: of clients; for operators.
        content: for operators.
    """

    seq: str
    message_id: str
    priority: int
    oid: str
    sender: str
    received_at: str
    size_bytes: int
    persistent: bool
    key: str
    on_disk: bool = False
    in_flight: bool = False
    redeliver: int = 0
    expires_at: str | None = None
    subscription: str | None = None
    stanza: StanzaRow | None = None
    qos: str | None = None
    properties: dict[str, str] | None = None
    content: Content | None = None


def entry_row(peeked: Peeked, entry: Entry, *, in_flight: bool, content_bytes: int | None) -> EntryRow:
    """What is told of an entry.

    Args:
        peeked: as it was found.
        entry: itself.
        in_flight: it is on its way.
        content_bytes: of the content, so many at most; ``None`` for the envelope only.
    """
    message = entry.message
    envelope = message.envelope
    told = content_bytes is not None
    stanza = head_of(message.content) if message.oid == STANZA_KEY.oid and message.content else None
    return EntryRow(
        str(entry.seq),
        str(message.id),
        MAXIMUM_PRIORITY - entry.rank,
        message.oid,
        envelope.qos.sender,
        moment(message.id // NANOSECONDS),
        entry.size - ENTRY_OVERHEAD,
        envelope.persistent and not entry.flags & TRANSIENT,
        envelope.encoded.key.decode("utf-8", "replace"),
        not peeked.in_memory,
        in_flight,
        entry.redeliver,
        moment(message.expires) if message.expires else None,
        entry.subscription_id or None,
        None if stanza is None else StanzaRow(stanza.kind, stanza.type or None, stanza.id or None),
        envelope.encoded.qos.decode("utf-8", "replace") if told else None,
        {each.name: each.text for each in envelope.qos.properties} if told else None,
        None if content_bytes is None else content_of(message, content_bytes),
    )


def content_of(message: Message, most: int) -> Content | None:
    """The content of a message; ``None`` where none is wanted.

    Args:
        message: itself.
        most: bytes of it; the last character may be cut.
    """
    return content_of_bytes(message.content, most) if most else None


def content_of_bytes(content: bytes, most: int) -> Content:
    """The beginning of some bytes.

    Args:
        content: all of them.
        most: that are told; the last character may be cut.
    """
    shown, truncated = content[:most], len(content) > most
    try:
        text = shown.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = truncated and error.reason == "unexpected end of data"
        if not cut:
            return Content(len(content), truncated, base64=base64.b64encode(shown).decode())
        text = shown[: error.start].decode("utf-8")
    return Content(len(content), truncated, text=text)
