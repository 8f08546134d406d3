"""The target of a request: its path in segments, and its query (RFC 9112 §3.2.1, RFC 3986 §3.3, §3.4).

Each segment is decoded once, after the path is split, so ``%2F`` is a part of a name. ``.`` and ``..`` are names as any
other: nothing is resolved, so a path means what it says or nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from broker.errors import BrokerError, Code
from broker.model.text import is_xml_text

_VISIBLE = re.compile(rb"/[\x21-\x7e]*")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
SHOWN = 200
"""Characters of a peer's text that an error repeats."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for.

    Args:
        segments: of the path, decoded; ``/a/b`` has two.
        query: names and values.
    """

    segments: tuple[str, ...]
    query: dict[str, str] = field(default_factory=dict)


def read_target(raw: bytes) -> Target:
    """Read a request's target.

    Args:
        raw: in origin form, ``/path?query``.

    Raises:
        BrokerError: ``user.illegalArgument`` where it has another form, is not percent-encoded UTF-8, has characters
            that no name in this broker has, or names a parameter twice.
    """
    if not _VISIBLE.fullmatch(raw) or b"#" in raw:
        raise _wrong("the target is not of the form /path?query")
    path, _, query = raw.partition(b"?")
    return Target(tuple([_decoded(each) for each in path[1:].split(b"/")]), _read_query(query))


def _read_query(raw: bytes) -> dict[str, str]:
    query: dict[str, str] = {}
    for pair in raw.split(b"&") if raw else ():
        name, _, value = pair.partition(b"=")
        decoded = _decoded(name.replace(b"+", b" "))
        if decoded in query:
            raise _wrong(f"the parameter '{decoded[:SHOWN]}' is given twice")
        query[decoded] = _decoded(value.replace(b"+", b" "))
    return query


def _decoded(raw: bytes) -> str:
    def byte(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            raise _wrong("the target has a % that is not followed by two hexadecimal digits")
        return bytes.fromhex(match[1].decode())

    try:
        text = _ESCAPE.sub(byte, raw).decode()
    except UnicodeDecodeError as error:
        raise _wrong("the target is not UTF-8") from error
    if not is_xml_text(text):
        raise _wrong("the target has a control character")
    return text


def _wrong(reason: str) -> BrokerError:
    return BrokerError(Code.USER_ILLEGAL_ARGUMENT, reason)
