"""Cutting an XML stream into its header, stanzas and end (RFC 6120 §4), with expat and without I/O.

expat checks every byte, and tells where elements begin and end; the stanzas are cut out of the bytes themselves. So a
stanza costs two callbacks an element, and neither text nor trees are made that nobody reads.

A parser keeps every name that it has seen until it is dropped. Streams live long, so the parser is replaced now and
then, between two stanzas, by a new one that is told the stream's header.
"""

from __future__ import annotations

import re
from typing import NoReturn
from xml.parsers import expat

from broker.xml.stanza import START_TAG, Scope, Stanza, StreamEnd, StreamStart
from broker.xml.tree import SEPARATOR, open_tag, plain_attributes, split_name

STREAM_NAMESPACE = "http://etherx.jabber.org/streams"
MAX_DEPTH = 64
MAX_ATTRIBUTES = 64

_MAX_NAMES = 8192  # distinct names in one stanza
_RENEW_NAMES = 1024  # distinct names after which the parser is replaced
_RENEW_BYTES = 512 * 1024  # bytes after which it is replaced anyway: it also keeps prefixes, which cannot be counted
_BLANK = b" \t\r\n"
_QUOTE_OR_END = re.compile(rb"""[>"']""")
_EMPTY_SCOPE = Scope.of("", {})
_OTHER_ENCODING = re.compile(rb"[\0\xfe\xff]")

Event = StreamStart | Stanza | StreamEnd


class StreamError(Exception):
    """The peer broke the stream, which has to be closed with this error.

    Args:
        condition: of RFC 6120 §4.9.3.
        text: for the person who reads the peer's log.
    """

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text

    def __str__(self) -> str:
        return f"{self.condition}: {self.text}"


class _Stop(Exception):
    """Stop parsing here."""


class StreamReader:
    """Cuts a byte stream into :class:`StreamStart`, :class:`Stanza` and :class:`StreamEnd`.

    While :attr:`stepwise`, reading stops behind each stanza, because what follows may be for another stream (after
    STARTTLS or SASL) or has to wait (for a resumption): the rest is kept unread and is read with the next
    :meth:`feed`. So a connection reads as follows, whether stepwise or not, and may leave off between any two rounds
    to go on with ``feed()`` later::

        events = reader.feed(data)
        while events:
            for event in events: ...
            events = reader.feed()

    Stanzas before a violation are never lost: :meth:`feed` returns them and sets :attr:`error`, so check it after every
    ``feed``. White space before the header and between stanzas, a keep-alive, makes no event (RFC 6120 §4.6.1).

    Args:
        max_stanza: greatest length of a stanza or header in bytes. May be changed at any time (a peer deserves more
            after its login); the new value counts from the next :meth:`feed` on.
        max_depth: most elements nested in each other, the stream itself included.
        max_attributes: most attributes of an element.
        stepwise: whether to stop behind each stanza; may be changed at any time, to the same effect.

    Attributes:
        unread: what came behind the last event and waits for the next :meth:`feed` (only while :attr:`stepwise`).
    """

    __slots__ = (
        "_attributes",
        "_base",
        "_children",
        "_default",
        "_depth",
        "_ended",
        "_events",
        "_expanded",
        "_expat",
        "_fed",
        "_gap",
        "_in_tag",
        "_max_attributes",
        "_max_depth",
        "_names",
        "_prefixes",
        "_quote",
        "_root",
        "_scope",
        "_start",
        "_stop",
        "_stopped",
        "_window",
        "error",
        "max_stanza",
        "stepwise",
        "unread",
    )

    def __init__(
        self,
        max_stanza: int,
        *,
        max_depth: int = MAX_DEPTH,
        max_attributes: int = MAX_ATTRIBUTES,
        stepwise: bool = True,
    ) -> None:
        self.max_stanza = max_stanza
        self.stepwise = stepwise
        self.error: StreamError | None = None
        self._max_depth = max_depth
        self._max_attributes = max_attributes
        self.unread = b""
        self._events: list[Event] = []
        self.restart()

    def restart(self, *, discard: bool = False) -> None:
        """Expect a new stream behind the last event (RFC 6120 §5.4.3.3, §6.4.6). Only while :attr:`stepwise`.

        Args:
            discard: forget what is unread. It must be after STARTTLS: what came before the TLS handshake could be from
                anybody, and must not be taken for what came through TLS.
        """
        if discard:
            self.unread = b""
        self._ended = False
        self._depth = 0  # of open elements; 1 between stanzas
        self._root = ""
        self._scope = _EMPTY_SCOPE
        self._default = ""
        self._prefixes: dict[str, str] = {}
        self._forget()

    @property
    def incomplete(self) -> int:
        """Bytes of a stanza or header that has not come whole."""
        return len(self._window)

    def rest(self) -> None:
        """Nothing may come for a while: keep no parser, unless a stanza is incomplete. The next bytes make one."""
        if self._depth <= 1 and not self._window and self.error is None:
            self._forget()
            self._names: dict[str, str] = {}
            self._events = []
            self._attributes: dict[str, str] = {}

    def feed(self, data: bytes = b"") -> list[Event]:
        """Take the next bytes of the stream and return the events that they complete, in order.

        Raises:
            StreamError: the stream was found broken by an earlier call (:attr:`error`).
        """
        if self.error is not None:
            raise self.error
        events: list[Event] = []
        self._events = events
        if self.unread:
            data = self.unread + data
            self.unread = b""
        self._stop = self.stepwise
        try:
            while data and not self._ended:
                data = self._read(data)
                if self.stepwise and data:
                    self.unread = data
                    break
        except StreamError as error:
            self.error = error.with_traceback(None)
            self._forget()
        return events

    def drop_incomplete(self) -> None:
        """Forget an element that was begun: the stream goes on behind the last event."""
        self.unread = b""
        self._depth = min(self._depth, 1)
        self._forget()

    def _forget(self) -> None:
        """Drop the parser (which refers back to this object) and what it was fed."""
        self._expat: expat.XMLParserType | None = None
        # Offsets count the bytes that the parser has seen.
        self._window: bytes | bytearray = b""  # from the open stanza on, or what is not fed yet
        self._base = 0  # offset of the window
        self._fed = 0  # offset up to which the parser was fed
        self._gap = 0  # offset of the end of the last stanza: white space from here on
        self._start = 0  # offset of the open stanza
        self._in_tag = False  # the parser holds the beginning of a tag
        self._quote = b""  # which ends in this quoted value
        self._children: list[str] = []

    def _read(self, data: bytes) -> bytes:
        """Parse the next bytes; returns what is behind the stanza where parsing stopped."""
        window = self._window
        if window:
            assert isinstance(window, bytearray)
            window += data
        elif self._depth <= 1 and not self._in_tag:  # before the header, too: clients end elements with a line break
            data = data.lstrip(_BLANK)
            window = data
        else:
            window = data
        self._window = window
        # Only complete tags are worth parsing: expat would begin an incomplete one anew each time.
        behind = data.rfind(b">") + 1 if not self._in_tag or self._tag_ends(data) else 0
        if behind:
            if self._expat is None:
                self._expat = self._make_parser()
            cut = self._base + len(window) - len(data) + behind
            try:
                self._parse(self._expat, window, cut)
            except _Stop:
                rest = bytes(window[self._stopped - self._base :])
                self._forget()
                return rest
        self._trim(window)
        return b""

    def _parse(self, parser: expat.XMLParserType, window: bytes | bytearray, cut: int) -> None:
        if self._depth == 0 and _OTHER_ENCODING.search(window[:8]):  # expat would believe the byte order mark
            raise StreamError("unsupported-encoding", "the stream is not UTF-8")
        if len(self._names) > _RENEW_NAMES or self._fed > _RENEW_BYTES:
            self._stop = True
        first = self._fed - self._base
        try:
            parser.Parse(window if first == 0 and cut - self._base == len(window) else window[first : cut - self._base])
        except expat.ExpatError as error:
            self._refuse(parser, error)
        except UnicodeDecodeError:
            raise StreamError("unsupported-encoding", "the stream is not UTF-8") from None
        self._fed = cut
        if len(self._names) > _MAX_NAMES:
            raise StreamError("policy-violation", f"more than {_MAX_NAMES} names")
        token = parser.CurrentByteIndex
        self._in_tag = token < cut
        if self._in_tag:
            held = bytes(window[token - self._base :])
            if held.startswith((b"<!--", b"<?")):
                raise StreamError("restricted-xml", "comments and processing instructions are not allowed")
            self._quote = b""
            self._in_tag = held.startswith(b"<") and not self._tag_ends(held)
        if self._depth == 1:
            self._check_gap(token)
            self._gap = token

    def _trim(self, window: bytes | bytearray) -> None:
        """Keep what is not done with: the open stanza, or what is not parsed yet."""
        keep = self._start if self._depth > 1 else self._gap if self._depth == 1 else 0
        done = keep - self._base
        if done or isinstance(window, bytes):
            window = bytearray(window[done:])
            self._base = keep
        if self._depth == 1 and not self._in_tag:
            blank = len(window) - len(window.lstrip(_BLANK))
            del window[:blank]
            if window and not window.startswith(b"<"):
                raise _stray_text()
        self._window = window
        if len(window) > self.max_stanza:
            raise self._too_large()

    def _tag_ends(self, data: bytes) -> bool:
        """Whether the incomplete tag ends in ``data``, which continues it; each byte is looked at once."""
        position = 0
        while True:
            if self._quote:
                position = data.find(self._quote, position) + 1
                if not position:
                    return False
                self._quote = b""
            found = _QUOTE_OR_END.search(data, position)
            if found is None:
                return False
            if found[0] == b">":
                return True
            self._quote = found[0]
            position = found.end()

    def _make_parser(self) -> expat.XMLParserType:
        self._names = {}
        # The explicit encoding overrides the one that an XML declaration claims.
        parser = expat.ParserCreate("utf-8", SEPARATOR, self._names)
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)  # it would hold back complete stanzas until more bytes come
        if self._depth:
            header = open_tag(self._root, self._scope.default, self._scope.prefixes)
            parser.Parse(header)
            self._base = self._fed = self._gap = len(header)
        else:
            parser.XmlDeclHandler = self._on_xml_declaration
            parser.StartNamespaceDeclHandler = self._on_declaration
        parser.StartDoctypeDeclHandler = _on_doctype
        parser.CommentHandler = _on_comment
        parser.ProcessingInstructionHandler = _on_processing_instruction
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        return parser

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        depth = self._depth
        self._depth = depth + 1
        if len(attributes) > self._max_attributes:
            raise StreamError("policy-violation", f"more than {self._max_attributes} attributes")
        if depth == 2:
            self._children.append(name)
        elif depth == 1:
            parser = self._expat
            assert parser is not None
            start = self._start = parser.CurrentByteIndex
            if start != self._gap:
                self._check_gap(start)
            self._expanded = name
            self._attributes = attributes
            self._children = []
        elif depth == 0:
            self._on_header(name, attributes)
        elif depth >= self._max_depth:
            raise StreamError("policy-violation", f"elements are nested deeper than {self._max_depth}")

    def _on_end(self, _name: str) -> None:
        depth = self._depth = self._depth - 1
        if depth == 1:
            parser = self._expat
            assert parser is not None
            window, base, start = self._window, self._base, self._start
            # expat is at the beginning of the end tag, or behind an element that is empty.
            last = parser.CurrentByteIndex
            if window[last - base - 2 : last - base] == b"/>" and self._is_empty(start, last):
                end = last
            else:
                end = window.index(b">", last - base) + 1 + base
            if end - start > self.max_stanza:
                raise self._too_large()
            self._gap = end
            raw = bytes(window[start - base : end - base])
            self._events.append(Stanza(self._expanded, self._attributes, self._children, raw, self._scope))
            if self._stop:
                self._stopped = end
                raise _Stop
        elif depth == 0:
            parser = self._expat
            assert parser is not None
            self._check_gap(parser.CurrentByteIndex)
            self._ended = True
            self._events.append(StreamEnd())

    def _is_empty(self, start: int, end: int) -> bool:
        tag = START_TAG.match(self._window, start - self._base)
        return tag is not None and tag.end() == end - self._base

    def _on_header(self, name: str, attributes: dict[str, str]) -> None:
        parser = self._expat
        assert parser is not None
        namespace, local = split_name(name)
        if namespace != STREAM_NAMESPACE:
            raise StreamError("invalid-namespace", f"a stream begins with <stream> of {STREAM_NAMESPACE}")
        if local != "stream":
            raise StreamError("bad-format", "a stream begins with <stream>")
        start = parser.CurrentByteIndex - self._base
        tag = START_TAG.match(self._window, start)
        assert tag is not None
        if len(tag[0]) > self.max_stanza:
            raise self._too_large()
        self._gap = tag.end() + self._base
        written = _TAG_NAME.match(tag[0])
        assert written is not None
        self._root = written[1].decode()
        parser.StartNamespaceDeclHandler = None
        parser.XmlDeclHandler = _on_late_declaration
        plain = plain_attributes(attributes)
        self._scope = Scope.of(self._default, self._prefixes, plain.get("xml:lang", ""))
        self._events.append(StreamStart(plain, self._default, dict(self._prefixes), tag[0]))

    def _on_xml_declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise StreamError("unsupported-encoding", "the stream is not UTF-8")

    def _on_declaration(self, prefix: str | None, uri: str | None) -> None:
        if prefix is None:
            self._default = uri or ""
        else:
            self._prefixes[prefix] = uri or ""

    def _check_gap(self, end: int) -> None:
        """Refuse text between stanzas, which may be white space only."""
        if self._window[self._gap - self._base : end - self._base].strip(_BLANK):
            raise _stray_text()

    def _too_large(self) -> StreamError:
        return StreamError("policy-violation", f"a stanza is longer than {self.max_stanza} bytes")

    def _refuse(self, parser: expat.XMLParserType, error: expat.ExpatError) -> NoReturn:
        reason = expat.ErrorString(error.code) or "not well-formed"
        condition = _CONDITIONS.get(reason, "not-well-formed")
        raise StreamError(condition, f"{reason} at byte {parser.ErrorByteIndex}") from None


_TAG_NAME = re.compile(rb"<([^\s/>]+)")
_CONDITIONS = {
    expat.errors.XML_ERROR_UNDEFINED_ENTITY: "restricted-xml",
    expat.errors.XML_ERROR_RECURSIVE_ENTITY_REF: "restricted-xml",
    expat.errors.XML_ERROR_UNBOUND_PREFIX: "bad-namespace-prefix",
    expat.errors.XML_ERROR_UNKNOWN_ENCODING: "unsupported-encoding",
    expat.errors.XML_ERROR_INCORRECT_ENCODING: "unsupported-encoding",
    expat.errors.XML_ERROR_MISPLACED_XML_PI: "restricted-xml",
}


def _on_late_declaration(_version: str, _encoding: str | None, _standalone: int) -> NoReturn:
    raise StreamError("restricted-xml", "an XML declaration stands before the stream only")


def _on_doctype(*_: object) -> NoReturn:
    raise StreamError("restricted-xml", "document type declarations are not allowed")


def _on_comment(_text: str) -> NoReturn:
    raise StreamError("restricted-xml", "comments are not allowed")


def _on_processing_instruction(_target: str, _data: str) -> NoReturn:
    raise StreamError("restricted-xml", "processing instructions are not allowed")


def _stray_text() -> StreamError:
    return StreamError("bad-format", "there is text between the stanzas")
