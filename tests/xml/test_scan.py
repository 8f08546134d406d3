from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.xml.parse import parse
from broker.xml.scan import (
    children,
    number,
    number_attribute,
    read_root,
    required_attribute,
    switch,
    switch_attribute,
    text,
)


@pytest.mark.parametrize("data", [b"", b"<qos/>", b"\n <qos/>\n\n\n\n\n\n", b"<qos", b"1234567890"])
def test_less_than_eleven_bytes_count_as_an_empty_element(data: bytes) -> None:
    root = read_root(data, "qos")
    assert (root.name, root.attributes, root.children, root.markup) == ("qos", {}, [], b"")


def test_eleven_bytes_are_parsed() -> None:
    with pytest.raises(BrokerError):
        read_root(b"12345678901", "qos")


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        (b"<q><x/></q>", True),
        (b"<q><x></x></q>", True),
        (b"<q><x> TRUE </x></q>", True),
        (b"<q><x>false</x></q>", False),
        (b"<q><x>true</x><x>false</x></q>", False),
        (b"<q/>", None),
    ],
)
def test_a_switch_is_on_where_it_is_empty_or_says_true(xml: bytes, value: bool | None) -> None:
    assert switch(parse(xml, "q"), "x", None) is value


def test_a_switch_that_says_neither_is_refused() -> None:
    with pytest.raises(BrokerError, match="<x>: 'yes' is neither true nor false") as caught:
        switch(parse(b"<q><x>yes</x></q>", "q"), "x", False)
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT


def test_a_switch_attribute_that_is_missing_or_empty_has_its_default() -> None:
    root = parse(b"<q a='true' b='False' c=''/>", "q")
    assert [switch_attribute(root, name, None) for name in "ABCD"] == [True, False, None, None]


def test_numbers_are_read_with_blanks_and_signs() -> None:
    root = parse(b"<q a=' -12 ' b=''><n>\n +7 </n><m/></q>", "q")
    assert (number_attribute(root, "a", 0), number_attribute(root, "b", 1), number_attribute(root, "c", 2)) == (
        -12,
        1,
        2,
    )
    assert (number(root, "n", 0), number(root, "m", 3), number(root, "o", None)) == (7, 3, None)


@pytest.mark.parametrize("value", ["x", "1.5", "1_000", "٣", "9223372036854775808", "-9223372036854775809", "1" * 5000])
def test_what_is_no_number_of_64_bits_is_refused_with_name_and_value(value: str) -> None:
    root = parse(f"<q lifeTime='{value}'/>".encode(), "q")
    with pytest.raises(BrokerError) as caught:
        number_attribute(root, "lifeTime", 0)
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT
    assert caught.value.message.startswith(f"lifeTime of <q>: '{value[:64]}'")


def test_a_required_attribute_must_not_be_empty() -> None:
    root = parse(b"<q a='1' b=''/>", "q")
    assert required_attribute(root, "a") == "1"
    for name in "bc":
        with pytest.raises(BrokerError, match=f"<q> needs the attribute {name}"):
            required_attribute(root, name)


def test_the_last_of_several_children_counts() -> None:
    root = parse(b"<q><x>1</x><y/><x> 2 </x></q>", "q")
    found = root.last.get("x")
    assert found is not None
    assert (found.text, text(root, "x"), text(root, "z")) == (" 2 ", "2", "")
    assert [element.text for element in children(root, "x")] == ["1", " 2 "]
