"""XPath queries and filters: refused, or evaluated within their time; on documents that are XML to others, too."""

from __future__ import annotations

from time import process_time

from broker.native.codec.key import read_key
from broker.xml.document import parse_content, topic_document
from broker.xml.names import NameBudget
from broker.xml.xpath import compile_predicate, compile_query
from tests.fuzz.support import require, tried

LONGEST_SECONDS = 5.0
"""Of processor time for one evaluation; ten times what is meant to be possible, since other work disturbs it."""
REPEATED = 400
TOKENS = (
    b"\0",
    b"//",
    b"..",
    b"::",
    b"[",
    b"]",
    b"(",
    b")",
    b"|",
    b" or ",
    b" and ",
    b" div ",
    b" mod ",
    b"@",
    b"*",
    b"descendant-or-self::node()",
    b"ancestor::",
    b"parent::",
    b"self::",
    b"contains(",
    b"translate(",
    b"substring-before(",
    b"normalize-space(",
    b"concat(",
    b"count(",
    b"last()",
    b"position()",
    b"id('a')",
    b"key('a','b')",
    b"document('a')",
    b"$x",
    b"text()",
    b"processing-instruction('a')",
    b"lang('en')",
    b"string(.)",
    b"sum(//a)",
    b"<a b='c'>d</a>",
    b"<p:a xmlns:p='urn:p'/>",
)
LONGEST = 1024


def target(data: bytes) -> None:
    """An expression, NUL, what is repeated to be a document."""
    text, _, inner = data.partition(b"\0")
    expression = text.decode("utf-8", "replace")
    # A budget for each input: what one of them uses up is not there for the next.
    predicate = tried(compile_predicate, expression, NameBudget())
    query = tried(compile_query, expression, NameBudget())
    if predicate is None:
        require(query is None, "refused as a filter, and not as a query")
        return
    document = tried(parse_content, b"<a>" + inner * REPEATED + b"</a>", NameBudget())
    began = process_time()
    if document is not None:
        tried(predicate.matches, document)
    key = tried(read_key, b"<key oid='a'>" + inner + b"</key>")
    topic = tried(topic_document, key, NameBudget()) if key is not None else None
    if query is not None and topic is not None:
        query.matches(topic)
    require(process_time() - began < LONGEST_SECONDS, "it takes too long")
