"""Waiting for commits."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from broker.store.commits import CommitWaiters


@given(st.lists(st.integers(1, 20)), st.integers(0, 20))
def test_all_up_to_the_committed_position_are_told_in_order(positions: list[int], committed: int) -> None:
    told: list[tuple[int, int]] = []
    waiters = CommitWaiters()
    for number, position in enumerate(positions):
        waiters.add(position, partial(told.append, (position, number)))

    waiters.fire(committed)

    assert told == sorted((position, number) for number, position in enumerate(positions) if position <= committed)


def test_nobody_is_told_twice() -> None:
    told: list[str] = []
    waiters = CommitWaiters()
    waiters.add(1, lambda: told.append("once"))

    waiters.fire(1)
    waiters.fire(1)

    assert told == ["once"]


def test_who_was_cleared_is_not_told() -> None:
    told: list[str] = []
    waiters = CommitWaiters()
    waiters.add(1, lambda: told.append("never"))

    waiters.clear()
    waiters.fire(1)

    assert told == []
