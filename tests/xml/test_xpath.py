from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.xml.document import parse_content, topic_document
from broker.xml.xpath import compile_predicate, compile_query

RADAR = topic_document(
    Key("radar.north", "text/xml", domain="AIR", meta=b"<STOCK id='7' xmlns:p='urn:p'><p:price>5</p:price></STOCK>")
)


@pytest.mark.parametrize(
    "text",
    [
        "/xmlBlaster/key",
        "/xmlBlaster/key[starts-with(@oid,'radar.')]",
        "//STOCK",
        "//STOCK[@id='7']",
        "//STOCK/@id",
        "key/STOCK",
        "//key[@contentMime='text/xml' and @domain='AIR']",
        "//p:price",
        "//*[local-name()='price' and . > 4]",
        "//p:price/text()",
        "//*",
        "//STOCK//p:price",
        "count(//STOCK)",
        "//STOCK/@id = 7",
        "string(//STOCK/@id)",
        "1 div 0",
    ],
)
def test_a_query_that_selects_something_within_the_key_matches(text: str) -> None:
    assert compile_query(text).matches(RADAR)


@pytest.mark.parametrize(
    "text",
    [
        "/xmlBlaster",
        "/",
        "/key",
        "//key[@oid='other']",
        "//q:price",
        "//price",
        "count(//BOND)",
        "0 div 0",
        "string(//STOCK/@name)",
        "//STOCK/@id = 8",
        "false()",
    ],
)
def test_a_query_that_selects_nothing_within_the_key_does_not_match(text: str) -> None:
    assert not compile_query(text).matches(RADAR)


@pytest.mark.parametrize(
    "text",
    [
        "//[",
        "//a[",
        "a or",
        "(a",
        "true(",
        "count(1)",
        "count()",
        "'a' | 'b'",
        "//a//b//c//d//e//f//g",
        "'\x01'",
        "$x",
        "a[//b]",
    ],
)
def test_broken_and_refused_queries(text: str) -> None:
    with pytest.raises(BrokerError) as caught:
        compile_query(text)
    assert caught.value.code is Code.USER_QUERY_INVALID


def test_a_query_that_cannot_be_evaluated_on_one_key_selects_nothing_in_it() -> None:
    query = compile_query("//STOCK[count(1)]")
    assert not query.matches(RADAR)
    assert not query.matches(topic_document(Key("a")))


def test_a_prefix_means_what_each_document_binds_it_to() -> None:
    query = compile_query("//x:a")
    for namespace in ("urn:1", "urn:2", "urn:1"):
        assert query.matches(topic_document(Key("k", meta=f"<x:a xmlns:x='{namespace}'/>".encode())))
    assert not query.matches(topic_document(Key("k", meta=b"<y:a xmlns:y='urn:1'/>")))


def test_many_bindings_of_a_prefix_are_not_kept() -> None:
    query = compile_query("//x:a")
    for number in range(40):
        assert query.matches(topic_document(Key("k", meta=f"<x:a xmlns:x='urn:n{number}'/>".encode())))
    assert len(query._compiled) <= 16


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("/news/sport", True),
        ("/news/*[@kind='rugby']", True),
        ("//sport = 'try'", True),
        ("//sport[contains(., 'tr')]", True),
        ("/", True),
        ("//politics", False),
        ("string(//politics)", False),
        ("count(//sport) > 1", False),
        ("//n:sport", False),
    ],
)
def test_predicates_over_contents(text: str, matches: bool) -> None:
    content = parse_content(b"<news><sport kind='rugby'>try</sport></news>")
    assert compile_predicate(text).matches(content) is matches


def test_predicates_are_namespace_aware() -> None:
    content = parse_content(b"<s:Envelope xmlns:s='urn:soap'><Body xmlns='urn:b'/></s:Envelope>")
    assert compile_predicate("/s:Envelope").matches(content)
    assert not compile_predicate("//Body").matches(content)


def test_a_predicate_cannot_break_out_of_its_wrapping() -> None:
    with pytest.raises(BrokerError):
        compile_predicate("//a) or (true()")


def test_a_predicate_that_cannot_be_evaluated_is_told() -> None:
    with pytest.raises(BrokerError) as caught:
        compile_predicate("/a[count(1)]").matches(parse_content(b"<a/>"))
    assert caught.value.code is Code.USER_QUERY_INVALID


def test_a_predicate_that_could_take_too_long_on_a_large_content_is_not_evaluated() -> None:
    predicate = compile_predicate("//a//b")
    assert predicate.matches(parse_content(b"<r><a><b/></a></r>"))
    with pytest.raises(BrokerError) as caught:
        predicate.matches(parse_content(b"<r>" + b"<a/>" * 9_000 + b"</r>"))
    assert caught.value.code is Code.RESOURCE_EXHAUST


@given(st.text("ab/[]()@.*:|='p, 1<-", max_size=30) | st.text(max_size=20))
def test_any_text_compiles_and_matches_or_is_refused(text: str) -> None:
    try:
        query = compile_query(text)
    except BrokerError as error:
        assert error.code is Code.USER_QUERY_INVALID
    else:
        assert query.matches(RADAR) in (True, False)
