"""Documents that XPath expressions are evaluated on: the virtual one of a topic's key, and message contents.

lxml is never given bytes to parse: expat reads them and the tree is built from its events. So there is one hardened
parser only (:mod:`broker.xml.parse`), and names are counted before libxml2 keeps them (:mod:`broker.xml.names`).
"""

from __future__ import annotations

from lxml import etree  # type: ignore[import-untyped]

from broker.model.key import Key
from broker.xml.names import NAMES, NameBudget
from broker.xml.parse import ExpatReader, refusal
from broker.xml.write import attribute

MAX_TOPIC_COST = 100_000
MAX_TOPIC_ELEMENTS = 500
"""Limits of a topic's document, by which the cost of a query is known when it is compiled."""

MAX_NAMESPACE = 1024

_SEPARATOR = "\f"  # can occur in no XML document


class Document:
    """A parsed document.

    Args:
        root: its root element.
        prefixes: namespace by prefix, the first binding in document order.
        elements: how many there are.
        cost: characters in the string values of all elements together (a text counts for every element around it),
            plus elements.
    """

    __slots__ = ("cost", "elements", "prefixes", "root")

    def __init__(self, root: etree._Element, prefixes: dict[str, str], elements: int, cost: int) -> None:
        self.root = root
        self.prefixes = prefixes
        self.elements = elements
        self.cost = cost


class TopicDocument(Document):
    """``<xmlBlaster>`` with the key of one topic as its only child (spec xmlblaster §3.2)."""

    __slots__ = ()


class _DocumentReader(ExpatReader):
    def __init__(self, what: str, budget: NameBudget) -> None:
        super().__init__(what, namespace_separator=_SEPARATOR)
        self.cost = 0
        self.prefixes: dict[str, str] = {}
        self.builder = etree.TreeBuilder()
        self._budget = budget
        self._bindings: dict[str | None, str] = {}
        self._lxml_names: dict[str, str] = {}
        self._tags: list[str] = []
        self._expat.StartNamespaceDeclHandler = self._on_namespace

    def started(self, name: str, attributes: dict[str, str]) -> None:
        names = self._lxml_names
        tag = names[name]
        self._tags.append(tag)
        self.builder.start(tag, {names[key]: value for key, value in attributes.items()}, self._bindings or None)
        self._bindings = {}
        self.cost += 1

    def ended(self) -> None:
        self.builder.end(self._tags.pop())

    def text(self, data: str) -> None:
        self.builder.data(data)
        self.cost += len(data) * len(self._tags)

    def new_name(self, name: str) -> None:
        namespace, separator, local = name.rpartition(_SEPARATOR)
        super().new_name(local)
        local = self._budget.known_as(local)
        self._lxml_names[name] = f"{{{namespace}}}{local}" if separator else local

    def _on_namespace(self, prefix: str | None, namespace: str | None) -> None:
        if namespace is None:  # xmlns='' takes the default namespace away; expat's names show it
            return
        if len(namespace) > MAX_NAMESPACE:
            raise refusal(f"{self.what} has a namespace of {len(namespace)} characters; {MAX_NAMESPACE} are allowed")
        if prefix is not None:
            super().new_name(prefix)
        self._budget.admit_namespace(namespace)
        if prefix is None:
            self._bindings[None] = namespace
        elif self._budget.known_as(prefix) == prefix:  # else no expression uses it
            self.prefixes.setdefault(prefix, namespace)
            self._bindings[prefix] = namespace


def parse_content(data: bytes, budget: NameBudget = NAMES) -> Document:
    """Parse a message content that a filter looks at.

    Args:
        data: UTF-8, at most 1 MiB.
        budget: of names.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed, hostile or too much XML, ``resource.exhaust`` where it has
            new namespaces and the budget is used up.
    """
    reader = _DocumentReader("content", budget)
    _build(reader, data)
    return Document(reader.builder.close(), reader.prefixes, reader.elements, reader.cost)


def topic_document(key: Key, budget: NameBudget = NAMES) -> TopicDocument:
    """The virtual document of one topic.

    Args:
        key: of the topic.
        budget: of names.

    Raises:
        BrokerError: ``user.illegalArgument`` where the meta data is malformed, hostile or too much to be searched or
            uses an unbound prefix, ``resource.exhaust`` where it has new namespaces and the budget is used up.
    """
    reader = _DocumentReader("key", budget)
    head = "".join(
        (
            attribute("oid", key.oid),
            attribute("contentMime", key.mime),
            attribute("contentMimeExtended", key.mime_extended or None),
            attribute("domain", key.domain or None),
        )
    )
    reader.builder.start("xmlBlaster", {})
    _build(reader, b"<key%b>%b</key>" % (head.encode(), key.meta))
    reader.builder.end("xmlBlaster")
    if reader.elements > MAX_TOPIC_ELEMENTS or reader.cost > MAX_TOPIC_COST:
        raise refusal(f"the meta data of topic '{key.oid[:256]}' is too much to be searched by XPath queries")
    return TopicDocument(reader.builder.close(), reader.prefixes, reader.elements, reader.cost)


def _build(reader: _DocumentReader, data: bytes) -> None:
    try:
        reader.read(data)
    except ValueError as error:  # lxml is stricter about names and namespaces than expat
        raise refusal(f"{reader.what}: {error}") from None
