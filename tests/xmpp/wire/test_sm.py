"""The counters of stream management (XEP-0198 §4; spec xmpp §1.2)."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xml.tree import Tree, parse_tree
from broker.xmpp.wire import ns
from broker.xmpp.wire.sm import (
    MODULUS,
    AckPolicy,
    TooHigh,
    TooLow,
    Unacked,
    counter_of,
    enabled,
    failed,
    serial_distance,
    wanted_window,
    wants_resumption,
)

T = TypeVar("T")


def element(**attributes: str) -> Tree:
    return Tree(ns.SM, "a", attributes)


def send(unacked: Unacked[T], item: T) -> int:
    number = unacked.number(item)
    unacked.advance(1)
    return number


def test_distances_are_serial() -> None:
    assert serial_distance(0, MODULUS - 1) == 1
    assert serial_distance(MODULUS - 1, 0) == -1
    assert serial_distance(5, 2) == 3


@pytest.mark.parametrize("start", [0, MODULUS - 3, MODULUS - 1])
def test_what_is_acknowledged_is_forgotten_in_order(start: int) -> None:
    unacked: Unacked[str] = Unacked(start)
    numbers = [send(unacked, item) for item in "abcd"]
    assert numbers == [(start + i) % MODULUS for i in range(1, 5)]
    assert unacked.acknowledge(numbers[1]) == ["a", "b"]
    assert unacked.items() == ["c", "d"]
    assert unacked.acknowledge(numbers[1]) == []
    assert unacked.acknowledge(numbers[0]) == []  # a step back
    with pytest.raises(TooHigh) as caught:
        unacked.acknowledge((numbers[3] + 1) % MODULUS)
    assert (caught.value.h, caught.value.send_count) == ((numbers[3] + 1) % MODULUS, numbers[3])
    assert len(unacked) == 2
    with pytest.raises(TooLow):
        unacked.acknowledge(numbers[0], strict=True)


@pytest.mark.parametrize("start", [0, MODULUS - 2])
def test_what_has_a_number_and_was_not_sent_cannot_be_acknowledged(start: int) -> None:
    unacked: Unacked[str] = Unacked(start)
    numbers = [unacked.number(item) for item in "abcd"]
    unacked.advance(2)

    with pytest.raises(TooHigh) as caught:
        unacked.acknowledge(numbers[2])

    assert caught.value.send_count == numbers[1]
    assert unacked.acknowledge(numbers[0]) == ["a"]
    assert len(unacked) == 1
    assert unacked.items() == ["b", "c", "d"]


def test_what_is_to_be_sent_again_keeps_its_number() -> None:
    unacked: Unacked[str] = Unacked()
    numbers = [send(unacked, item) for item in "abc"]
    unacked.acknowledge(numbers[0])

    unacked.rewind()

    assert (len(unacked), unacked.items()) == (0, ["b", "c"])
    unacked.advance(1)
    assert unacked.acknowledge(numbers[1]) == ["b"]
    assert unacked.number("d") == numbers[2] + 1


def test_the_next_number_is_known_before_it_is_given() -> None:
    unacked: Unacked[str] = Unacked(MODULUS - 2)

    known = [(unacked.next_number, unacked.number(item), unacked.numbered) for item in "abc"]

    assert known == [(MODULUS - 1, MODULUS - 1, 1), (0, 0, 2), (1, 1, 3)]


@given(st.integers(0, MODULUS - 1), st.lists(st.integers(-3, 6), max_size=60))
def test_it_is_a_queue_between_two_counters(start: int, steps: list[int]) -> None:
    unacked: Unacked[int] = Unacked(start)
    model: deque[int] = deque()
    sent = acked = 0
    for step in steps:
        if step > 0:
            for _ in range(step):
                sent += 1
                model.append(sent)
                assert send(unacked, sent) == (start + sent) % MODULUS
        else:
            count = min(-step, len(model))
            acked += count
            assert unacked.acknowledge((start + acked) % MODULUS) == [model.popleft() for _ in range(count)]
        assert unacked.items() == list(model)


def test_after_a_crash_it_goes_on_where_the_peer_is() -> None:
    unacked: Unacked[str] = Unacked()
    unacked.adopt(MODULUS - 1, MODULUS - 2, 5)
    assert send(unacked, "a") == 0
    with pytest.raises(TooHigh):
        unacked.adopt(20, 10, 5)
    assert unacked.items() == ["a"]
    unacked.adopt(3, 10, 5)
    assert unacked.items() == []
    unacked.adopt(1_000_000, None, 5)


def test_one_question_at_a_time() -> None:
    policy = AckPolicy(every=3, size=100)
    assert not policy.sent(2, 10)
    assert policy.sent(1, 10)
    assert not policy.sent(10, 10)
    assert policy.answered()
    assert not policy.answered()
    assert policy.sent(1, 100)
    assert not AckPolicy(ask=False).sent(100, 100)


def test_peer_is_asked_in_any_case_when_nothing_more_may_be_sent() -> None:
    for policy in (AckPolicy(ask=False), AckPolicy(every=100)):
        assert policy.sent(1, 10, full=True)
        assert not policy.sent(1, 10, full=True)
        assert not policy.answered()
        assert policy.sent(1, 10, full=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("4294967295", MODULUS - 1),
        ("4294967296", None),
        ("", None),
        ("-1", None),
        ("x", None),
        ("1 ", 1),
        ("٣", None),
    ],
)
def test_counters_are_unsigned_integers_of_xml_schema(text: str, value: int | None) -> None:
    assert counter_of(element(h=text)) == value
    assert counter_of(element()) is None


def test_wishes_are_read() -> None:
    assert [wants_resumption(element(resume=text)) for text in ("true", "1", "false", "0", "maybe")] == [
        True,
        True,
        False,
        False,
        None,
    ]
    assert wants_resumption(element()) is False
    assert [wanted_window(element(max=text)) for text in ("60", "0", "x", "-1")] == [60, 0, 0, 0]
    assert wanted_window(element()) is None


def test_answers_are_well_formed_whatever_stands_in_them() -> None:
    assert parse_tree(enabled("a'b&<", 10, "x:1")).attributes == {
        "resume": "true",
        "id": "a'b&<",
        "max": "10",
        "location": "x:1",
    }
    tree = parse_tree(failed("item-not-found", 7, "a < b"))
    assert tree.attributes == {"h": "7"}
    assert tree.find(ns.STANZAS, "item-not-found") is not None
