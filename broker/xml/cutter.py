"""Cutting a byte stream into its first-level elements without trusting what is in them.

Several clients share such a stream, so an element that is not well-formed must cost no more than itself. Its end is
found by tags, comments and CDATA alone; whoever takes an element has it parsed. Where tags do not match, the end tag of
an element that is open closes all that are open inside of it; where a tag does not end, the next ``<`` ends it, since
no tag of well-formed XML has one. So for well-formed elements it finds what a parser finds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

MAX_OPEN = 10_000
"""Elements that may be open at once."""
SKIPPED = 8
"""How many times as long as the longest element one that is too long may be until nobody believes that it ends."""

_NAME = re.compile(rb"""</?([^\s/>!?<"']*)""")
_PLAIN_TAG = re.compile(rb"""\s*+<([^\s/>!?<"']++)(?:[^<>"'/]++|"[^"<]*+"|'[^'<]*+')*+(/?)>""")
_TAG_MARK = re.compile(rb"""[<>"']""")
_ENDS_OF_VALUES = {b'"': re.compile(rb'[<"]'), b"'": re.compile(rb"[<']")}
_CDATA = b"<![CDATA["
_LONGEST_BEGINNING = len(_CDATA)


class CutError(Exception):
    """No more elements can be found: there is no telling where the next one begins."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The start tag that opens the stream.

    Args:
        tag: as it came.
    """

    tag: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """One element below the stream's own.

    Args:
        name: its name as it is written, with a prefix if it has one.
        tag: its start tag.
        data: all of it, well-formed or not; empty where it is too long.
        is_too_long: it is longer than elements may be.
    """

    name: bytes
    tag: bytes
    data: bytes
    is_too_long: bool = False

    @property
    def content(self) -> bytes:
        """What stands between its start and end tag."""
        return b"" if self.tag.endswith(b"/>") else self.data[len(self.tag) : self.data.rfind(b"</")]


@dataclass(frozen=True, slots=True)
class Closing:
    """The end tag that closes the stream."""


Cut = Opening | Piece | Closing


class _Markup(Enum):
    UNKNOWN = auto()
    TAG = auto()
    COMMENT = auto()
    CDATA = auto()
    INSTRUCTION = auto()


_ENDS = {_Markup.COMMENT: b"-->", _Markup.CDATA: b"]]>", _Markup.INSTRUCTION: b"?>"}


class ElementCutter:
    """Cuts one stream, one element at a time, so that what follows may be left to somebody else.

    Args:
        max_size: longest element in bytes; may be changed between two elements.
    """

    __slots__ = (
        "_dropped",
        "_is_open",
        "_mark",
        "_markup",
        "_names",
        "_position",
        "_quote",
        "_root",
        "_start",
        "_tag",
        "_window",
        "max_size",
    )

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size
        self._window = bytearray()
        self.restart()

    def restart(self) -> None:
        """Expect a new stream behind the last element."""
        self._is_open = False
        self._root = b""
        self._position = 0  # up to which it is looked through
        self._begin()
        self._seek()

    def add(self, data: bytes) -> None:
        """Take the next bytes; :meth:`next` tells what they complete."""
        self._window += data

    def take_rest(self) -> bytes:
        """What came behind the last element; it is forgotten here."""
        rest = bytes(self._window)
        self._window.clear()
        self._position = 0
        self._begin()
        self._seek()
        return rest

    def next(self) -> Cut | None:
        """The next part of the stream; ``None`` where more bytes are needed for one.

        Raises:
            CutError: there is no use in going on.
        """
        window = self._window
        if self._start < 0 and self._is_open and (piece := self._plain_piece()) is not None:
            return piece
        while (end := self._markup_end()) is not None:
            mark, markup = self._mark, self._markup
            self._seek()
            self._position = end
            found = self._take_tag(mark, end) if markup is _Markup.TAG else None
            if found is not None:
                del window[:end]
                self._position = 0
                self._begin()
                return found
        self._trim()
        return None

    def _plain_piece(self) -> Piece | None:
        """The next element where it is all there, and its first end tag can be no other's: as most are."""
        window = self._window
        found = _PLAIN_TAG.match(window)
        if found is None:
            return None
        tag, name = found[0], found[1]
        end = found.end()
        if not found[2]:
            last = window.find(b"</%b" % name, end)
            behind = last + len(name) + 2
            if last < 0 or window[behind : behind + 1] != b">":
                return None
            if window.find(b"<%b" % name, end, last) >= 0 or window.find(b"<!", end, last) >= 0:
                return None
            if window.find(b"<?", end, last) >= 0:
                return None
            end = behind + 1
        start = found.start(1) - 1
        if end - start > self.max_size:
            return None
        data = bytes(window[start:end])
        del window[:end]
        self._position = 0
        self._seek()
        return Piece(name, tag.lstrip(), data)

    def _begin(self) -> None:
        """No element is open below the stream's own."""
        self._start = -1
        self._tag = b""
        self._names: list[bytes] = []
        self._dropped = 0

    def _seek(self) -> None:
        """Look for the next ``<``."""
        self._mark = -1
        self._markup = _Markup.UNKNOWN
        self._quote = b""

    def _markup_end(self) -> int | None:
        """The end of the next tag, comment and so on, in the window; each byte is looked at once."""
        window = self._window
        if self._mark < 0:
            self._mark = window.find(b"<", self._position)
            if self._mark < 0:
                self._position = len(window)
                return None
            self._position = self._mark + 1
        if self._markup is _Markup.UNKNOWN and not self._is_known():
            return None
        if self._markup is _Markup.TAG:
            return self._tag_end()
        ending = _ENDS[self._markup]
        found = window.find(ending, self._position)
        if found < 0:
            self._position = max(self._position, len(window) - len(ending) + 1)
            return None
        return found + len(ending)

    def _is_known(self) -> bool:
        beginning = bytes(self._window[self._mark : self._mark + _LONGEST_BEGINNING])
        if beginning.startswith(b"<!--"):
            self._markup = _Markup.COMMENT
            self._position = self._mark + 4
        elif beginning == _CDATA:
            self._markup = _Markup.CDATA
            self._position = self._mark + len(_CDATA)
        elif beginning.startswith(b"<?"):
            self._markup = _Markup.INSTRUCTION
        elif len(beginning) > 1 and not (b"<!--".startswith(beginning) or _CDATA.startswith(beginning)):
            self._markup = _Markup.TAG
        return self._markup is not _Markup.UNKNOWN

    def _tag_end(self) -> int | None:
        window, position = self._window, self._position
        while True:
            pattern = _ENDS_OF_VALUES[self._quote] if self._quote else _TAG_MARK
            found = pattern.search(window, position)
            if found is None:
                self._position = len(window)
                return None
            position, mark = found.end(), found[0]
            if mark == b"<":
                return found.start()
            if mark == b">":
                return position
            self._quote = b"" if self._quote else mark

    def _take_tag(self, start: int, end: int) -> Cut | None:
        window, names = self._window, self._names
        is_empty = window[end - 2 : end] == b"/>"
        is_end = window[start + 1 : start + 2] == b"/"
        if not self._is_open:
            if is_end:
                raise CutError("the stream is not open")
            self._is_open = True
            self._root = _name(window[start:end])
            return Opening(bytes(window[start:end]))
        if not is_end:
            if not names:
                self._start = start
                self._tag = bytes(window[start:end])
            if not is_empty:
                if len(names) >= MAX_OPEN:
                    raise CutError(f"more than {MAX_OPEN} elements are open")
                names.append(_name(window[start:end]))
            elif not names:
                return self._piece(end)
            return None
        name = _name(window[start:end])
        if not names:
            return Closing() if name == self._root else None  # any other one is left of something malformed
        if name in names:
            while names.pop() != name:
                pass
        return None if names else self._piece(end)

    def _piece(self, end: int) -> Piece:
        length = end - self._start + self._dropped
        if length > self.max_size:
            return Piece(_name(self._tag), self._tag, b"", is_too_long=True)
        return Piece(_name(self._tag), self._tag, bytes(self._window[self._start : end]))

    def _trim(self) -> None:
        """Keep the open element, or what is not looked through; of one that is too long keep nothing."""
        window = self._window
        incomplete = self._mark if self._mark >= 0 else self._position
        size = len(window) - max(self._start, 0) + self._dropped
        if self._start < 0:
            self._drop(incomplete)
            if len(window) > self.max_size:
                raise CutError(f"a tag is longer than {self.max_size} bytes")
        elif size > SKIPPED * self.max_size:
            raise CutError(f"an element has {size} bytes and does not end")
        elif size > self.max_size:
            kept = self._position if self._markup in _ENDS else incomplete
            if len(window) - kept > self.max_size:
                raise CutError(f"a tag is longer than {self.max_size} bytes")
            self._dropped = size - (len(window) - kept)
            self._start = 0
            self._drop(kept)

    def _drop(self, count: int) -> None:
        del self._window[:count]
        self._position = max(self._position - count, 0)
        if self._mark >= 0:
            self._mark = max(self._mark - count, 0)


def _name(tag: bytes | bytearray) -> bytes:
    found = _NAME.match(tag)
    return bytes(found[1]) if found else b""
