"""Filters of lists."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import pytest

from broker.admin.filtering import at_least, at_least_part, by_choice, by_part, by_pattern, by_truth
from broker.admin.listing import Predicate


class Colour(StrEnum):
    """Some names."""

    RED = "red"
    BLUE = "blue"


PATTERN: Callable[[str], Predicate[str]] = by_pattern(lambda text: text).read
PART: Callable[[str], Predicate[str]] = by_part(lambda text: text).read
COLOUR: Callable[[str], Predicate[str]] = by_choice(lambda text: text, Colour).read
NUMBER: Callable[[str], Predicate[float]] = at_least(lambda number: number).read
RATIO: Callable[[str], Predicate[float]] = at_least_part(lambda number: number).read
TRUTH: Callable[[str], Predicate[bool]] = by_truth(lambda value: value).read


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("joe", {"joe"}),
        ("joe*", {"joe", "joel"}),
        ("*oe", {"joe", "zoe"}),
        ("*o*", {"joe", "joel", "zoe", "*o"}),
        ("*", {"joe", "joel", "zoe", "ann", "*o"}),
        ("j.e", set()),
        ("", set()),
    ],
)
def test_star_stands_for_any_text_at_the_beginning_or_the_end(pattern: str, matching: set[str]) -> None:
    assert {text for text in ("joe", "joel", "zoe", "ann", "*o") if PATTERN(pattern)(text)} == matching


@pytest.mark.parametrize("pattern", ["j*e", "**a", "a**"])
def test_star_stands_nowhere_else(pattern: str) -> None:
    with pytest.raises(ValueError, match="at the beginning and at the end only"):
        PATTERN(pattern)


def test_part_of_a_name_is_found_in_upper_and_lower_case() -> None:
    assert PART("OE")("joel")
    assert not PART("x")("joel")


def test_one_of_some_names() -> None:
    assert COLOUR("red")("red")
    assert not COLOUR("red")("blue")
    with pytest.raises(ValueError, match="it is one of red, blue"):
        COLOUR("green")


def test_numbers_of_at_least_so_much() -> None:
    assert [NUMBER("2")(number) for number in (1, 2, 3)] == [False, True, True]
    for text in ("-1", "1.5", "x", ""):
        with pytest.raises(ValueError, match="whole number"):
            NUMBER(text)


def test_parts_of_at_least_so_much() -> None:
    assert [RATIO("0.9")(number) for number in (0.89, 0.9, 1.2)] == [False, True, True]
    for text in ("-1", "1e3", "nan", "inf", ""):
        with pytest.raises(ValueError, match=r"such as 0\.9"):
            RATIO(text)


def test_true_or_false() -> None:
    assert TRUTH("true")(True)
    assert TRUTH("false")(False)
    with pytest.raises(ValueError, match="true or false"):
        TRUTH("yes")
