from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.xml.expression import MAX_LENGTH, MAX_NESTING, Cost, check_expression
from broker.xml.names import NameBudget, NameLimits


def check(text: str) -> Cost:
    return check_expression(text, NameBudget()).cost


def refused(text: str) -> str:
    with pytest.raises(BrokerError) as caught:
        check(text)
    assert caught.value.code is Code.USER_QUERY_INVALID
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("#", "unexpected '#'"),
        ("'open", "unexpected"),
        ("$x", "variables"),
        ("document('file:///etc/passwd')", "document()"),
        ("unparsed-entity-uri('x')", "unparsed-entity-uri()"),
        ("id('x')", "id()"),
        ("re:test(., '(a+)+$')", "re:test()"),
        ("//a[.//b]", "'//'"),
        ("//a[//b]", "'//'"),
        ("//a[b[c//d]]", "'//'"),
        ("//a[../b]", "'..'"),
        ("//a[/b]", "'/'"),
        ("//a[b = /c]", "'/'"),
        ("//a[descendant::b]", "axis descendant inside a predicate"),
        ("//a[parent::b]", "axis parent inside a predicate"),
        ("//a[ancestor :: b]", "axis ancestor inside a predicate"),
        ("//a/following::b", "axis following "),
        ("//a/preceding-sibling::b", "axis preceding-sibling"),
        ("//a/namespace::b", "axis namespace"),
        ("contains(., string(//a))", "contains()"),
        ("translate(., ., '')", "translate()"),
        ("substring-after(., concat('a', 'b'))", "substring-after()"),
        ("contains(., 'a' | b)", "contains()"),
        ("a, b", "unexpected ','"),
        ("a)", "unbalanced ')'"),
        ("(a]", "unbalanced ']'"),
        ("normalize-space(", "unbalanced '('"),  # libxml2 would take it
        ("n" * 257, "name of 257"),
    ],
)
def test_refused_expressions_are_refused_by_name(text: str, named: str) -> None:
    assert named in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "//STOCK",
        "/xmlBlaster/key[starts-with(@oid,'radar.')]",
        "//key[@domain='RUGBY' and not(@oid='x')]",
        "//key[STOCK/@id = 7]/STOCK",
        "//key[./STOCK[2]]",
        "//div[div div div = 1] and //mod/and",
        "count(//*) * 2 > 3 or * * *",
        "//text()|//comment()|//processing-instruction('x')",
        "translate(@a, 'ABC', 'abc') = 'x'",
        "//p:a/@q:b",
        "//größe",
        ".5 + 1. - -2",
    ],
)
def test_accepted_expressions(text: str) -> None:
    assert check(text).linear > 0


def test_the_length_is_limited() -> None:
    check("'" + "x" * (MAX_LENGTH - 2) + "'")
    assert str(MAX_LENGTH) in refused("'" + "x" * (MAX_LENGTH - 1) + "'")


def test_the_nesting_is_limited() -> None:
    check("(" * MAX_NESTING + "a" + ")" * MAX_NESTING)
    assert "nested deeper" in refused("(" * (MAX_NESTING + 1) + "a" + ")" * (MAX_NESTING + 1))


def test_prefixes_are_found_and_xml_needs_no_binding() -> None:
    assert check_expression("//p:a[@q:*='x:y' and @xml:lang]/child::r:b", NameBudget()).prefixes == {"p", "q", "r"}


def test_names_count_against_the_budget() -> None:
    budget = NameBudget(NameLimits(2))
    check_expression("//a/b", budget)
    with pytest.raises(BrokerError) as caught:
        check_expression("//c", budget)
    assert caught.value.code is Code.RESOURCE_EXHAUST


@pytest.mark.parametrize(
    ("text", "quadratic"),
    [
        ("//a", 0),
        ("//a | //b", 1),
        ("//a or //b", 0),
        ("//a//b", 10),
        ("//a/ancestor::b", 10),
        ("/a/b//c", 0),
        ("(//a or b)//c", 10),
        ("//a[b]//c", 10),
        ("a/../b", 1),
        ("//a = //b", 1),
        ("//a = 'x' and 5 < //b", 0),
    ],
)
def test_what_grows_with_the_square_of_the_document_is_counted(text: str, quadratic: int) -> None:
    assert check(text).quadratic == quadratic


def test_a_searched_literal_costs_its_length() -> None:
    assert check("contains(., '1234567890')").linear == check("contains(., '')").linear + 10


def test_concat_costs_what_it_copies() -> None:
    tokens = ["concat", "(", "a", ",", "b", ",", "c", ")"]
    assert check(" ".join(tokens)).linear == len(tokens) + 1 + 2


@given(st.text("ab/[]()@.*:|='$, 1<-", max_size=30))
def test_any_text_is_checked_or_refused(text: str) -> None:
    try:
        assert check(text).linear > 0
    except BrokerError as error:
        assert error.code is Code.USER_QUERY_INVALID
