"""Queries over topics by XPath, and filters over messages, as the core is handed them."""

from __future__ import annotations

from collections.abc import Sequence

from broker.filters.candidate import Predicate
from broker.filters.registry import compile_filters
from broker.model.key import Filter, Key
from broker.xml.document import TopicDocument, topic_document
from broker.xml.names import NAMES
from broker.xml.xpath import TopicQuery, compile_query


class XPathQueries:
    """The core's :class:`broker.core.codec.Queries`."""

    def compile(self, text: str, account: str = "") -> TopicQuery:
        """See :func:`broker.xml.xpath.compile_query`; the account pays for names that are new."""
        with NAMES.paid_by(account):
            return compile_query(text)

    def document(self, key: Key, account: str = "") -> TopicDocument:
        """See :func:`broker.xml.document.topic_document`; the account pays for names that are new."""
        with NAMES.paid_by(account):
            return topic_document(key)

    def filters(self, filters: Sequence[Filter], account: str = "") -> Predicate | None:
        """See :func:`broker.filters.registry.compile_filters`; the account pays for names that are new."""
        with NAMES.paid_by(account):
            return compile_filters(filters)
