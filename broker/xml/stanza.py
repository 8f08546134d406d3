"""What an XML stream consists of, as values: the header, stanzas, the end (RFC 6120 §4).

A stanza keeps its bytes as they came (design D10). Of its content only the names of its children are known until
somebody asks for more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from xml.parsers import expat

from broker.xml.tree import Tree, parse_tree, plain_attributes, split_name
from broker.xml.write import escape_attribute

START_TAG = re.compile(rb"""<(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
"""A complete start tag of well-formed XML."""
_PREFIXED = re.compile(rb"<[^\s/>:]+:")
_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,7}\Z")
_NAME_LIMIT = 4096  # distinct names whose parts are kept
_split = lru_cache(_NAME_LIMIT)(split_name)


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What of a stream's header is in force for its stanzas.

    Args:
        default: the default namespace, empty for none.
        prefixes: namespaces by prefix.
        markers: what to look for in a stanza that may use a prefix.
        language: of stanzas that name none, as the attribute ``xml:lang`` with a blank before it; empty for none.
    """

    default: str
    prefixes: dict[str, str]
    markers: tuple[bytes, ...] = ()
    language: bytes = b""

    @classmethod
    def of(cls, default: str, prefixes: dict[str, str], language: str = "") -> Scope:
        """Make one.

        Args:
            default: the default namespace.
            prefixes: namespaces by prefix.
            language: a language tag (RFC 5646); what cannot be one counts as none, as it is added to every stanza.
        """
        markers = tuple([f"{prefix}:".encode() for prefix in prefixes])
        tag = f" xml:lang='{language}'".encode() if _LANGUAGE.match(language) else b""
        return cls(default, prefixes, markers, tag)


@dataclass(frozen=True, slots=True)
class StreamStart:
    """A stream header (RFC 6120 §4.7).

    Args:
        attributes: ``to``, ``from``, ``version``, ``xml:lang`` and so on.
        namespace: the content namespace, that is the default namespace; empty where none was declared.
        prefixes: namespaces by prefix.
        raw: the tag as it came, without an XML declaration.
    """

    attributes: dict[str, str]
    namespace: str
    prefixes: dict[str, str]
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """``</stream:stream>`` (RFC 6120 §4.4)."""


class Stanza:
    """A first-level child of a stream: a stanza, or an element of stream negotiation. Treat it as frozen.

    Attributes:
        name: local name, e.g. ``message``.
        namespace: e.g. ``jabber:client``.
        attributes: ``to``, ``from``, ``id``, ``type``, ``xml:lang``; foreign ones as ``{namespace}name``.
        child_names: of its children, as :func:`broker.xml.tree.join_name` writes them.
        raw: its bytes as they came, without declarations of the stream's header.
        scope: what of the stream's header is in force for it.
    """

    __slots__ = ("attributes", "child_names", "name", "namespace", "raw", "scope")

    def __init__(
        self, expanded: str, attributes: dict[str, str], child_names: list[str], raw: bytes, scope: Scope
    ) -> None:
        self.namespace, self.name = _split(expanded)
        self.attributes = plain_attributes(attributes)
        self.child_names = child_names
        self.raw = raw
        self.scope = scope

    def __repr__(self) -> str:
        # Not the content, which may be anything and end up in a log.
        return f"<Stanza {self.name} {self.attributes} of {len(self.raw)} bytes>"

    @property
    def children(self) -> tuple[tuple[str, str], ...]:
        """``(namespace, local name)`` of each child."""
        return tuple([_split(child) for child in self.child_names])

    @property
    def first(self) -> tuple[str, str] | None:
        """``(namespace, local name)`` of the first child."""
        return _split(self.child_names[0]) if self.child_names else None

    @property
    def language(self) -> bytes:
        """What its stream says of its language and it does not: an attribute ``xml:lang``, or nothing."""
        language = self.scope.language
        return language if language and "xml:lang" not in self.attributes else b""

    @property
    def uses_header(self) -> bool:
        """Whether it may use a prefix that the stream's header declares."""
        raw = self.raw
        if b":" not in raw:  # a quick search
            return False
        for marker in self.scope.markers:  # noqa: SIM110 - a generator would cost more than the search
            if marker in raw:
                return True
        return False

    @property
    def inner(self) -> bytes:
        """What stands between its start and end tag.

        The bytes can stand in any element whose namespace is that of this stanza, declared as the default: what else
        they need of outer declarations is declared again.
        """
        raw = self.raw
        tag = START_TAG.match(raw)
        assert tag is not None  # expat has found one
        end = tag.end()
        if raw[end - 2] == 0x2F:  # "<name/>"
            return b""
        if _PREFIXED.match(raw) or raw.find(b"xmlns:", 0, end) >= 0 or self.uses_header:
            return _declare_again(raw, end, self.namespace, self.scope)
        return raw[end : raw.rindex(b"<")]

    @property
    def text(self) -> str:
        """Its own character data, without that of its children; only what has markup is parsed.

        Raises:
            BrokerError: as :meth:`tree` does.
        """
        raw = self.raw
        tag = START_TAG.match(raw)
        assert tag is not None  # expat has found one
        content = raw[tag.end() : raw.rindex(b"<")]  # of "<name/>" nothing
        if b"<" in content or b"&" in content or b"\r" in content:
            return self.tree().text
        return content.decode()

    def tree(self) -> Tree:
        """Parse it.

        Raises:
            BrokerError: ``user.illegalArgument`` where it has too many elements or attributes, or overlong names.
        """
        return parse_tree(self.raw, self.scope.default, self.scope.prefixes, what=self.name, limit=len(self.raw))


def _declare_again(raw: bytes, start: int, namespace: str, scope: Scope) -> bytes:
    """Add to each child the declarations that it may need of those that are in force around it.

    Bytes are inserted and none is changed, since a prefix may also be used inside text.
    """
    children: list[tuple[int, str, dict[str, str]]] = []
    declared: dict[str, str] = {}
    depth = 0
    parser = expat.ParserCreate("utf-8")

    def on_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if depth == 0:
            declared.update(attributes)
        elif depth == 1:
            children.append((parser.CurrentByteIndex, name, attributes))
        depth += 1

    def on_end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.Parse(raw, True)
    parser.StartElementHandler = None  # it knows the parser: nothing is left to the collector of cycles

    default = declared.get("xmlns", scope.default)
    prefixes = scope.prefixes | {
        key.removeprefix("xmlns:"): value for key, value in declared.items() if key.startswith("xmlns:")
    }
    end = raw.rindex(b"<")
    parts = []
    position = start
    for index, (offset, name, attributes) in enumerate(children):
        following = children[index + 1][0] if index + 1 < len(children) else end
        after_name = offset + 1 + len(name.encode())
        parts.append(raw[position:after_name])
        if default != namespace and "xmlns" not in attributes:
            parts.append(f" xmlns='{escape_attribute(default)}'".encode())
        for prefix, uri in prefixes.items():
            if f"xmlns:{prefix}" not in attributes and raw.find(f"{prefix}:".encode(), offset, following) >= 0:
                parts.append(f" xmlns:{prefix}='{escape_attribute(uri)}'".encode())
        position = after_name
    parts.append(raw[position:end])
    return b"".join(parts)
