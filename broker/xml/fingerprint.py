"""Whether two elements say the same, however they are written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from xml.parsers import expat

SIZE = 8
"""Bytes of a fingerprint."""
_START, _END, _TEXT, _NEXT = "\1", "\2", "\3", "\0"
"""Characters that cannot stand in XML, so that no two elements are noted alike."""


def fingerprint(data: bytes, namespace: str, aliases: frozenset[str] = frozenset()) -> int:
    """A number that two elements have in common only where they have the same names, attributes and texts.

    Quotes, the order of attributes, prefixes, references and comments do not matter. It takes some 15 µs for a small
    element.

    Args:
        data: one element in UTF-8, without a document type.
        namespace: that elements without a declaration are in.
        aliases: namespaces that count as that one.

    Raises:
        ValueError: it is not well-formed.
    """
    noted: list[str] = []
    note = noted.append
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = _start(note, namespace, aliases)
    parser.EndElementHandler = lambda _: note(_END)
    parser.CharacterDataHandler = lambda text: note(_TEXT + text)
    try:
        parser.Parse(b"<x xmlns='%b'>%b</x>" % (namespace.encode(), data), True)
    except expat.ExpatError as error:
        raise ValueError(f"it is not well-formed: {error}") from error
    digest = hashlib.blake2b("".join(noted).encode(), digest_size=SIZE)
    return int.from_bytes(digest.digest(), "big")


def _start(
    note: Callable[[str], None], namespace: str, aliases: frozenset[str]
) -> Callable[[str, Mapping[str, str]], None]:
    own = f"{namespace} "

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if not name.startswith(own) and name.rpartition(" ")[0] in aliases:
            name = own + name.rpartition(" ")[2]
        note(_START + name)
        for key in sorted(attributes):
            note(f"{_NEXT}{key}{_NEXT}{attributes[key]}")

    return start
