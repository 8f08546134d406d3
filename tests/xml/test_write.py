from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xml.parse import parse
from broker.xml.write import attribute, attributes, element, escape, escape_attribute, qos, switch_element
from tests.native.codec.strategies import texts


@given(texts)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert parse(f"<q>{escape(text)}</q>".encode(), "q").text == text


@given(texts)
def test_an_attribute_is_read_as_it_was_written(text: str) -> None:
    assert parse(f'<q{attribute("a", text)} b="{escape_attribute(text)}"/>'.encode(), "q").attributes == {
        "a": text,
        "b": text,
    }


@given(st.text())
def test_characters_that_xml_cannot_express_are_replaced(text: str) -> None:
    assert len(parse(f"<q>{escape(text)}</q>".encode(), "q").text) == len(text)


def test_no_escaped_text_holds_a_quote_or_closes_a_cdata_section() -> None:
    assert escape("sessionId='x' ]]>") == "sessionId=&apos;x&apos; ]]&gt;"


@pytest.mark.parametrize(
    ("value", "written"), [(None, ""), ("", " a=''"), (5, " a='5'"), (True, " a='true'"), (False, " a='false'")]
)
def test_attributes(value: str | int | bool | None, written: str) -> None:
    assert attribute("a", value) == written


@given(st.dictionaries(st.sampled_from("abcdef"), st.none() | texts | st.integers() | st.booleans()))
def test_attributes_are_written_together_as_each_is_alone(given: dict[str, str | int | bool | None]) -> None:
    assert attributes(given) == "".join(attribute(name, value) for name, value in given.items())


def test_elements() -> None:
    assert element("a", "<") == "<a>&lt;</a>"
    assert element("a", True) == "<a>true</a>"


@pytest.mark.parametrize(
    ("value", "default", "written"),
    [(True, True, ""), (False, False, ""), (True, False, "<a/>"), (False, True, "<a>false</a>")],
)
def test_switches_are_omitted_where_they_hold_their_default(value: bool, default: bool, written: str) -> None:
    assert switch_element("a", value, default) == written


def test_a_qos_without_parts_is_empty() -> None:
    assert qos("", "") == b"<qos/>"
    assert qos("<a/>", "ä") == "<qos><a/>ä</qos>".encode()
