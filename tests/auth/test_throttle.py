from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.auth.throttle import SPREAD, Attempt, LoginThrottle

HOST = "192.0.2.1"
OTHER = "192.0.2.2"


class Attacker:
    """Tries to log in, as often and as fast as it is told."""

    def __init__(self, throttle: LoginThrottle, host: str = HOST) -> None:
        self.throttle = throttle
        self.host = host
        self.now = 0.0

    def begin(self, user: str = "joe") -> Attempt | None:
        """An attempt, where it is let through."""
        outcome = self.throttle.begin(user, self.host, self.now)
        return outcome if isinstance(outcome, Attempt) else None

    def fail(self, count: int, user: str = "joe") -> int:
        """Guess one after the other; tells how many guesses were let through."""
        return sum(self._fails(user) for _ in range(count))

    def _fails(self, user: str) -> bool:
        attempt = self.begin(user)
        if attempt is None:
            return False
        attempt.failed(self.now)
        return True

    def succeeds(self, user: str = "joe") -> bool:
        """Log in rightly; tells whether that was let through."""
        attempt = self.begin(user)
        if attempt is None:
            return False
        attempt.succeeded(self.now)
        return True

    def delay(self, user: str = "joe") -> float:
        """How long it is to wait."""
        outcome = self.throttle.begin(user, self.host, self.now)
        assert not isinstance(outcome, Attempt)
        return outcome.delay


def test_ten_failures_are_free_and_no_more() -> None:
    assert Attacker(LoginThrottle()).fail(100) == 10


def test_attempts_that_begin_at_once_are_no_more_than_those_that_begin_one_after_the_other() -> None:
    attacker = Attacker(LoginThrottle())
    begun = [attempt for attempt in (attacker.begin() for _ in range(100)) if attempt is not None]
    assert len(begun) == 10
    for attempt in begun:
        attempt.failed(attacker.now)
    assert attacker.begin() is None


def test_open_attempts_are_waited_for_and_failures_are_not() -> None:
    attacker = Attacker(LoginThrottle(failures=1))
    attempt = attacker.begin()
    assert attempt is not None
    assert attacker.delay() == 0
    attempt.failed(0)
    assert attacker.delay() > 0


def test_a_success_gives_its_place_back() -> None:
    attacker = Attacker(LoginThrottle())
    assert all(attacker.succeeds() for _ in range(100))
    assert attacker.fail(100) == 10


def test_an_attempt_without_an_answer_to_tell_gives_its_place_back() -> None:
    attacker = Attacker(LoginThrottle(failures=1))
    attempt = attacker.begin()
    assert attempt is not None
    attempt.dismiss(0)
    assert attacker.begin() is not None


def test_only_the_first_outcome_counts() -> None:
    attacker = Attacker(LoginThrottle(failures=1))
    attempt = attacker.begin()
    assert attempt is not None
    attempt.failed(0)
    attempt.succeeded(0)
    assert attacker.begin() is None


def test_whoever_waits_is_told_when_an_attempt_is_over() -> None:
    throttle = LoginThrottle(failures=1)
    attempt = throttle.begin("joe", HOST, 0)
    refused = throttle.begin("joe", HOST, 0)
    assert isinstance(attempt, Attempt)
    assert not isinstance(refused, Attempt)
    told: list[str] = []
    refused.bucket.waiting.extend([lambda: told.append("first"), lambda: told.append("second")])
    attempt.succeeded(0)
    assert told == ["first"]


def test_a_refusal_says_how_long_to_wait_with_a_cap() -> None:
    attacker = Attacker(LoginThrottle(max_delay=100))
    attacker.fail(10)
    assert attacker.delay() == pytest.approx(6)

    capped = Attacker(LoginThrottle(max_delay=5))
    capped.fail(10)
    assert capped.delay() == 5


def test_failures_are_forgotten_steadily() -> None:
    attacker = Attacker(LoginThrottle())
    attacker.fail(10)

    attacker.now = 5.9
    assert attacker.fail(10) == 0
    attacker.now = 6.0
    assert attacker.fail(10) == 1
    attacker.now = 66.0
    assert attacker.fail(100) == 10


def test_an_account_is_guarded_from_all_addresses_together() -> None:
    throttle = LoginThrottle()
    assert sum(Attacker(throttle, f"192.0.2.{number}").fail(1) for number in range(100)) == 10


def test_other_accounts_log_in_from_an_address_that_has_failed_too_often() -> None:
    attacker = Attacker(LoginThrottle())
    attacker.fail(10)
    assert attacker.succeeds("jim")


def test_an_account_logs_in_elsewhere_while_an_address_guesses_at_it_where_it_has_been_before() -> None:
    throttle = LoginThrottle()
    owner, attacker = Attacker(throttle, OTHER), Attacker(throttle)
    assert owner.succeeds()
    attacker.fail(10)
    assert owner.succeeds()
    assert Attacker(throttle, "192.0.2.3").begin() is None


def test_guesses_at_a_known_account_of_the_own_address_are_counted_as_well() -> None:
    attacker = Attacker(LoginThrottle())
    attacker.succeeds()
    assert attacker.fail(100) == 10


def test_one_guess_at_each_of_many_accounts_has_a_limit_for_the_address() -> None:
    attacker = Attacker(LoginThrottle())
    assert sum(attacker.fail(1, f"user{number}") for number in range(1000)) == 10 * SPREAD


def test_second_guesses_at_many_accounts_are_refused_to_an_address_that_has_failed_too_often() -> None:
    attacker = Attacker(LoginThrottle())
    names = [f"user{number}" for number in range(20)]
    assert sum(attacker.fail(2, name) for name in names) == 10 + 15


def test_all_addresses_of_one_ipv6_network_count_together() -> None:
    throttle = LoginThrottle()
    checked = sum(Attacker(throttle, f"2001:db8::{number:x}").fail(1, f"user{number}") for number in range(20 * SPREAD))
    assert checked == 10 * SPREAD


def test_loopback_is_throttled_unless_it_is_spared() -> None:
    assert Attacker(LoginThrottle(), "127.0.0.1").fail(100) == 10
    assert Attacker(LoginThrottle(loopback=False), "::1").fail(100) == 100
    assert Attacker(LoginThrottle(loopback=False)).fail(100) == 10


def test_the_tables_are_bounded_and_forget_what_was_not_used_for_longest() -> None:
    throttle = LoginThrottle(failures=1, entries=2)
    for number in range(3):
        assert Attacker(throttle, f"192.0.2.{number}").fail(1, f"user{number}") == 1

    assert len(throttle) == 3 * 2
    assert throttle.begin("user0", OTHER, 0)
    assert Attacker(throttle, "192.0.2.9").begin("user2") is None


def test_open_attempts_are_never_forgotten() -> None:
    throttle = LoginThrottle(failures=1, entries=2)
    held = Attacker(throttle).begin("held")
    for number in range(10):
        Attacker(throttle, f"192.0.2.{number + 10}").fail(1, f"user{number}")
    assert held is not None
    assert Attacker(throttle).begin("held") is None


def test_an_address_that_is_quiet_takes_no_room() -> None:
    attacker = Attacker(LoginThrottle())
    attacker.succeeds()
    assert len(attacker.throttle) == 0


def test_a_clock_that_is_set_back_neither_adds_nor_forgives() -> None:
    attacker = Attacker(LoginThrottle(failures=2))
    attacker.now = 1000
    attacker.fail(1)
    attacker.now = 0
    assert attacker.fail(5) == 1


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["joe", "jim"]), st.booleans()), max_size=60))
def test_in_no_window_more_than_twice_the_free_failures_of_an_account_are_checked(
    steps: list[tuple[float, str, bool]],
) -> None:
    attacker = Attacker(LoginThrottle(failures=5, window=60))
    checked: dict[str, list[float]] = {"joe": [], "jim": []}
    pending: list[tuple[str, Attempt]] = []
    for pause, user, at_once in steps:
        attacker.now += pause
        for _ in range(3):
            attempt = attacker.begin(user)
            if attempt is not None:
                checked[user].append(attacker.now)
                pending.append((user, attempt))
        if not at_once:
            for _, attempt in pending:
                attempt.failed(attacker.now)
            pending.clear()

    for moments in checked.values():
        for start in moments:
            assert sum(start <= moment < start + 60 for moment in moments) <= 10
