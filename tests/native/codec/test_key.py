from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.model.key import Filter, Key, QueryKey, QueryKind
from broker.native.codec import parse_query_url, read_key, read_query_key, write_key, write_query_key


def test_a_key_with_everything() -> None:
    key = read_key(
        b"<KEY oid='Hello' contentmime='text/xml' contentMimeExtended='1.0' domain='RUGBY' x='y'>\n <a/>\n</KEY>"
    )
    assert key == Key("Hello", "text/xml", "1.0", "RUGBY", b"\n <a/>\n")


@pytest.mark.parametrize("data", [b"", b"<key/>", b"<key oid=''/>", b"<key contentMime=''></key>"])
def test_a_key_without_oid_leaves_the_choice_to_the_broker(data: bytes) -> None:
    assert read_key(data) == Key("")


def test_meta_data_is_kept_byte_for_byte() -> None:
    meta = '<p:a x = "1"  ><![CDATA[ <b> ]]>&#228;ä<!-- c --></p:a>'.encode()
    assert read_key(b"<key oid='x'>" + meta + b"</key>").meta == meta


def test_equal_bytes_give_the_same_key() -> None:
    assert read_key(b"<key oid='Shared'/>") is read_key(b"<key oid='Shared'/>")


def test_malformed_keys_are_refused() -> None:
    with pytest.raises(BrokerError) as caught:
        read_key(b"<key oid='Hello'")
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT


def test_keys_are_written_without_defaults() -> None:
    assert write_key(Key("a'b")) == b"<key oid='a&apos;b'/>"
    assert write_key(Key("a", "x/y", "1.0", "D", b"<m/>")) == (
        b"<key oid='a' contentMime='x/y' contentMimeExtended='1.0' domain='D'><m/></key>"
    )


@pytest.mark.parametrize(
    ("data", "query"),
    [
        (b"<key oid='Hello'/>", QueryKey(QueryKind.EXACT, "Hello")),
        (b"<key oid='Hello' queryType='exact'/>", QueryKey(QueryKind.EXACT, "Hello")),
        (b"<key/>", QueryKey(QueryKind.EXACT)),
        (b"", QueryKey(QueryKind.EXACT)),
        (b"<key oid='__subId:heron-2'/>", QueryKey(QueryKind.SUBSCRIPTION, "__subId:heron-2")),
        (
            b"<key queryType='XPATH'>\n  //demo[@id=&apos;7&apos;]\n </key>",
            QueryKey(QueryKind.XPATH, text="//demo[@id='7']"),
        ),
        (b"<key oid='x' queryType='EXACT'>//demo</key>", QueryKey(QueryKind.XPATH, text="//demo")),
        (b"<key oid=''><![CDATA[//a[@b<3]]]></key>", QueryKey(QueryKind.XPATH, text="//a[@b<3]")),
        (b"<key queryType='DOMAIN' domain='RUGBY'/>", QueryKey(QueryKind.DOMAIN, domain="RUGBY")),
        (
            b"<key oid='Hello'><filter type='GnuRegexFilter'> ^H.*$ </filter></key>",
            QueryKey(QueryKind.EXACT, "Hello", filters=(Filter("GnuRegexFilter", "^H.*$"),)),
        ),
    ],
)
def test_query_keys(data: bytes, query: QueryKey) -> None:
    assert read_query_key(data) == query


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<key oid='x' queryType='REGEX'/>", Code.USER_QUERY_TYPE_INVALID),
        (b"<key oid='x' queryType='SQL'/>", Code.USER_QUERY_TYPE_INVALID),
        (b"<key queryType='XPATH'/>", Code.USER_QUERY_INVALID),
        (b"<key queryType='DOMAIN'/>", Code.USER_QUERY_INVALID),
        (b"<key oid='x'><filter>^H</filter></key>", Code.USER_ILLEGAL_ARGUMENT),
        (b"<key queryType='XPATH'>//a", Code.USER_ILLEGAL_ARGUMENT),
    ],
)
def test_refused_query_keys(data: bytes, code: Code) -> None:
    with pytest.raises(BrokerError) as caught:
        read_query_key(data)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("exact:Hello", QueryKey(QueryKind.EXACT, "Hello")),
        ("oid:Hello", QueryKey(QueryKind.EXACT, "Hello")),
        ("Hello", QueryKey(QueryKind.EXACT, "Hello")),
        ("gen:joe/2:3452", QueryKey(QueryKind.EXACT, "gen:joe/2:3452")),
        ("xpath://key", QueryKey(QueryKind.XPATH, text="//key")),
        ("Domain:RUGBY", QueryKey(QueryKind.DOMAIN, domain="RUGBY")),
        ("subscriptionId:__subId:1", QueryKey(QueryKind.SUBSCRIPTION, "__subId:1")),
        ("exact:__subId:1", QueryKey(QueryKind.SUBSCRIPTION, "__subId:1")),
    ],
)
def test_short_notation(text: str, query: QueryKey) -> None:
    assert parse_query_url(text) == query
    assert parse_query_url(query.url) == query


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("xpath:", Code.USER_QUERY_INVALID),
        ("domain: ", Code.USER_QUERY_INVALID),
        ("regex:a.*", Code.USER_QUERY_TYPE_INVALID),
    ],
)
def test_refused_short_notation(text: str, code: Code) -> None:
    with pytest.raises(BrokerError) as caught:
        parse_query_url(text)
    assert caught.value.code is code


def test_query_keys_are_written_as_clients_write_them() -> None:
    assert write_query_key(QueryKey(QueryKind.EXACT, "a")) == b"<key oid='a'/>"
    assert write_query_key(QueryKey(QueryKind.XPATH, text="//a[@b<3]")) == b"<key queryType='XPATH'>//a[@b&lt;3]</key>"
    assert write_query_key(QueryKey(QueryKind.DOMAIN, domain="D")) == b"<key queryType='DOMAIN' domain='D'/>"
