"""Messages: an envelope that many messages share, and the content of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker.core.codec import Codec, Encoded
from broker.model.key import Key
from broker.model.qos import PublishQos
from broker.model.records import MessageRecord

NEVER = 0
NeutralReader = Callable[[bytes], tuple[bytes, str]]
"""Makes content and MIME type, as any tongue understands them, of a content that is raw bytes of one tongue."""
_new = tuple.__new__


class Envelope:
    """Everything about a message but its content and its number.

    A publisher sends the same key and QoS again and again, so they are read once (design D10) and what protocols derive
    from them is derived once.

    Args:
        key: the key, with its oid settled.
        qos: the QoS as a receiver reads it: sender set, topic section removed, destinations normalised.
        codec: writes both for the store.
        encoded: both as the publisher gave them, where it gave them as the codec writes them.
        neutral: see below.

    Attributes:
        encodings: what protocols derived from this envelope, by protocol name.
        neutral: reads contents that only one tongue understands, for the others; ``None`` for other contents.
    """

    __slots__ = ("_codec", "_encoded", "encodings", "key", "neutral", "oid", "persistent", "priority", "qos", "rank")

    def __init__(
        self,
        key: Key,
        qos: PublishQos,
        codec: Codec,
        encoded: Encoded | None = None,
        neutral: NeutralReader | None = None,
    ) -> None:
        self.key = key
        self.qos = qos
        self._codec = codec
        self._encoded = encoded
        self.neutral = neutral
        self.oid = key.oid
        self.priority = qos.priority
        self.rank = 9 - qos.priority
        self.persistent = qos.persistent
        self.encodings: dict[str, Any] = {}

    @property
    def encoded(self) -> Encoded:
        """Key and QoS for the store; written once, and only where a message is stored."""
        encoded = self._encoded
        if encoded is None:
            codec = self._codec
            encoded = self._encoded = Encoded(codec.write_key(self.key), codec.write_publish_qos(self.qos))
        return encoded


class Message:
    """One published message.

    Args:
        id: receive timestamp in nanoseconds, unique within the node.
        envelope: shared with other messages of the same kind.
        content: opaque bytes.
        expires: milliseconds since 1970, ``0`` never.

    Attributes:
        stored: entries in memory, of this object, that are in the store: none but the object's holder settles them, so
            the message's record is there while this is above zero. What is on disk only does not count, for it is
            settled through whichever object it is read back as.
        parsed: the content as a filter parsed it, kept so that many subscribers cost one parse.
    """

    __slots__ = ("content", "envelope", "expires", "id", "parsed", "stored")

    def __init__(self, id: int, envelope: Envelope, content: bytes, expires: int = NEVER) -> None:
        self.id = id
        self.envelope = envelope
        self.content = content
        self.expires = expires
        self.stored = 0
        self.parsed: Any = None

    @property
    def key(self) -> Key:
        """The key."""
        return self.envelope.key

    @property
    def qos(self) -> PublishQos:
        """The QoS as a receiver reads it."""
        return self.envelope.qos

    @property
    def oid(self) -> str:
        """The topic's name."""
        return self.envelope.oid

    @property
    def is_ptp(self) -> bool:
        """Whether it is addressed to subjects or sessions."""
        return bool(self.envelope.qos.destinations)

    def record(self) -> MessageRecord:
        """The row of the store."""
        envelope = self.envelope
        key, qos = envelope.encoded
        fields = (self.id, envelope.oid, envelope.qos.sender, key, qos, self.content, self.expires)
        return _new(MessageRecord, fields)  # MessageRecord() would take twice the time

    def remaining_life(self, now: int) -> int | None:
        """Milliseconds until it expires (never below 0), ``None`` where it does not or is volatile.

        Args:
            now: milliseconds since 1970.
        """
        return max(0, self.expires - now) if self.expires else None
