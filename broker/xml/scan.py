"""Reading values out of element trees: switches, numbers and texts with defaults (spec xmlblaster §2, §4)."""

from __future__ import annotations

from typing import TypeVar

from broker.model.number import whole
from broker.xml.parse import Element, parse, refusal

SHORTEST_DOCUMENT = 11
"""Anything shorter counts as an element without content (spec xmlblaster §2)."""

D = TypeVar("D")


def read_root(data: bytes, name: str) -> Element:
    """The root element of a key or QoS; an empty one where the data is empty or shorter than 11 bytes.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML.
    """
    if len(data.strip()) < SHORTEST_DOCUMENT:
        return Element(name, {}, b"", 0)
    return parse(data, name)


def children(parent: Element, name: str) -> list[Element]:
    """All children of that name (lower case)."""
    if name not in parent.last:
        return []
    return [candidate for candidate in parent.children if candidate.name == name]


def text(parent: Element, name: str) -> str:
    """The trimmed text of a child, empty where there is none."""
    found = parent.last.get(name)
    return found.text.strip() if found is not None else ""


def switch(parent: Element, name: str, default: D) -> bool | D:
    """A boolean child: ``<name/>`` is true.

    Raises:
        BrokerError: ``user.illegalArgument`` where its text is neither ``true`` nor ``false``.
    """
    found = parent.last.get(name)
    if found is None:
        return default
    return _boolean(found.text, f"<{name}>", True)


def switch_attribute(element: Element, name: str, default: D) -> bool | D:
    """A boolean attribute; the default where it is missing or empty."""
    value = element.attributes.get(name.lower())
    return default if value is None else _boolean(value, f"{name} of <{element.name}>", default)


def number(parent: Element, name: str, default: D) -> int | D:
    """The number in a child's text.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is no number of 64 bits.
    """
    return _number(text(parent, name), f"<{name}>", default)


def number_attribute(element: Element, name: str, default: D) -> int | D:
    """A numeric attribute; the default where it is missing or empty."""
    value = element.attributes.get(name.lower())
    return default if value is None else _number(value.strip(), f"{name} of <{element.name}>", default)


def required_attribute(element: Element, name: str) -> str:
    """An attribute that must be there and not be empty.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is missing.
    """
    value = element.attributes.get(name.lower(), "")
    if not value:
        raise refusal(f"<{element.name}> needs the attribute {name}")
    return value


def _boolean(value: str, where: str, default: D) -> bool | D:
    match value.strip().lower():
        case "":
            return default
        case "true":
            return True
        case "false":
            return False
    raise refusal(f"{where}: '{value.strip()[:64]}' is neither true nor false")


def _number(value: str, where: str, default: D) -> int | D:
    return whole(value, where) if value else default
