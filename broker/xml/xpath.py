"""XPath queries over topics' keys, and the XPath access filter over contents (spec xmlblaster §3.2, §12.1)."""

from __future__ import annotations

from lxml import etree  # type: ignore[import-untyped]
from twisted.logger import Logger

from broker.errors import BrokerError, Code
from broker.xml.document import MAX_TOPIC_COST, MAX_TOPIC_ELEMENTS, Document, TopicDocument
from broker.xml.expression import Expression, check_expression, invalid
from broker.xml.names import NAMES, NameBudget

log = Logger()

MAX_STEPS = 50_000_000
"""Elementary steps that one evaluation may take, some hundredths of a second: it is not interrupted."""
MAX_TOPIC_STEPS = 12_000_000
"""Elementary steps that a query may take on one topic."""

_MAX_BINDINGS = 16


class _Query:
    """A checked expression, compiled once for each way in which documents bind the prefixes it uses."""

    __slots__ = ("_compiled", "_expression", "_source")

    def __init__(self, expression: Expression, source: str) -> None:
        self._expression = expression
        self._source = source
        self._compiled: dict[tuple[str, ...], etree.XPath] = {}
        # libxml2 finds unknown functions and wrong types only when it evaluates.
        prefixes = dict.fromkeys(expression.prefixes, "urn:any")
        try:
            etree.XPath(expression.text, regexp=False)
            self._evaluate(Document(etree.Element("any"), prefixes, 1, 1))
        except (etree.XPathError, ValueError) as error:  # ValueError: characters that are not XML
            raise invalid(f"'{expression.text[:256]}' is not a valid XPath expression: {error}") from None

    def __str__(self) -> str:
        return self._expression.text

    def _evaluate(self, document: Document) -> object:
        """The expression's value on a document; False where the document does not bind one of its prefixes."""
        prefixes = self._expression.prefixes
        if not prefixes.issubset(document.prefixes):
            return False
        namespaces = {prefix: document.prefixes[prefix] for prefix in sorted(prefixes)}
        bindings = tuple(namespaces.values())
        compiled = self._compiled.get(bindings)
        if compiled is None:
            if len(self._compiled) >= _MAX_BINDINGS:
                self._compiled.clear()
            compiled = etree.XPath(self._source, namespaces=namespaces, regexp=False, smart_strings=False)
            self._compiled[bindings] = compiled
        return compiled(document.root)


class TopicQuery(_Query):
    """An XPATH query, made by :func:`compile_query`."""

    __slots__ = ()

    def steps(self, document: TopicDocument) -> int:
        """Elementary steps that :meth:`matches` takes at most; a step takes about a nanosecond."""
        return self._expression.cost.on(document.cost, document.elements)

    def matches(self, document: TopicDocument) -> bool:
        """Whether the query selects anything within the topic's key.

        That is a node of the key (not the ``<xmlBlaster>`` around it), true, a text or a number other than zero. A
        query that cannot be evaluated on this key selects nothing in it.
        """
        try:
            value = self._evaluate(document)
        except etree.XPathEvalError as error:
            log.debug("XPATH query {query} selects nothing: {error}", query=str(self), error=error)
            return False
        if isinstance(value, list):
            return any(node is not document.root for node in value)
        if isinstance(value, float):
            return value != 0 and value == value  # as XPath 1.0 §4.3 boolean()
        return bool(value)


class ContentQuery(_Query):
    """The expression of an XPath access filter, made by :func:`compile_predicate`."""

    __slots__ = ()

    def matches(self, document: Document) -> bool:
        """Whether the expression is true on a content (XPath 1.0 §4.3 ``boolean()``).

        A prefix in the expression means what the content binds it to; where it does not, nothing matches.

        Raises:
            BrokerError: ``user.query.invalid`` where the expression cannot be evaluated, ``resource.exhaust`` where it
                could take too long on a content of this size.
        """
        if self._expression.cost.on(document.cost, document.elements) > MAX_STEPS:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"'{self}' could take too long on {document.elements} elements")
        try:
            return bool(self._evaluate(document))
        except etree.XPathEvalError as error:
            raise invalid(f"'{self}' cannot be evaluated: {error}") from None


def compile_query(text: str, budget: NameBudget = NAMES) -> TopicQuery:
    """Compile the expression of an XPATH query.

    Relative paths start at ``<xmlBlaster>``.

    Args:
        text: XPath 1.0, at most 4096 characters.
        budget: of names.

    Raises:
        BrokerError: ``user.query.invalid`` for a broken expression, one that is refused
            (:func:`~broker.xml.expression.check_expression`) or one that could take too long, ``resource.exhaust``
            where the budget is used up.
    """
    expression = check_expression(text, budget)
    if expression.cost.on(MAX_TOPIC_COST, MAX_TOPIC_ELEMENTS) > MAX_TOPIC_STEPS:
        raise invalid("the XPath expression is too complex")
    return TopicQuery(expression, expression.text)


def compile_predicate(text: str, budget: NameBudget = NAMES) -> ContentQuery:
    """Compile the expression of an XPath access filter.

    Args:
        text: XPath 1.0, at most 4096 characters.
        budget: of names.

    Raises:
        BrokerError: ``user.query.invalid`` for a broken expression or one that is refused
            (:func:`~broker.xml.expression.check_expression`), ``resource.exhaust`` where the budget is used up.
    """
    expression = check_expression(text, budget)
    return ContentQuery(expression, f"boolean({expression.text})")
