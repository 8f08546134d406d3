"""Small XML documents as trees of plain objects: what stanzas carry, read in full only where somebody looks inside.

Trees keep the order of text and elements, so writing one that was read loses nothing but spelling: prefixes (so text
and values must not refer to them), quotes, and the way that characters were escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from broker.xml.parse import MAX_SIZE, ExpatReader, refusal
from broker.xml.write import escape, escape_attribute

SEPARATOR = "}"
"""Between the parts of an expanded name; no character of a namespace name, so that they can always be told apart."""
XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_XML_PREFIX = XML_NAMESPACE + SEPARATOR


def split_name(expanded: str) -> tuple[str, str]:
    """``(namespace, local name)`` of ``namespace}name``."""
    namespace, _, name = expanded.rpartition(SEPARATOR)
    return namespace, name


def join_name(namespace: str, name: str = "") -> str:
    """What :func:`split_name` splits; with no name, what all names of a namespace begin with."""
    return f"{namespace}{SEPARATOR}{name}"


def plain_attributes(attributes: dict[str, str]) -> dict[str, str]:
    """Attributes as expat gives them, with namespaces spelled ``xml:lang`` or ``{namespace}name``."""
    if SEPARATOR not in "".join(attributes):
        return attributes
    plain = {}
    for key, value in attributes.items():
        if key.startswith(_XML_PREFIX):
            plain["xml:" + key[len(_XML_PREFIX) :]] = value
        else:
            plain["{" + key if SEPARATOR in key else key] = value
    return plain


def write_attributes(attributes: Mapping[str, str | None]) -> str:
    """Attributes as they stand in a start tag, each with a blank before it; those that are ``None`` are left out.

    Args:
        attributes: named as :func:`plain_attributes` does.
    """
    parts: list[str] = []
    for key, value in attributes.items():
        if value is None:
            continue
        name = key
        if key.startswith("{"):
            namespace, local = split_name(key[1:])
            prefix = f"a{len(parts)}"
            parts.append(f" xmlns:{prefix}='{escape_attribute(namespace)}'")
            name = f"{prefix}:{local}"
        parts.append(f" {name}='{escape_attribute(value)}'")
    return "".join(parts)


@dataclass(slots=True)
class Tree:
    """An element.

    Args:
        namespace: its namespace name, empty for none.
        name: its local name.
        attributes: by name: ``to``, ``xml:lang``, or ``{namespace}name``.
        nodes: child elements and text in document order.
    """

    namespace: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    nodes: list[Tree | str] = field(default_factory=list)

    @property
    def children(self) -> list[Tree]:
        """Child elements."""
        return [node for node in self.nodes if not isinstance(node, str)]

    @property
    def text(self) -> str:
        """Its own character data, without that of its children."""
        return "".join([node for node in self.nodes if isinstance(node, str)])

    def find(self, namespace: str, name: str) -> Tree | None:
        """The first child element of that name, or ``None``."""
        for node in self.nodes:
            if not isinstance(node, str) and node.name == name and node.namespace == namespace:
                return node
        return None

    def find_all(self, namespace: str, name: str) -> Iterator[Tree]:
        """All child elements of that name."""
        return (child for child in self.children if child.name == name and child.namespace == namespace)

    def text_of(self, namespace: str, name: str, default: str = "") -> str:
        """The text of the first child element of that name."""
        child = self.find(namespace, name)
        return default if child is None else child.text

    def to_bytes(self, default_namespace: str = "") -> bytes:
        """Write it so that it can stand where ``default_namespace`` is in force, whatever prefixes are."""
        parts: list[str] = []
        self._write(parts, default_namespace)
        return "".join(parts).encode()

    def _write(self, parts: list[str], default_namespace: str) -> None:
        parts.append(f"<{self.name}")
        if self.namespace != default_namespace:
            parts.append(f" xmlns='{escape_attribute(self.namespace)}'")
        parts.append(write_attributes(self.attributes))
        if not self.nodes:
            parts.append("/>")
            return
        parts.append(">")
        for node in self.nodes:
            if isinstance(node, str):
                parts.append(escape(node))
            else:
                node._write(parts, self.namespace)
        parts.append(f"</{self.name}>")


class _TreeReader(ExpatReader):
    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit, SEPARATOR)
        self._open: list[Tree] = []
        self.root: Tree | None = None

    def started(self, name: str, attributes: dict[str, str]) -> None:
        tree = Tree(*split_name(name), plain_attributes(attributes))
        if self._open:
            self._open[-1].nodes.append(tree)
        else:
            self.root = tree
        self._open.append(tree)

    def ended(self) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].nodes.append(data)


def parse_tree(
    data: bytes,
    default_namespace: str = "",
    prefixes: Mapping[str, str] | None = None,
    *,
    what: str = "element",
    limit: int = MAX_SIZE,
) -> Tree:
    """Parse one element, with the limits of :class:`broker.xml.parse.ExpatReader`.

    Args:
        data: UTF-8.
        default_namespace: in force where the element stands.
        prefixes: namespaces by prefix in force where the element stands.
        what: names the element in error texts.
        limit: most bytes that it may have.

    Raises:
        BrokerError: ``user.illegalArgument`` saying what is wrong.
    """
    opening = open_tag("x", default_namespace, prefixes or {})
    reader = _TreeReader(what, limit + len(opening) + len(b"</x>"))
    reader.read(b"".join((opening, data, b"</x>")))
    assert reader.root is not None  # expat refuses a document without an element
    children = reader.root.children
    if len(children) != 1 or reader.root.text.strip():
        raise refusal(f"expected exactly one {what}")
    return children[0]


def open_tag(name: str, default_namespace: str, prefixes: Mapping[str, str]) -> bytes:
    """A start tag that declares namespaces."""
    declarations = "".join([f" xmlns:{prefix}='{escape_attribute(uri)}'" for prefix, uri in prefixes.items()])
    return f"<{name} xmlns='{escape_attribute(default_namespace)}'{declarations}>".encode()
