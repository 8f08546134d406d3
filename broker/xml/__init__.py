"""Hardened parsing and writing of XML; the only package that parses XML or imports lxml (design D11)."""

from __future__ import annotations

from broker.xml.document import Document, TopicDocument, parse_content, topic_document
from broker.xml.names import NAMES, NameBudget
from broker.xml.xpath import ContentQuery, TopicQuery, compile_predicate, compile_query

__all__ = [
    "NAMES",
    "ContentQuery",
    "Document",
    "NameBudget",
    "TopicDocument",
    "TopicQuery",
    "compile_predicate",
    "compile_query",
    "parse_content",
    "topic_document",
]
