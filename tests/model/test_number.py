"""Numbers that others have written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.model.number import LEAST, MOST, real_or_none, whole, whole_or_none

NONE = ["", " ", "²", "٥", "１", "1_0", "1 0", "0x1", "1e3", "1.0", "--1", "+", "x", "\x001", "1" * 5000, "1" * 20, "½"]


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("-0", 0), ("+7", 7), (" 7\n", 7), (str(MOST), MOST), (str(LEAST), LEAST), ("007", 7)]
)
def test_whole_numbers(text: str, value: int) -> None:
    assert whole_or_none(text) == whole(text, "it") == value


@pytest.mark.parametrize("text", [*NONE, str(MOST + 1), str(LEAST - 1), str(10**400)])
def test_what_is_no_whole_number_of_64_bits_is_refused(text: str) -> None:
    assert whole_or_none(text) is None
    with pytest.raises(BrokerError) as raised:
        whole(text, "it")
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert raised.value.message.startswith("it: '")
    assert len(raised.value.message) < 200


def test_a_range_has_both_its_ends() -> None:
    assert [whole_or_none(text, -1, 1) for text in ("-2", "-1", "1", "2")] == [None, -1, 1, None]
    with pytest.raises(BrokerError, match="from -1 to 1"):
        whole("2", "it", -1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("1.5E-3f", 0.0015),
        ("Infinity", math.inf),
        ("1e999", math.inf),
    ],
)
def test_numbers_with_a_fraction(text: str, value: float) -> None:
    assert real_or_none(text) == value


def test_not_a_number_is_one_as_java_writes_it() -> None:
    found = real_or_none("NaN")
    assert found is not None
    assert math.isnan(found)


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "infinity", "1_0.0", "²", "٥.٥", "1e", ".", "0x1p3", "1" * 5000, "1e" + "9" * 5000]
)
def test_what_is_no_number_with_a_fraction_is_none(text: str) -> None:
    assert real_or_none(text) is None


@given(st.text() | st.integers().map(str) | st.floats().map(str))
def test_any_text_is_a_number_or_none(text: str) -> None:
    found = whole_or_none(text)
    assert found is None or LEAST <= found <= MOST
    assert real_or_none(text) is None or isinstance(real_or_none(text), float)
