"""Who may connect, and how often (spec xmpp §2.4, §2.5 R3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from broker.model.host import is_loopback
from broker.net.admission import Admission
from broker.net.rate import Rate


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestRate:
    def test_a_burst_then_so_many_a_second(self, clock: Clock) -> None:
        rate = Rate(clock, 2, 3)
        assert [rate.takes("a") for _ in range(4)] == [True, True, True, False]
        clock.advance(0.5)
        assert [rate.takes("a") for _ in range(2)] == [True, False]
        clock.advance(1)
        assert [rate.takes("a") for _ in range(3)] == [True, True, False]

    def test_each_name_has_its_own(self, clock: Clock) -> None:
        rate = Rate(clock, 1, 1)
        assert rate.takes("a")
        assert rate.takes("b")
        assert not rate.takes("a")

    def test_who_was_quiet_for_long_is_forgotten(self, clock: Clock) -> None:
        rate = Rate(clock, 1, 10)
        for number in range(1000):
            rate.takes(str(number))
        clock.advance(25)
        rate.takes("a")
        assert len(rate) == 1

    def test_a_clock_that_is_set_back_shuts_nobody_out(self, clock: Clock) -> None:
        rate = Rate(clock, 1, 1)
        clock.advance(1000)
        assert rate.takes("a")
        clock.rightNow = 10.0
        assert rate.takes("a")
        assert not rate.takes("a")

    @given(st.integers(1, 50), st.integers(1, 20), st.lists(st.floats(0, 5), max_size=60))
    def test_it_is_a_token_bucket(self, per_second: int, burst: int, pauses: list[float]) -> None:
        clock = Clock()
        rate = Rate(clock, per_second, burst)
        tokens = float(burst)
        for pause in pauses:
            clock.advance(pause)
            tokens = min(burst, tokens + pause * per_second)
            if abs(tokens % 1 - 0.5) < 0.01:  # the very moment in which it turns
                return
            may = tokens >= 0.5
            assert rate.takes("a") is may
            tokens -= may


class TestAdmission:
    def test_a_refused_connection_takes_no_token(self, clock: Clock) -> None:
        admission = Admission(clock, 1, 1, rate=Rate(clock, 1, 2))
        assert admission.admits("10.0.0.1")
        admission.opened("first", "10.0.0.1")
        assert not admission.admits("10.0.0.1")
        admission.closed("first")
        assert admission.admits("10.0.0.1")
        assert not admission.admits("10.0.0.1")

    def test_this_machine_is_exempt_from_limits_of_an_address(self, clock: Clock) -> None:
        admission = Admission(clock, 10, 1, rate=Rate(clock, 1, 1))
        for number, host in enumerate(("127.0.0.1", "::1", "::ffff:127.0.0.1") * 2):
            assert admission.admits(host)
            admission.opened(number, host)

    def test_this_machine_is_not_exempt_from_limits_that_hold_for_all(self, clock: Clock) -> None:
        admission = Admission(clock, 10, 10, max_strangers=1)
        admission.opened("first", "127.0.0.1")
        assert not admission.admits("127.0.0.1")
        admission.logged_in("first")
        assert admission.admits("127.0.0.1")

    def test_refused_connections_have_one_line_a_minute_with_their_number(self, clock: Clock) -> None:
        admission = Admission(clock, 1, 1)
        admission.opened("first", "10.0.0.1")
        with capturedLogs() as events:
            for _ in range(120):
                assert not admission.admits("10.0.0.2")
                clock.advance(1)
        assert [formatEvent(event) for event in events] == [
            "1 connections refused, the last of 10.0.0.2: there are too many connections",
            "60 connections refused, the last of 10.0.0.2: there are too many connections",
        ]

    def test_strangers_of_one_ipv6_network_count_together(self, clock: Clock) -> None:
        admission = Admission(clock, 10, 2)
        for number in (1, 2):
            admission.opened(number, f"2001:db8:1:2::{number}")
        assert not admission.admits("2001:db8:1:2::3")
        assert admission.admits("2001:db8:1:3::1")
        admission.logged_in(1)
        assert admission.admits("2001:db8:1:2::3")

    def test_one_ipv6_network_may_connect_only_so_often(self, clock: Clock) -> None:
        admission = Admission(clock, 10, 10, rate=Rate(clock, 1, 2))
        assert [admission.admits(f"2001:db8:1:2::{number}") for number in range(3)] == [True, True, False]
        assert admission.admits("2001:db8:1:3::1")

    def test_an_ipv4_address_is_the_same_on_an_ipv6_listener(self, clock: Clock) -> None:
        admission = Admission(clock, 10, 1)
        admission.opened("first", "::ffff:10.0.0.1")
        assert not admission.admits("10.0.0.1")

    @pytest.mark.parametrize(
        ("host", "local"),
        [
            ("127.0.0.1", True),
            ("127.1.2.3", True),
            ("::1", True),
            ("::ffff:127.0.0.1", True),
            ("10.0.0.1", False),
            ("::ffff:10.0.0.1", False),
            ("1270.example", False),
        ],
    )
    def test_local_is_what_is_on_loopback(self, host: str, local: bool) -> None:
        assert is_loopback(host) is local
