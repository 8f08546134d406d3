"""Values as text."""

from __future__ import annotations

import pytest

from broker.admin.values import date, size, to_boolean, to_number, to_text
from broker.errors import BrokerError, Code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        ("a,b", "a,b"),
        (["a", 1, None], "a,1,"),
        ({"joe": object(), "jack": object()}, "joe,jack"),
        ([], ""),
    ],
)
def test_text_of_a_value(value: object, text: str) -> None:
    assert to_text(value) == text


def test_dates_are_utc() -> None:
    assert date(86_400_000 + 1500) == "1970-01-02 00:00:01Z"


@pytest.mark.parametrize(("text", "value"), [("true", True), (" TRUE ", True), ("false", False)])
def test_booleans(text: str, value: bool) -> None:
    assert to_boolean(text) is value


@pytest.mark.parametrize("text", ["", "1", "yes", "truefalse"])
def test_what_is_no_boolean_is_refused(text: str) -> None:
    with pytest.raises(BrokerError) as raised:
        to_boolean(text)
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


@pytest.mark.parametrize(("text", "least", "value"), [("5", 0, 5), (" -1 ", -1, -1)])
def test_numbers(text: str, least: int, value: int) -> None:
    assert to_number(text, least) == value


@pytest.mark.parametrize("text", ["", "x", "1.5", "-2", "1" * 5000])
def test_what_is_no_number_or_too_small_is_refused(text: str) -> None:
    with pytest.raises(BrokerError) as raised:
        to_number(text, -1)
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert len(raised.value.message) < 200


@pytest.mark.parametrize(
    ("octets", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KB"), (377_379_000, "359.9 MB"), (5 << 40, "5120.0 GB")],
)
def test_bytes_are_told_in_a_unit_that_people_read(octets: int, text: str) -> None:
    assert size(octets) == text
