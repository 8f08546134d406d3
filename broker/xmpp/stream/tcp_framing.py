"""XML streams over TCP: one document in each direction (RFC 6120 §4.2-§4.4)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from broker.xml.stream import StreamError, StreamReader
from broker.xml.write import escape_attribute
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import stream_error
from broker.xmpp.wire.stanza import STREAM_END

_HEADER = (
    f"<?xml version='1.0'?><stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}' version='1.0' xml:lang='en'"
)
_LONGEST_NAME = 1024


class TcpFraming:
    """The :class:`broker.xmpp.stream.framing.Framing` of a TCP connection.

    Args:
        domain: that is served.
        max_stanza: longest stanza in bytes, for the time being.
    """

    __slots__ = ("_domain", "_opened", "_reader", "feed")

    def __init__(self, domain: str, max_stanza: int) -> None:
        self._domain = domain
        self._opened = False
        self._reader = StreamReader(max_stanza)
        self.feed = self._reader.feed  # called for all bytes that come

    @property
    def error(self) -> StreamError | None:
        """See :class:`Framing`."""
        return self._reader.error

    @property
    def has_more(self) -> bool:
        """See :class:`Framing`."""
        return bool(self._reader.unread) or self._reader.error is not None

    @property
    def unread(self) -> int:
        """See :class:`Framing`."""
        return len(self._reader.unread)

    @property
    def is_open(self) -> bool:
        """See :class:`Framing`."""
        return self._opened

    @property
    def incomplete(self) -> int:
        """Bytes of an element that has not come whole."""
        return self._reader.incomplete

    def rest(self) -> None:
        """Nothing may come for a while: take less memory until something does."""
        self._reader.rest()

    def restart(self, *, discard: bool = False) -> None:
        """See :class:`Framing`."""
        self._opened = False
        self._reader.restart(discard=discard)

    def allow(self, max_stanza: int) -> None:
        """See :class:`Framing`."""
        self._reader.max_stanza = max_stanza

    def read_ahead(self) -> None:
        """See :class:`Framing`."""
        self._reader.stepwise = False

    def open(self, to: str = "") -> bytes:
        """See :class:`Framing`."""
        self._opened = True
        id, target = secrets.token_hex(8), f" to='{escape_attribute(to[:_LONGEST_NAME])}'" if to else ""
        return f"{_HEADER} id='{id}' from='{escape_attribute(self._domain)}'{target}>".encode()

    def features(self, content: bytes) -> bytes:
        """See :class:`Framing`."""
        return b"<stream:features>%b</stream:features>" % content

    def sender(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """See :class:`Framing`; elements are written as they are."""
        return write

    def fail(self, condition: str, text: str, extra: bytes = b"") -> bytes:
        """See :class:`Framing`."""
        return (b"" if self._opened else self.open()) + stream_error(condition, text, extra)

    def close(self) -> bytes:
        """See :class:`Framing`."""
        return STREAM_END if self._opened else b""
