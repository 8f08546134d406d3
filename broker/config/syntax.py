"""The syntax of a property file: Java properties (spec xmlblaster §15)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from broker.errors import BrokerError, Code

_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANK = " \t\f"
_CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_NAME = re.compile(r"(?:\\.|[^\\=: \t\f])*", re.DOTALL)
_SEPARATOR = re.compile(r"[ \t\f]*[=:]?[ \t\f]*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.)|\Z)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One property as it was given.

    Args:
        name: of the property.
        value: its text, variables not yet replaced.
        source: for messages: ``command line``, ``environment`` or ``file:line``.
    """

    name: str
    value: str
    source: str


def parse(text: str, origin: str) -> list[Setting]:
    """Read a property file.

    Args:
        text: of the file.
        origin: its name, for messages.

    Raises:
        BrokerError: ``resource.configuration`` with ``origin:line`` where the text is not in the syntax.
    """
    settings = []
    for number, line in _logical_lines(text):
        source = f"{origin}:{number}"
        name_match = _NAME.match(line)
        assert name_match is not None  # the pattern matches the empty text
        separator = _SEPARATOR.match(line, name_match.end())
        assert separator is not None
        name = _unescape(name_match[0], source)
        if not name:
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{source}: there is no name before the value")
        settings.append(Setting(name, _unescape(line[separator.end() :], source), source))
    return settings


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined, each with the number of its first line."""
    lines = iter(enumerate(_LINE_END.split(text.removeprefix("\ufeff")), 1))
    for number, raw in lines:
        line = raw.lstrip(_BLANK)
        if not line or line[0] in "#!":
            continue
        parts = []
        while _CONTINUED.search(line):
            parts.append(line[:-1])
            line = next(lines, (0, ""))[1].lstrip(_BLANK)
        parts.append(line)
        joined = "".join(parts)
        if joined:
            yield number, joined


def _unescape(text: str, source: str) -> str:
    if "\\" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2] == "u":
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{source}: \\u needs four hexadecimal digits")
        return _CONTROLS.get(match[2] or "", match[2] or "")

    replaced = _ESCAPE.sub(replacement, text)
    try:
        # Characters beyond the basic plane are written as two escapes, a surrogate pair.
        return replaced.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{source}: half of a surrogate pair") from None
