"""Keys of messages and of queries: what is read is written and read alike, and the meta data is whole."""

from __future__ import annotations

from broker.native.codec import parse_query_url, read_key, read_query_key, write_key, write_query_key
from broker.xml.document import topic_document
from broker.xml.names import NameBudget
from broker.xml.parse import parse
from tests.fuzz.support import require, tried
from tests.fuzz.trees import same_tree

TOKENS = (
    b"<key oid='Hello'/>",
    b"<key oid='a' contentMime='text/xml' contentMimeExtended='1.0' domain='d'><a b='c'>d</a></key>",
    b"<key queryType='XPATH'>//key</key>",
    b"<key queryType='DOMAIN' domain='d'/>",
    b"<filter type='GnuRegexFilter'>a.*</filter>",
    b"__subId:1",
    b"xpath:",
    b"domain:",
    b"<![CDATA[",
    b"]]>",
    b"xmlns:p='urn:p'",
    b"<!DOCTYPE key [",
    b"&lt;",
    b"&#x9;",
)


def target(data: bytes) -> None:
    """The bytes of a key."""
    key = tried(read_key, data)
    if key is not None:
        require(key == read_key.__wrapped__(data), "the cache has something else")  # type: ignore[attr-defined]
        require(tried(read_key, write_key(key)) == key, "a key is another one when it is written again")
        tried(topic_document, key, NameBudget())
        if key.meta:
            same_tree(parse(data, "key"), parse(b"<key>" + key.meta + b"</key>", "key"))
    query = tried(read_query_key, data)
    if query is not None and query.kind is not None:
        require(tried(read_query_key, write_query_key(query)) == query, "a query is another one when it is written")
    tried(parse_query_url, data.decode("utf-8", "replace"))
