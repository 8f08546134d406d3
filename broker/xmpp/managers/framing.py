"""The stream of one client behind routes: its manager answers its headers, and each route brings whole elements."""

from __future__ import annotations

from collections.abc import Callable

from broker.xml.stream import Event, StreamError, StreamReader
from broker.xmpp.wire.errors import stream_error
from broker.xmpp.wire.routes import CLIENT_HEADER


class RoutedFraming:
    """The :class:`broker.xmpp.stream.framing.Framing` of a routed client.

    Args:
        max_stanza: longest stanza in bytes, for the time being.
    """

    __slots__ = ("_error", "_opened", "_reader")

    def __init__(self, max_stanza: int) -> None:
        self._opened = False
        self._error: StreamError | None = None
        self._reader = StreamReader(max_stanza)
        self._reader.unread = CLIENT_HEADER

    @property
    def error(self) -> StreamError | None:
        """See :class:`Framing`."""
        return self._error or self._reader.error

    @property
    def has_more(self) -> bool:
        """See :class:`Framing`."""
        return bool(self._reader.unread) or self.error is not None

    @property
    def unread(self) -> int:
        """See :class:`Framing`."""
        return len(self._reader.unread)

    @property
    def is_open(self) -> bool:
        """See :class:`Framing`."""
        return self._opened

    def feed(self, data: bytes = b"") -> list[Event]:
        """See :class:`Framing`; takes what routes bring, whole elements, so that what does not end is malformed."""
        if self._error is not None:
            raise self._error
        reader = self._reader
        events = reader.feed(data)
        if reader.incomplete and not reader.unread:
            self._error = StreamError("not-well-formed", "an element does not end")
        return events

    def restart(self, *, discard: bool = False) -> None:
        """See :class:`Framing`; the header of the next stream comes to the manager."""
        self._opened = False
        reader = self._reader
        reader.restart(discard=discard)
        reader.unread = CLIENT_HEADER + reader.unread

    def rest(self) -> None:
        """Take less memory until something comes; only between two elements."""
        self._reader.rest()

    def allow(self, max_stanza: int) -> None:
        """See :class:`Framing`."""
        self._reader.max_stanza = max_stanza

    def read_ahead(self) -> None:
        """See :class:`Framing`."""
        self._reader.stepwise = False

    def open(self, to: str = "") -> bytes:
        """See :class:`Framing`; the manager has done so."""
        self._opened = True
        return b""

    def features(self, content: bytes) -> bytes:
        """See :class:`Framing`; the manager tells what the configuration says."""
        return b""

    def sender(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """See :class:`Framing`; the session cuts what is written."""
        return write

    def fail(self, condition: str, text: str, extra: bytes = b"") -> bytes:
        """See :class:`Framing`; the manager has opened the stream."""
        return stream_error(condition, text, extra)

    def close(self) -> bytes:
        """See :class:`Framing`; the manager does so when the session is closed."""
        return b""
