"""XML streams whose elements come one in a message: what WebSocket carries (RFC 7395 §3.3)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator

from broker.xml.cutter import ElementCutter, Piece
from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import STREAM_NAMESPACE, Event, StreamError, StreamReader
from broker.xml.write import escape_attribute
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import stream_error
from broker.xmpp.wire.stanza import standalone

END_OF_MESSAGE = b"\0"
"""What stands behind each message in the bytes that are fed: no XML has it."""
CLOSE = b"<close xmlns='%b'/>" % ns.FRAMING.encode()

# A reader reads a stream, so there is one around all messages. Nobody guesses its prefix, so nobody can use it without
# a declaration; it declares nothing else.
_PREFIX = f"s{secrets.token_hex(8)}"
_HEADER = f"<{_PREFIX}:stream xmlns:{_PREFIX}='{STREAM_NAMESPACE}'>".encode()
_DECLARATION = re.compile(rb"<\?xml(?:[ \t\r\n][^<>?]*)?\?>[ \t\r\n]*")
_STREAM_PREFIX = f" xmlns:stream='{ns.STREAM}'".encode()
_LONGEST_NAME = 1024


class MessageFraming:
    """The :class:`broker.xmpp.stream.framing.Framing` of messages.

    Args:
        domain: that is served.
        max_stanza: longest stanza in bytes, for the time being.
        allow: told of another longest stanza.
    """

    __slots__ = ("_allow", "_domain", "_opened", "_reader", "_stepwise", "_unread", "error")

    def __init__(self, domain: str, max_stanza: int, allow: Callable[[int], None]) -> None:
        self._domain = domain
        self._allow = allow
        self._opened = False
        self._stepwise = True
        self._unread = b""
        self._reader = StreamReader(max_stanza)
        self._begin()
        self.error: StreamError | None = None

    @property
    def has_more(self) -> bool:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        return bool(self._unread) or self.error is not None

    @property
    def unread(self) -> int:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        return len(self._unread)

    @property
    def is_open(self) -> bool:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        return self._opened

    def feed(self, data: bytes = b"") -> list[Event]:
        """See :class:`broker.xmpp.stream.framing.Framing`; takes whole messages, each with its end."""
        if self.error is not None:
            raise self.error
        data = self._unread + data
        self._unread = b""
        events: list[Event] = []
        try:
            while data:
                message, _, data = data.partition(END_OF_MESSAGE)
                events.append(self._read(message))
                if self._stepwise:
                    self._unread = data
                    break
        except StreamError as error:
            self.error = error.with_traceback(None)
        return events

    def restart(self, *, discard: bool = False) -> None:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        self._opened = False
        if discard:
            self._unread = b""

    def allow(self, max_stanza: int) -> None:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        self._reader.max_stanza = max_stanza
        self._allow(max_stanza)

    def read_ahead(self) -> None:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        self._stepwise = False

    def rest(self) -> None:
        """Nothing may come for a while: take less memory until something does."""
        self._reader.rest()

    def open(self, to: str = "") -> bytes:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        self._opened = True
        target = f" to='{escape_attribute(to[:_LONGEST_NAME])}'" if to else ""
        return (
            f"<open xmlns='{ns.FRAMING}' version='1.0' xml:lang='en' id='{secrets.token_hex(8)}'"
            f" from='{escape_attribute(self._domain)}'{target}/>"
        ).encode()

    def features(self, content: bytes) -> bytes:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        return b"<stream:features%b>%b</stream:features>" % (_STREAM_PREFIX, content)

    def sender(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """See :class:`broker.xmpp.stream.framing.Framing`; the connection cuts what is written (:func:`messages`)."""
        return write

    def fail(self, condition: str, text: str, extra: bytes = b"") -> bytes:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        error = stream_error(condition, text, extra).replace(b"<stream:error", b"<stream:error" + _STREAM_PREFIX, 1)
        return error if self._opened else self.open() + error

    def close(self) -> bytes:
        """See :class:`broker.xmpp.stream.framing.Framing`."""
        return CLOSE if self._opened else b""

    def _begin(self) -> None:
        self._reader.restart(discard=True)
        self._reader.feed(_HEADER)

    def _read(self, message: bytes) -> Event:
        """The one element of a message.

        Raises:
            StreamError: it is none, or not one.
        """
        declaration = _DECLARATION.match(message)
        if declaration is not None:
            message = message[declaration.end() :]
        if not message.startswith(b"<"):
            raise StreamError("not-well-formed", "a message begins with <")
        reader = self._reader
        found = reader.feed(message)
        if reader.error is not None:
            raise reader.error
        if len(found) != 1 or reader.incomplete or reader.unread.strip():
            raise StreamError("not-well-formed", "a message is one whole element")
        (event,) = found
        if not isinstance(event, Stanza):
            raise StreamError("bad-format", "a stream is closed by <close/>")
        if event.namespace != ns.FRAMING:
            return event
        if event.name == "open":
            return StreamStart(event.attributes, ns.CLIENT, {}, event.raw)
        if event.name == "close":
            return StreamEnd()
        raise StreamError("bad-format", "a stream is opened by <open/>, and closed by <close/>")


class MessageCutter:
    """Cuts what this side writes, whole elements, into messages that stand alone."""

    __slots__ = ("_cutter",)

    def __init__(self) -> None:
        self._cutter = ElementCutter(1 << 62)
        self._cutter.add(b"<stream>")
        self._cutter.next()

    def cut(self, data: bytes) -> Iterator[bytes]:
        """The messages, in order.

        Args:
            data: one or several whole elements; those without a namespace of their own are of ``jabber:client``.
        """
        cutter = self._cutter
        cutter.add(data)
        while (piece := cutter.next()) is not None:
            assert isinstance(piece, Piece)  # what this side writes is well-formed
            yield standalone(piece.data)
