"""Queries over topics by XPath, and filters over messages, as the core is handed them."""

from __future__ import annotations

from collections.abc import Sequence

from broker.filters.candidate import Predicate
from broker.filters.registry import compile_filters
from broker.model.key import Filter, Key
from broker.xml import TopicDocument, TopicQuery, compile_query, topic_document


class XPathQueries:
    """The core's :class:`broker.core.codec.Queries`."""

    def compile(self, text: str) -> TopicQuery:
        """See :func:`broker.xml.xpath.compile_query`."""
        return compile_query(text)

    def document(self, key: Key) -> TopicDocument:
        """See :func:`broker.xml.document.topic_document`."""
        return topic_document(key)

    def filters(self, filters: Sequence[Filter]) -> Predicate | None:
        """See :func:`broker.filters.registry.compile_filters`."""
        return compile_filters(filters)
