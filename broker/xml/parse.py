"""The hardened parser for keys and QoS: bytes -> small element trees (design D11).

It is built on expat and not on lxml, because libxml2 never frees an element name that it has once seen: whoever may
send keys could grow the process for ever. expat forgets everything with the parser, so no budget of names is needed
here, and it tells byte offsets, so that a key's meta data is kept byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from broker.errors import BrokerError, Code

MAX_SIZE = 1024 * 1024
MAX_DEPTH = 64
MAX_ELEMENTS = 10_000
MAX_ATTRIBUTES = 256
MAX_NAME = 256

_REST_OF_START_TAG = re.compile(rb"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")


def refusal(text: str) -> BrokerError:
    """The error for XML that is malformed or beyond a limit."""
    return BrokerError(Code.USER_ILLEGAL_ARGUMENT, text)


class ExpatReader:
    """An expat parser that refuses what hostile XML is made of; subclasses say what becomes of the rest.

    Refused are document type declarations (and so entities beyond the five), processing instructions, encodings other
    than UTF-8, and any excess of size, depth, elements, attributes or name length. Comments are ignored.

    Args:
        what: names the document in error texts, e.g. ``qos``.
        limit: most bytes that a document may have.
        namespace_separator: for a namespace aware reader, the character between the parts of a name.

    Attributes:
        max_depth: elements that may be nested.
        max_elements: elements that a document may have.
    """

    max_depth = MAX_DEPTH
    max_elements = MAX_ELEMENTS

    def __init__(self, what: str, limit: int = MAX_SIZE, namespace_separator: str | None = None) -> None:
        self.what = what
        self.elements = 0
        self._limit = limit
        self._size = 0
        self._depth = 0
        self._names: set[str] = set()
        # The explicit encoding overrides the one an XML declaration claims.
        self._expat = expat.ParserCreate("utf-8", namespace_separator)
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._on_doctype
        self._expat.ProcessingInstructionHandler = self._on_processing_instruction
        self._expat.StartElementHandler = self._on_start
        self._expat.EndElementHandler = self._on_end
        self._expat.CharacterDataHandler = self.text

    def read(self, data: bytes) -> None:
        """Parse a complete document, once.

        Raises:
            BrokerError: ``user.illegalArgument`` for anything malformed or refused.
        """
        try:
            self.feed(data, last=True)
        finally:
            self.close()

    def feed(self, data: bytes, *, last: bool) -> None:
        """Parse a part of a document; :meth:`close` is to be called when nothing more is fed, whatever came of it.

        Args:
            data: the part.
            last: the document ends with it.

        Raises:
            BrokerError: ``user.illegalArgument`` for anything malformed or refused.
        """
        try:
            self._size += len(data)
            if self._size > self._limit:
                raise refusal(f"{self.what} of {self._size} bytes exceeds the limit of {self._limit}")
            if b"\0" in data:  # also keeps UTF-16 out, which expat would take by its byte order mark
                raise refusal(f"{self.what} contains a zero byte")
            self._expat.Parse(data, last)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise refusal(f"{self.what} is not well-formed XML: {reason} at {error.lineno}:{error.offset}") from None
        except UnicodeDecodeError:
            raise refusal(f"{self.what} is not UTF-8") from None

    def close(self) -> None:
        """Let go of the parser.

        It knows this reader by its handlers: left to the collector of cycles, documents pile up.
        """
        del self._expat

    def started(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        raise NotImplementedError

    def ended(self) -> None:
        """The innermost open element ends."""
        raise NotImplementedError

    def text(self, data: str) -> None:
        """Character data within the innermost open element."""
        raise NotImplementedError

    def new_name(self, name: str) -> None:
        """An element or attribute has a name that was not seen before in this document; an overlong one is refused."""
        if len(name) > MAX_NAME:
            raise refusal(f"{self.what} has a name of {len(name)} characters, '{name[:32]}…'; {MAX_NAME} are allowed")

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self.elements += 1
        if self._depth > self.max_depth:
            raise refusal(f"{self.what} is nested deeper than {self.max_depth} elements")
        if self.elements > self.max_elements:
            raise refusal(f"{self.what} has more than {self.max_elements} elements")
        if len(attributes) > MAX_ATTRIBUTES:
            raise refusal(f"{self.what} has an element with more than {MAX_ATTRIBUTES} attributes")
        names = self._names
        if name not in names:
            self.new_name(name)
            names.add(name)
        for used in attributes:
            if used not in names:
                self.new_name(used)
                names.add(used)
        self.started(name, attributes)

    def _on_end(self, _name: str) -> None:
        self._depth -= 1
        self.ended()

    def _on_doctype(self, *_: object) -> None:
        raise refusal(f"{self.what} has a document type declaration, which is not allowed")

    def _on_processing_instruction(self, target: str, _data: str) -> None:
        raise refusal(f"{self.what} has a processing instruction '{target[:32]}', which is not allowed")


@dataclass(slots=True, eq=False)
class Element:
    """An element with lower case names, since the native grammar ignores case (spec xmlblaster §2).

    Args:
        name: its tag in lower case.
        attributes: by name in lower case.
        text: its own character data, without that of its children.
        source: the document.
        start: offset of its start tag in the source.
        end: offset of its end tag in the source, for an empty element that of what follows.

    Attributes:
        children: in document order.
        last: the last child of each name, in lower case: later settings override earlier ones.
    """

    name: str
    attributes: dict[str, str]
    source: bytes = field(repr=False)
    start: int
    end: int = 0
    text: str = ""
    children: list[Element] = field(default_factory=list)
    last: dict[str, Element] = field(default_factory=dict)

    @property
    def markup(self) -> bytes:
        """What stands between the start and the end tag, byte for byte."""
        tag = _REST_OF_START_TAG.match(self.source, self.start)
        return self.source[tag.end() : self.end] if tag else b""


class _TreeReader(ExpatReader):
    def __init__(self, what: str, source: bytes, limit: int) -> None:
        super().__init__(what, limit)
        self.root: Element | None = None
        self._source = source
        self._open: list[Element] = []
        self._texts: list[list[str]] = []

    def started(self, name: str, attributes: dict[str, str]) -> None:
        folded = {key.lower(): value for key, value in attributes.items()} if attributes else attributes
        lower = name.lower()
        element = Element(lower, folded, self._source, self._expat.CurrentByteIndex)
        open = self._open
        if open:
            parent = open[-1]
            parent.children.append(element)
            parent.last[lower] = element
        else:
            self.root = element
        open.append(element)
        self._texts.append([])

    def ended(self) -> None:
        element = self._open.pop()
        texts = self._texts.pop()
        if texts:
            element.text = "".join(texts)
        element.end = self._expat.CurrentByteIndex

    def text(self, data: str) -> None:
        self._texts[-1].append(data)


def parse(data: bytes, root: str, limit: int = MAX_SIZE) -> Element:
    """Parse a document whose root element must have the given name.

    Args:
        data: UTF-8.
        root: name of the root element in lower case; it also names the document in errors.
        limit: most bytes that the document may have.

    Raises:
        BrokerError: ``user.illegalArgument`` saying what is wrong.
    """
    reader = _TreeReader(root, data, limit)
    reader.read(data)
    assert reader.root is not None  # expat refuses a document without an element
    if reader.root.name != root:
        raise refusal(f"expected <{root}>, got <{reader.root.name}>")
    return reader.root
