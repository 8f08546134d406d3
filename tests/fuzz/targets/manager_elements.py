"""Elements of a link: the same ones however the bytes are cut, and those that a parser finds where it finds them."""

from __future__ import annotations

from contextlib import suppress
from xml.parsers import expat

from broker.xml.cutter import Cut, CutError, ElementCutter, Opening, Piece
from broker.xml.stanza import START_TAG
from tests.fuzz.support import Choices, cuts, require

HEADER = b"<s>"
LIMIT = 1 << 16
TOKENS = (
    b"<route streamid='a'>",
    b"</route>",
    b"<route/>",
    b"<message to='a>b'>",
    b"</message>",
    b'<a b="\'/>"/>',
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?x ?>",
    b"</s>",
    b"'",
    b'"',
    b"<",
    b">",
    b"/",
    b" ",
)
LONGEST = 1024


def target(data: bytes) -> None:
    """First two bytes: sizes of the pieces."""
    choices = Choices(data)
    sizes = (choices.byte(), choices.byte())
    stream = HEADER + choices.rest()
    whole = cut([stream])
    for pieces in (cuts(stream, (1,)), cuts(stream, sizes)):
        other = cut(pieces)
        require(other == whole, f"in {len(pieces)} pieces {other}, not {whole}")
    parsed = elements(stream + b"</s>")
    if parsed is not None:
        found = [each.data for each in whole if isinstance(each, Piece)]
        require(found == parsed, f"{found}, and a parser finds {parsed}")


def cut(pieces: list[bytes]) -> list[Cut]:
    """What is cut out, until there is no telling."""
    cutter = ElementCutter(LIMIT)
    found: list[Cut] = []
    with suppress(CutError):
        for piece in pieces:
            cutter.add(piece)
            while (event := cutter.next()) is not None:
                if not isinstance(event, Opening):
                    found.append(event)
    return found


def elements(data: bytes) -> list[bytes] | None:
    """The elements below the root as a parser finds them; ``None`` where the document is not well-formed."""
    parser = expat.ParserCreate("utf-8")
    found: list[bytes] = []
    depth = start = 0

    def on_start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth, start
        if depth == 1:
            start = parser.CurrentByteIndex
        depth += 1

    def on_end(_name: str) -> None:
        nonlocal depth
        depth -= 1
        if depth == 1:
            end = parser.CurrentByteIndex
            tag = START_TAG.match(data, start)
            if tag is None or tag.end() != end or data[end - 2 : end] != b"/>":
                end = data.index(b">", end) + 1
            found.append(data[start:end])

    parser.StartElementHandler, parser.EndElementHandler = on_start, on_end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeDecodeError):
        return None
    finally:
        parser.StartElementHandler = parser.EndElementHandler = None
    return found
