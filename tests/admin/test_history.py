"""What the broker's numbers were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from twisted.internet.task import Clock

from broker.admin.history import COARSE, FINE, TOGETHER, Gauge, History, Mean, Rate, Ring, Series


@dataclass
class Numbers:
    """What is looked at."""

    level: float | None = 1.0
    counter: float | None = 0.0
    times: tuple[float, float] | None = (0.0, 0)


@dataclass
class Watched:
    """A history, and what it looks at."""

    numbers: Numbers = field(default_factory=Numbers)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        series: Sequence[Series[Numbers]] = (
            Gauge("level", lambda each: each.level),
            Rate("rate", lambda each: each.counter),
            Mean("mean", lambda each: each.times),
        )
        self.history = History(series, self.numbers, self.clock)
        self.history.start()

    def pass_seconds(self, number: int) -> None:
        for _ in range(number):
            self.clock.advance(1)

    def last(self, name: str, number: int = 1, points: int = 1000) -> list[float | None]:
        return self.history.excerpt([name], number, points).series[name]


def test_ring_keeps_the_last_values_in_order() -> None:
    ring = Ring(3)
    for value in (1, 2, 3, 4):
        ring.add(value)

    assert list(ring.last(3)) == [2, 3, 4]
    assert list(ring.last(1)) == [4]


def test_gauge_is_told_as_it_is() -> None:
    watched = Watched()
    for level in (1, 2, 5):
        watched.numbers.level = level
        watched.pass_seconds(1)

    assert watched.last("level", 4) == [None, 1, 2, 5]


def test_rate_is_by_how_much_a_counter_has_risen_in_a_second() -> None:
    watched = Watched(Numbers(counter=1000))
    for counter in (1003, 1003, 1013):
        watched.numbers.counter = counter
        watched.pass_seconds(1)

    assert watched.last("rate", 3) == [3, 0, 10]


def test_nothing_is_known_of_a_rate_when_its_counter_begins_anew() -> None:
    watched = Watched(Numbers(counter=1000))
    for counter in (1, 3):
        watched.numbers.counter = counter
        watched.pass_seconds(1)

    assert watched.last("rate", 2) == [None, 2]


def test_mean_is_of_what_was_counted_since_the_last_look() -> None:
    watched = Watched(Numbers(times=(10.0, 5)))
    for times in ((10.6, 7), (10.6, 7), (11.6, 8)):
        watched.numbers.times = times
        watched.pass_seconds(1)

    assert watched.last("mean", 3) == [pytest.approx(0.3), None, 1]


def test_number_that_is_not_there_leaves_a_gap() -> None:
    watched = Watched()
    watched.pass_seconds(1)
    watched.numbers.level = watched.numbers.counter = None
    watched.pass_seconds(1)
    watched.numbers.level, watched.numbers.counter = 2, 5
    watched.pass_seconds(1)

    assert watched.last("level", 3) == [1, None, 2]
    assert watched.last("rate", 3) == [0, None, None]


def test_seconds_in_which_there_was_no_time_to_look_have_what_was_seen_next() -> None:
    watched = Watched()
    watched.pass_seconds(1)
    watched.numbers.level, watched.numbers.counter = 9, 12
    watched.clock.advance(4)

    assert watched.last("level", 5) == [1, 9, 9, 9, 9]
    assert watched.last("rate", 4) == [3, 3, 3, 3]


def test_more_than_the_last_minutes_is_told_in_steps_of_ten_seconds_by_their_mean() -> None:
    watched = Watched()
    for second in range(2 * TOGETHER):
        watched.numbers.level = second
        watched.pass_seconds(1)

    excerpt = watched.history.excerpt(["level"], FINE + TOGETHER, 1000)

    assert excerpt.step == TOGETHER
    assert excerpt.series["level"][-3:] == [None, 4.5, 14.5]
    assert len(excerpt.series["level"]) == (FINE + TOGETHER) // TOGETHER


@pytest.mark.parametrize(("seconds", "points", "length", "step"), [(60, 20, 20, 3), (60, 7, 6, 9), (300, 300, 300, 1)])
def test_values_are_put_together_so_that_there_are_no_more_points_than_wanted(
    seconds: int, points: int, length: int, step: int
) -> None:
    watched = Watched()
    watched.pass_seconds(1)

    excerpt = watched.history.excerpt(["level"], seconds, points)

    assert (len(excerpt.series["level"]), excerpt.step) == (length, step)
    assert excerpt.series["level"][-1] == 1


def test_a_day_is_kept() -> None:
    assert len(Watched().history.excerpt(["level"], COARSE * TOGETHER, COARSE).series["level"]) == COARSE


def test_nothing_is_looked_at_any_more_once_it_is_stopped() -> None:
    watched = Watched()
    watched.history.stop()
    watched.pass_seconds(3)

    assert watched.last("level", 3) == [None, None, None]
    assert not watched.clock.getDelayedCalls()
