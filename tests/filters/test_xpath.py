from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.filters import compile_filter, xpath
from broker.filters.latest import Latest
from broker.model.key import Filter
from broker.xml.document import Document
from tests.filters.candidates import Message, message

NEWS = b"<news type='sport'><item><title>Goal</title></item></news>"


def passes(expression: str, content: bytes = NEWS, mime: str = "text/xml") -> bool:
    return compile_filter(Filter("XPathFilter", expression))(message(content, mime))


def test_a_content_in_which_the_expression_selects_something_passes() -> None:
    assert passes("/news/item")
    assert passes("//title[text()='Goal']")
    assert not passes("/news/advertisement")


def test_a_content_for_which_the_expression_is_true_passes() -> None:
    assert passes("/news/@type = 'sport'")
    assert not passes("/news/@type = 'fun'")


@pytest.mark.parametrize("mime", ["text/xml", "application/xml", "image/svg+xml", "TEXT/XML; charset=utf-8"])
def test_the_filter_applies_to_xml(mime: str) -> None:
    assert not passes("/other", mime=mime)


@pytest.mark.parametrize("mime", ["text/plain", "application/json", "text/xml-not", ""])
def test_messages_that_are_no_xml_pass(mime: str) -> None:
    assert passes("/other", b"{}", mime)


@pytest.mark.parametrize("content", [b"", b"<news>", b"<!DOCTYPE news [<!ENTITY x 'y'>]><news>&x;</news>", b"\xff"])
def test_a_content_that_cannot_be_read_is_an_error_of_the_configuration(content: bytes) -> None:
    with pytest.raises(BrokerError, match="cannot read the content") as caught:
        passes("/news", content)
    assert caught.value.code == Code.USER_CONFIGURATION


@pytest.mark.parametrize("expression", ["", "/news[", "unknown()", "$variable"])
def test_a_malformed_expression_is_refused(expression: str) -> None:
    with pytest.raises(BrokerError) as caught:
        compile_filter(Filter("XPathFilter", expression))
    assert caught.value.code == Code.USER_QUERY_INVALID


class Parses:
    """Counts how often a content is parsed."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, content: bytes, sender: str) -> Document | BrokerError:
        self.number += 1
        return xpath._parse(content, sender)


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parses]:
    counting = Parses()
    monkeypatch.setattr(xpath, "_document", Latest(counting))
    yield counting


def deliver_to_all(subscribers: int, sent: Message) -> list[bool | Code | str]:
    outcomes: list[bool | Code | str] = []
    for number in range(subscribers):
        try:
            outcomes.append(compile_filter(Filter("XPathFilter", f"/news/item[{number}]"))(sent))
        except BrokerError as error:
            outcomes.append(error.code)
    return outcomes


def test_a_message_is_parsed_once_for_a_hundred_subscribers(parses: Parses) -> None:
    assert deliver_to_all(100, message(NEWS, "text/xml")).count(True) == 1
    assert parses.number == 1


def test_a_malformed_message_is_parsed_once_for_a_hundred_subscribers(parses: Parses) -> None:
    assert set(deliver_to_all(100, message(b"<news", "text/xml"))) == {Code.USER_CONFIGURATION}
    assert parses.number == 1


@given(st.text(max_size=30), st.binary(max_size=30))
def test_any_text_is_an_expression_or_refused(expression: str, content: bytes) -> None:
    try:
        assert isinstance(passes(expression, content), bool)
    except BrokerError as error:
        assert error.code in (Code.USER_QUERY_INVALID, Code.USER_CONFIGURATION)
