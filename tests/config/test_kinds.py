"""Kinds read what they write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.config.kinds import BOOLEAN, DURATION, INTEGER, SIZE, choice, integer
from broker.model.qos import Overflow


@given(st.integers(-(10**18), 10**18))
def test_numbers_read_what_they_write(value: int) -> None:
    for kind in (INTEGER, DURATION, SIZE):
        assert kind.parse(kind.write(value)) == value


def test_booleans_and_choices_read_what_they_write() -> None:
    for flag in (True, False):
        assert BOOLEAN.parse(BOOLEAN.write(flag)) is flag
    overflow = choice(Overflow)
    for value in Overflow:
        assert overflow.parse(overflow.write(value)) is value


def test_a_label_tells_the_limits() -> None:
    assert integer(0, 9).label == "whole number; 0 to 9"
    assert integer(minimum=1).label == "whole number; at least 1"
    assert integer(maximum=5).label == "whole number; at most 5"
