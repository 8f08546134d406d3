from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from broker.auth.throttle import LoginThrottle

HOST = "192.0.2.1"


class Attacker:
    """Fails to log in, as often and as fast as it is told."""

    def __init__(self, throttle: LoginThrottle, host: str = HOST) -> None:
        self.clock = Clock()
        self.throttle = throttle
        self.host = host

    def try_times(self, count: int) -> int:
        """Returns how many of its attempts were checked."""
        checked = 0
        for _ in range(count):
            if not self.delay:
                self.throttle.failed(self.host, self.clock.seconds())
                checked += 1
        return checked

    @property
    def delay(self) -> float:
        return self.throttle.delay(self.host, self.clock.seconds())


def test_ten_failures_are_free_and_no_more() -> None:
    assert Attacker(LoginThrottle()).try_times(100) == 10


def test_a_refusal_says_how_long_to_wait_with_a_cap() -> None:
    attacker = Attacker(LoginThrottle(max_delay=100))
    attacker.try_times(10)
    assert attacker.delay == pytest.approx(6)

    capped = Attacker(LoginThrottle(max_delay=5))
    capped.try_times(10)
    assert capped.delay == 5


def test_failures_are_forgotten_steadily() -> None:
    attacker = Attacker(LoginThrottle())
    attacker.try_times(10)

    attacker.clock.advance(5.9)
    assert attacker.try_times(10) == 0
    attacker.clock.advance(0.1)
    assert attacker.try_times(10) == 1
    attacker.clock.advance(60)
    assert attacker.try_times(100) == 10


def test_other_addresses_are_not_concerned() -> None:
    throttle = LoginThrottle()
    Attacker(throttle).try_times(10)

    assert throttle.delay("192.0.2.2", 0) == 0


def test_all_addresses_of_one_ipv6_network_count_together() -> None:
    throttle = LoginThrottle()
    checked = sum(Attacker(throttle, f"2001:db8::{number:x}").try_times(1) for number in range(100))

    assert checked == 10


def test_loopback_is_throttled_unless_it_is_spared() -> None:
    assert Attacker(LoginThrottle(), "127.0.0.1").try_times(100) == 10
    assert Attacker(LoginThrottle(loopback=False), "::1").try_times(100) == 100
    assert Attacker(LoginThrottle(loopback=False)).try_times(100) == 10


def test_the_table_is_bounded_and_forgets_who_has_not_failed_for_longest() -> None:
    throttle = LoginThrottle(failures=1, addresses=2)
    for number, host in enumerate(["192.0.2.1", "192.0.2.2", "192.0.2.3"]):
        throttle.failed(host, number)

    assert len(throttle) == 2
    assert throttle.delay("192.0.2.1", 3) == 0
    assert throttle.delay("192.0.2.2", 3) > 0
    assert throttle.delay("192.0.2.3", 3) > 0


def test_an_address_that_is_quiet_takes_no_room() -> None:
    throttle = LoginThrottle()
    throttle.failed(HOST, 0)
    throttle.delay(HOST, 60)

    assert len(throttle) == 0


def test_a_clock_that_is_set_back_neither_adds_nor_forgives() -> None:
    throttle = LoginThrottle(failures=2)
    throttle.failed(HOST, 1000)
    assert throttle.delay(HOST, 0) == 0
    throttle.failed(HOST, 1000)
    assert throttle.delay(HOST, 0) > 0


@given(st.lists(st.floats(0, 30), max_size=60))
def test_in_no_window_more_than_twice_the_free_failures_are_checked(pauses: list[float]) -> None:
    attacker = Attacker(LoginThrottle(failures=5, window=60))
    checked: list[float] = []
    for pause in pauses:
        attacker.clock.advance(pause)
        checked += [attacker.clock.seconds()] * attacker.try_times(3)

    for start in checked:
        assert sum(start <= moment < start + 60 for moment in checked) <= 10
