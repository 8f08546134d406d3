"""Writing XML: escaping and the few shapes of element that the native grammar consists of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from broker.model.text import NOT_XML

_SPECIAL_IN_TEXT = re.compile(f"[&<>'\"\r{NOT_XML}]")
_SPECIAL_IN_ATTRIBUTE = re.compile(f"[&<>'\"\t\n\r{NOT_XML}]")
_REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"} | {
    blank: f"&#{ord(blank)};" for blank in "\t\n\r"
}
_REPLACEMENT = "\ufffd"


def _reference(match: re.Match[str]) -> str:
    # Characters that XML cannot express at all become U+FFFD, so that what is written can always be read.
    return _REFERENCES.get(match[0], _REPLACEMENT)


def escape(text: str) -> str:
    """Escape character data."""
    return _SPECIAL_IN_TEXT.sub(_reference, text)


def escape_attribute(text: str) -> str:
    """Escape an attribute's value; also line ends and tabs, which a parser would turn into blanks."""
    return _SPECIAL_IN_ATTRIBUTE.sub(_reference, text)


def attribute(name: str, value: str | int | bool | None) -> str:
    """`` name='value'``, or nothing where the value is None."""
    if value is None:
        return ""
    return f" {name}='{escape_attribute(_plain(value))}'"


def attributes(given: Mapping[str, str | int | bool | None]) -> str:
    """:func:`attribute` of each value."""
    parts: list[str] = []
    for name, value in given.items():
        if value is not None:
            text = _SPECIAL_IN_ATTRIBUTE.sub(_reference, value) if isinstance(value, str) else _plain(value)
            parts.append(f" {name}='{text}'")
    return "".join(parts)


def element(name: str, value: str | int | bool) -> str:
    """``<name>value</name>``."""
    return f"<{name}>{escape(_plain(value))}</{name}>"


def switch_element(name: str, value: bool, default: bool) -> str:
    """A boolean element, nothing where it holds the default: ``<name/>`` or ``<name>false</name>``."""
    if value == default:
        return ""
    return f"<{name}/>" if value else f"<{name}>false</{name}>"


def qos(*parts: str) -> bytes:
    """A QoS document of the parts; ``<qos/>`` where all are empty."""
    body = "".join(parts)
    return f"<qos>{body}</qos>".encode() if body else b"<qos/>"


def _plain(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
