"""Whether two QoS or key documents say the same, but for what differs from run to run.

Elements are compared by name, attributes and text. Elements of different names may stand in any order, elements of the
same name may not; where an attribute tells elements of one name apart (the properties by ``name``, the queues by
``relating``) it counts as part of the name.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest

Element = ElementTree.Element

IDENTIFYING = ("name", "relating")

VARIABLE_ATTRIBUTES = {
    ("session", "sessionId"): "{session id}",
    ("callback", "sessionId"): "{session id}",
    ("node", "id"): "{node}",
    ("queue", "size"): "{size}",
    ("address", "bootstrapPort"): "{port}",
    ("callback", "bootstrapPort"): "{port}",
}
"""(element, attribute) -> what stands for any value of it."""

SUBSTITUTIONS = [
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?"), "{time}"),
    (re.compile(r"\bsessionId:[^\s'\"<]+"), "{session id}"),
    (re.compile(r"__subId:(?!PtP\b)[^\s'\"<]*?\d{10,}"), "__subId:{id}"),
    (re.compile(r"/node/[^/\s'\"<]+"), "/node/{node}"),
    (re.compile(r"(?<=/)-\d+(?![\w/])"), "-{number}"),
    (re.compile(r"\b[\w.-]+-\d{13,19}\b"), "{oid}"),
    (re.compile(r"\b\d{13,19}\b"), "{time}"),
    (re.compile(r"(?<=://)([^\s:/'\"<]+):\d+"), r"\1:{port}"),
]
"""Pattern -> what stands for it, in this order, in texts and attributes."""


def differences(recorded: bytes, ours: bytes) -> list[str]:
    """What one document says that the other does not, as ``path: what``; empty for equivalent documents.

    Args:
        recorded: of the real server or client; an empty document counts as an empty element.
        ours: what is compared with it.
    """
    try:
        expected = _parsed(recorded)
    except ElementTree.ParseError:
        # An error code, which is plain text where a QoS would be.
        return [] if recorded == ours else [f"{recorded!r} recorded, {ours!r} ours"]
    try:
        actual = _parsed(ours)
    except ElementTree.ParseError as error:
        return [f"ours is no XML: {error}"]
    if expected is None or actual is None:
        found = actual if expected is None else expected
        expected, actual = (
            Element(found.tag) if found is not None and side is None else side for side in (expected, actual)
        )
    if expected is None or actual is None:
        return []
    if expected.tag != actual.tag:
        return [f"<{expected.tag}> recorded, <{actual.tag}> ours"]
    return list(_compared(expected.tag, expected, actual))


def normalized(value: str) -> str:
    """A text or attribute with all that differs from run to run replaced, and white space collapsed."""
    text = " ".join(value.split())
    for pattern, replacement in SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    return text


def _parsed(document: bytes) -> Element | None:
    return ElementTree.fromstring(document.strip()) if document.strip() else None


def _compared(path: str, recorded: Element, ours: Element) -> Iterator[str]:
    expected, actual = _attributes(recorded), _attributes(ours)
    for name in sorted(expected.keys() | actual.keys()):
        yield from _unequal(f"{path}/@{name}", expected.get(name), actual.get(name))
    yield from _unequal(path, _text(recorded), _text(ours))
    expected_children, actual_children = _children(recorded), _children(ours)
    for name in dict.fromkeys([*expected_children, *actual_children]):
        siblings = zip_longest(expected_children.get(name, []), actual_children.get(name, []))
        for number, (left, right) in enumerate(siblings, start=1):
            below = f"{path}/{name}" if number == 1 else f"{path}/{name}[{number}]"
            if left is None:
                yield f"{below}: ours only"
            elif right is None:
                yield f"{below}: recorded only"
            else:
                yield from _compared(below, left, right)


def _unequal(path: str, recorded: str | None, ours: str | None) -> Iterator[str]:
    if recorded is None:
        yield f"{path}: ours only"
    elif ours is None:
        yield f"{path}: recorded only"
    elif recorded != ours:
        yield f"{path}: {recorded!r} recorded, {ours!r} ours"


def _attributes(element: Element) -> dict[str, str]:
    return {name: VARIABLE_ATTRIBUTES.get((element.tag, name)) or normalized(value) for name, value in element.items()}


def _text(element: Element) -> str:
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    return normalized(" ".join(pieces))


def _children(element: Element) -> dict[str, list[Element]]:
    children: defaultdict[str, list[Element]] = defaultdict(list)
    for child in element:
        marks = [f"[@{name}='{child.get(name)}']" for name in IDENTIFYING if child.get(name) is not None]
        # A session is one and only, whatever its name.
        children[child.tag + ("" if child.tag == "session" else "".join(marks))].append(child)
    return children
