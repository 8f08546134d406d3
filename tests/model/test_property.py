"""Values of client properties."""

from __future__ import annotations

import math
from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.filters.sql92.values import value_of
from broker.model.property import ClientProperty, check_properties

TYPES = ["", "String", "boolean", "byte", "short", "int", "long", "float", "double", "byte[]", "INT", "furlong"]
ODD = [
    "²",
    "٥",
    "1_0",
    str(10**400),
    "-1",
    "NaN",
    "nan",
    "inf",
    "1e999",
    "",
    " ",
    "\ud800",
    "=",
    "a",
    "AA=",
    "\x00",
    "½",
]


@pytest.mark.parametrize(
    ("type", "value", "python"),
    [
        ("boolean", " TRUE ", True),
        ("boolean", "1", False),
        ("byte", "127", 127),
        ("byte", "128", "128"),
        ("short", "-32768", -32768),
        ("short", "40000", "40000"),
        ("int", " 5 ", 5),
        ("int", "2147483648", "2147483648"),
        ("long", "-9223372036854775808", -(2**63)),
        ("long", "9223372036854775808", "9223372036854775808"),
        ("int", "²", "²"),
        ("int", "1_0", "1_0"),
        ("float", "0.5f", 0.5),
        ("double", "Infinity", math.inf),
        ("double", "inf", "inf"),
        ("byte[]", "AQ", b"AQ"),
        ("", "5", "5"),
    ],
)
def test_a_value_is_of_its_type_or_a_text(type: str, value: str, python: object) -> None:
    assert ClientProperty("a", value, type).python == python


@given(
    st.sampled_from(ODD) | st.text(),
    st.sampled_from(TYPES),
    st.sampled_from(["", "base64", "forcePlain", "hex"]),
    st.sampled_from(
        ["", "utf-16", "base64", "rot13", "idna", "punycode", "undefined", "unicode_escape", "no such", "x" * 999]
    )
    | st.sampled_from(sorted(aliases)),
)
def test_every_reader_has_a_value_for_every_property(value: str, type: str, encoding: str, charset: str) -> None:
    given = ClientProperty("a", value, type, encoding, charset)
    assert isinstance(given.raw, bytes)
    assert isinstance(given.text, str)
    assert isinstance(given.is_true, bool)
    assert isinstance(given.python, bool | int | float | str | bytes)
    assert isinstance(value_of(given), bool | int | float | str | bytes)


@pytest.mark.parametrize("value", ["²", "a", "AA=", "A A", "!!!!", "AAAA=AAA", "\ud800", "=" * 3])
def test_a_request_with_what_is_no_base64_is_refused(value: str) -> None:
    with pytest.raises(BrokerError) as raised:
        check_properties([ClientProperty("fine", "x"), ClientProperty("odd", value, encoding="base64")])
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert "'odd'" in raised.value.message


@pytest.mark.parametrize("value", ["", "AA==", " QUFB\r\n QUFB\n", "/+A="])
def test_base64_may_be_broken_into_lines(value: str) -> None:
    check_properties([ClientProperty("a", value, encoding="base64")])
