"""The campaign's judgement: histories that are wrong are refused, those that are right are not."""

from __future__ import annotations

import pytest

from tests.campaign.checks import (
    Arrival,
    Failed,
    Sent,
    check_arrivals,
    check_equal,
    check_history,
    check_nothing_left,
    check_part,
    check_stream,
    check_unmanaged,
)

SENT = [Sent("a", 10), Sent("b", 20), Sent("c", 0), Sent("d", 40)]
GOT = [Arrival("a", 10), Arrival("b", 20), Arrival("c", 30), Arrival("d", 40)]


class TestNative:
    def test_what_was_acknowledged_and_came_is_right(self) -> None:
        check_arrivals("jack", SENT, GOT)

    def test_what_was_not_acknowledged_may_be_missing_or_come_twice_under_two_ids(self) -> None:
        check_arrivals("jack", SENT, [GOT[0], GOT[1], GOT[3]])
        check_arrivals("jack", SENT, [GOT[0], GOT[1], GOT[2], Arrival("c", 35), GOT[3]])

    def test_marked_repeats_are_right_wherever_they_come(self) -> None:
        check_arrivals("jack", SENT, [*GOT, Arrival("b", 20, repeated=True)])

    def test_priorities_have_an_order_each(self) -> None:
        urgent = [Arrival("d", 40, priority=9), *GOT[:3]]
        check_arrivals("jack", SENT, urgent)

    def test_a_lost_message_is_found(self) -> None:
        with pytest.raises(Failed, match="1 acknowledged messages are lost: b"):
            check_arrivals("jack", SENT, [GOT[0], GOT[2], GOT[3]])

    def test_an_acknowledged_message_that_came_under_another_id_only_is_lost(self) -> None:
        with pytest.raises(Failed, match="lost: d"):
            check_arrivals("jack", SENT, [*GOT[:3], Arrival("d", 50)])

    def test_a_message_that_was_not_promised_may_be_lost(self) -> None:
        check_arrivals("jack", SENT, GOT[1:], everything=False)

    def test_an_unmarked_repeat_is_found(self) -> None:
        with pytest.raises(Failed, match="1 came again without a mark: b"):
            check_arrivals("jack", SENT, [*GOT, Arrival("b", 20)])

    def test_an_order_that_is_not_that_of_taking_is_found(self) -> None:
        with pytest.raises(Failed, match="out of order: b before a"):
            check_arrivals("jack", SENT, [GOT[1], GOT[0], GOT[2], GOT[3]])

    def test_a_stranger_is_found(self) -> None:
        with pytest.raises(Failed, match="nobody sent e"):
            check_arrivals("jack", SENT, [*GOT, Arrival("e", 50)])

    def test_acknowledgements_that_fall_are_found(self) -> None:
        with pytest.raises(Failed, match="acknowledgements do not rise"):
            check_arrivals("jack", [Sent("a", 20), Sent("b", 10)], [])


class TestStream:
    def test_each_once_and_in_order_is_right(self) -> None:
        check_stream("jack", ["1", "2"], ["1", "2"])

    @pytest.mark.parametrize(
        ("got", "complaint"),
        [
            (["1"], "1 lost: 2"),
            (["1", "2", "2"], "1 doubled: 2"),
            (["2", "1"], "out of order"),
            (["1", "2", "3"], "1 unknown: 3"),
        ],
    )
    def test_anything_else_is_found(self, got: list[str], complaint: str) -> None:
        with pytest.raises(Failed, match=complaint):
            check_stream("jack", ["1", "2"], got)


class TestPart:
    @pytest.mark.parametrize("got", [[], ["2"], ["1", "3"], ["1", "2", "3"]])
    def test_some_each_once_and_in_order_is_right(self, got: list[str]) -> None:
        check_part("jack", ["1", "2", "3"], got)

    @pytest.mark.parametrize("got", [["1", "1"], ["3", "2"], ["4"]])
    def test_anything_else_is_found(self, got: list[str]) -> None:
        with pytest.raises(Failed, match="1 doubled, unknown or out of order"):
            check_part("jack", ["1", "2", "3"], got)


class TestUnmanaged:
    @pytest.mark.parametrize(
        ("live", "delayed"),
        [([], []), (["1", "3"], []), (["1", "2"], ["2", "2"]), (["3"], ["2", "1", "1"])],
        ids=["nothing", "a part", "repeated with a mark", "late"],
    )
    def test_what_routes_cannot_promise_is_right(self, live: list[str], delayed: list[str]) -> None:
        check_unmanaged("joe", ["1", "2", "3"], live, delayed)

    @pytest.mark.parametrize(
        ("live", "delayed", "complaint"),
        [
            (["1", "1"], [], "1 doubled, unknown or out of order"),
            (["2", "1"], [], "1 doubled, unknown or out of order"),
            (["4"], [], "nobody sent 4"),
            ([], ["4"], "nobody sent 4"),
        ],
    )
    def test_anything_else_is_found(self, live: list[str], delayed: list[str], complaint: str) -> None:
        with pytest.raises(Failed, match=complaint):
            check_unmanaged("joe", ["1", "2", "3"], live, delayed)


class TestHistory:
    def test_the_newest_first_is_right(self) -> None:
        check_history("topic", SENT, [GOT[3], GOT[2]], 2)
        check_history("topic", SENT, GOT[::-1], 10)

    def test_too_few_are_found(self) -> None:
        with pytest.raises(Failed, match="1 of 3 messages are kept"):
            check_history("topic", SENT, [GOT[3]], 3)

    def test_a_gap_is_found(self) -> None:
        with pytest.raises(Failed, match="not in the history: b"):
            check_history("topic", SENT, [GOT[3], GOT[2], GOT[0]], 10)

    def test_a_wrong_order_is_found(self) -> None:
        with pytest.raises(Failed, match="out of order"):
            check_history("topic", SENT, GOT, 10)


def test_rows_that_belong_to_nobody_are_found() -> None:
    check_nothing_left({"entries without a queue": 0})
    with pytest.raises(Failed, match="left over in the database: 3 entries without a queue"):
        check_nothing_left({"entries without a queue": 3})


def test_a_wrong_counter_is_found() -> None:
    check_equal("queue", 0, 0)
    with pytest.raises(Failed, match="queue: 2, and 0 by the model"):
        check_equal("queue", 0, 2)
