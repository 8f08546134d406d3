"""Comparing what the broker's parsers make of a document with what others make of it."""

from __future__ import annotations

from xml.etree import ElementTree

from broker.xml.parse import Element
from broker.xml.tree import Tree
from tests.fuzz.support import require


def same_tree(one: Element, other: Element) -> None:
    """Two elements have the same content; attributes of the first level are left out."""
    require(one.text == other.text, f"the text is {other.text!r}, not {one.text!r}")
    require(len(one.children) == len(other.children), "another number of children")
    for child, twin in zip(one.children, other.children, strict=True):
        require(child.name == twin.name, f"<{twin.name}> instead of <{child.name}>")
        require(child.attributes == twin.attributes, f"other attributes of <{child.name}>")
        same_tree(child, twin)


def matches_reference(data: bytes, found: Element) -> None:
    """The tree is what the standard library's full parser makes of the document, where that knows all prefixes."""
    try:
        reference = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        # The native grammar knows no namespaces, so only the other parser minds a colon.
        require(b":" in data, f"accepted, and not well-formed: {error}")
        return
    if not any("}" in element.tag for element in reference.iter()):
        _like(found, reference)


def _like(found: Element, reference: ElementTree.Element) -> None:
    require(found.name == reference.tag.lower(), f"<{found.name}> instead of <{reference.tag}>")
    text = (reference.text or "") + "".join(child.tail or "" for child in reference)
    require(found.text == text, f"the text is {found.text!r}, not {text!r}")
    plain = {key.lower(): value for key, value in reference.attrib.items() if "}" not in key}
    kept = {key: value for key, value in found.attributes.items() if ":" not in key and key != "xmlns"}
    require(kept == plain, f"the attributes are {kept}, not {plain}")
    require(len(found.children) == len(reference), "another number of children")
    for child, twin in zip(found.children, reference, strict=True):
        _like(child, twin)


def merged(tree: Tree) -> Tree:
    """The same tree with neighbouring texts as one, and without empty ones."""
    nodes: list[Tree | str] = []
    for node in tree.nodes:
        if not isinstance(node, str):
            nodes.append(merged(node))
        elif nodes and isinstance(nodes[-1], str):
            nodes[-1] += node
        elif node:
            nodes.append(node)
    return Tree(tree.namespace, tree.name, tree.attributes, nodes)
