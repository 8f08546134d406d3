"""The elements in another one, as their bytes came: found by expat in one pass, within limits."""

from __future__ import annotations

from xml.parsers import expat

from broker.xml.stanza import START_TAG


class NoParent(Exception):
    """Bytes are not one element with elements in it; the text says why."""


def children_of(data: bytes, *, max_depth: int, most: int) -> list[bytes]:
    """The elements in an element, each as it came.

    Args:
        data: UTF-8; the element, and nothing around it.
        max_depth: elements nested in each other, the outer one included.
        most: elements in the outer one.

    Raises:
        NoParent: it is not well-formed, has a comment, an instruction, a document type or text between its elements,
            or more of something than it may have.
    """
    found: list[bytes] = []
    depth = start = 0
    parser = expat.ParserCreate("utf-8")

    def on_start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth, start
        depth += 1
        if depth == 2:
            start = parser.CurrentByteIndex
        elif depth > max_depth:
            raise NoParent(f"elements are nested deeper than {max_depth}")

    def on_end(_name: str) -> None:
        nonlocal depth
        depth -= 1
        if depth == 1:
            found.append(data[start : _end(data, start, parser.CurrentByteIndex)])
            if len(found) > most:
                raise NoParent(f"it has more than {most} elements")

    def on_text(text: str) -> None:
        if depth == 1 and text.strip():
            raise NoParent("there is text between its elements")

    def on_other(*_: object) -> None:
        raise NoParent("comments, instructions and document types are not allowed")

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = on_text
    parser.CommentHandler = on_other
    parser.ProcessingInstructionHandler = on_other
    parser.StartDoctypeDeclHandler = on_other
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise NoParent(expat.ErrorString(error.code) or "it is not well-formed") from None
    finally:  # the handlers know the parser: nothing is left to the collector of cycles
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
    return found


def _end(data: bytes, start: int, index: int) -> int:
    """The end of an element; expat is at the beginning of its end tag, or behind it where it is empty."""
    if data[index - 2 : index] == b"/>":
        tag = START_TAG.match(data, start)
        if tag is not None and tag.end() == index:
            return index
    return data.index(b">", index) + 1
