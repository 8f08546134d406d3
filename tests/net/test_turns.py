"""Turns are fair: nobody who has little to do waits for one who has much, however many connections that one has."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from broker.net.turns import Share, Turns


class Machine(Clock):
    """Time goes on when somebody works, or when there is nothing to do."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def measured(self) -> float:
        """Seconds by which work is measured."""
        return self.now


class Worker:
    """A connection that has pieces of work, each of some seconds, and works until its turn is over."""

    def __init__(self, turns: Turns, share: Share, machine: Machine, name: str, pieces: int, cost: float) -> None:
        self.turns, self.share, self.machine = turns, share, machine
        self.name, self.pieces, self.cost = name, pieces, cost

    def work(self) -> None:
        """A turn."""
        end = self.turns.begin(self.share)
        while self.pieces:
            self.pieces -= 1
            self.machine.now += self.cost
            DONE.append(self.name)
            if self.machine.now >= end:
                break
        if self.pieces:
            self.turns.add(self.share, self.work)
        self.turns.end(self.share)


DONE: list[str] = []
Make = Callable[[str, int, float], Worker]


@pytest.fixture
def machine() -> Machine:
    DONE.clear()
    return Machine()


@pytest.fixture
def turns(machine: Machine) -> Turns:
    return Turns(machine, machine.measured, 0.005)


@pytest.fixture
def make(turns: Turns, machine: Machine) -> Make:
    def made(name: str, pieces: int, cost: float) -> Worker:
        worker = Worker(turns, turns.share_of(name[0]), machine, name, pieces, cost)
        turns.add(worker.share, worker.work)
        return worker

    return made


def rounds(machine: Machine, turns: Turns) -> int:
    """Let the reactor turn until nobody waits; returns how often it came to its sockets in between."""
    count = 0
    while turns.count:
        one_round(machine)
        count += 1
    return count


def one_round(machine: Machine) -> None:
    """Let the reactor turn once."""
    (call,) = machine.calls
    machine.calls = []  # what it calls for now is for the next iteration
    idle = call.getTime() - machine.seconds()
    machine.rightNow += idle
    machine.now += idle
    call.func()


def test_two_with_long_work_take_turns(machine: Machine, turns: Turns, make: Make) -> None:
    make("a", 3, 1.0)
    make("b", 3, 1.0)
    rounds(machine, turns)
    assert DONE == ["a", "b", "a", "b", "a", "b"]


def test_sockets_are_served_after_each_piece_of_long_work(machine: Machine, turns: Turns, make: Make) -> None:
    make("a", 60, 4.0)
    assert rounds(machine, turns) >= 60


def test_short_work_is_done_in_slices(machine: Machine, turns: Turns, make: Make) -> None:
    make("a", 100, 0.001)
    make("b", 100, 0.001)
    assert rounds(machine, turns) == 40
    assert DONE[:15] == ["a"] * 5 + ["b"] * 5 + ["a"] * 5


def test_slices_are_longer_while_nobody_else_has_anything_to_do(machine: Machine, turns: Turns, make: Make) -> None:
    make("a", 105, 0.001)
    assert rounds(machine, turns) == 11  # 5 ms, then 10 ms each
    assert len(DONE) == 105


def test_many_who_have_little_to_do_have_their_turns_in_one_round(machine: Machine, turns: Turns, make: Make) -> None:
    for number in range(1000):
        make(chr(0x4E00 + number), 1, 0.000001)
    assert rounds(machine, turns) == 1
    assert len(DONE) == 1000


def test_one_who_comes_later_waits_for_one_turn_of_each_other(machine: Machine, turns: Turns, make: Make) -> None:
    for name in "abc":
        make(name, 10, 1.0)
    make("innocent", 1, 0.001)
    rounds(machine, turns)
    assert DONE[:4] == ["a", "b", "c", "innocent"]


def test_an_account_with_many_connections_has_no_more_turns_than_one_with_one(
    machine: Machine, turns: Turns, make: Make
) -> None:
    for number in range(100):
        make(f"a{number}", 1, 1.0)
    make("b", 3, 1.0)
    rounds(machine, turns)
    assert DONE[:6] == ["a0", "b", "a1", "b", "a2", "b"]


def test_the_connections_of_an_account_take_turns_with_each_other(machine: Machine, turns: Turns, make: Make) -> None:
    make("a1", 2, 1.0)
    make("a2", 2, 1.0)
    rounds(machine, turns)
    assert DONE == ["a1", "a2", "a1", "a2"]


def test_many_connections_of_an_account_that_have_little_to_do_have_their_turns_in_one_round(
    machine: Machine, turns: Turns, make: Make
) -> None:
    for number in range(1000):
        make(f"a{number}", 1, 0.000001)
    assert rounds(machine, turns) == 1


class TestUse:
    """Of those that wait, the one that has used least of the processor goes first."""

    def crowd(self, turns: Turns, make: Make, count: int, host: str = "") -> list[Share]:
        """Accounts with much work; they are no longer than whoever holds their shares."""
        shares = []
        for number in range(count):
            worker = make(chr(0x4E00 + number), 1000, 0.03)
            worker.share.network = turns.network_of(host)
            shares.append(worker.share)
        return shares

    def some_rounds(self, machine: Machine, count: int) -> None:
        """Let the reactor turn for some rounds."""
        for _ in range(count):
            one_round(machine)

    def test_one_who_asks_again_and_again_for_little_waits_for_one_turn_of_many_others(
        self, machine: Machine, turns: Turns, make: Make
    ) -> None:
        kept = self.crowd(turns, make, 50)
        self.some_rounds(machine, 60)
        for _ in range(20):
            DONE.clear()
            innocent = make("innocent", 1, 0.0003)
            while "innocent" not in DONE:
                self.some_rounds(machine, 1)
            assert len(DONE) <= 2
            assert innocent.share not in kept

    def test_one_who_asks_for_little_does_not_wait_for_many_who_come_at_once(
        self, machine: Machine, turns: Turns, make: Make
    ) -> None:
        workers = [make(chr(0x4E00 + number), 2, 0.03) for number in range(50)]
        innocent = make("innocent", 1, 0.02)
        rounds(machine, turns)
        innocent.share.used = workers[0].share.used + 0.001  # it has worked while the others had nothing to do
        for worker in workers:
            worker.pieces = 1
            turns.add(worker.share, worker.work)
        innocent.pieces, innocent.cost = 1, 0.0003
        DONE.clear()
        turns.add(innocent.share, innocent.work)
        while "innocent" not in DONE:
            self.some_rounds(machine, 1)
        assert len(DONE) <= 2

    def test_who_had_more_than_others_while_they_waited_does_not_wait_long_for_it(
        self, machine: Machine, turns: Turns, make: Make
    ) -> None:
        kept = self.crowd(turns, make, 50)
        self.some_rounds(machine, 60)
        share = turns.share_of("i")
        for _ in range(300):  # at once, whenever its bytes come
            turns.begin(share)
            machine.now += 0.001
            turns.end(share)
            self.some_rounds(machine, 1)
        DONE.clear()
        make("innocent", 1, 0.0003)
        while "innocent" not in DONE:
            self.some_rounds(machine, 1)
        assert len(DONE) <= 60
        assert len(kept) == 50

    def test_who_worked_while_nobody_else_did_is_not_behind_who_comes_later(
        self, machine: Machine, turns: Turns, make: Make
    ) -> None:
        share = turns.share_of("i")
        for _ in range(1000):
            turns.begin(share)
            machine.now += 0.003
            turns.end(share)
        kept = self.crowd(turns, make, 50)
        self.some_rounds(machine, 1)
        make("innocent", 1, 0.0003)
        DONE.clear()
        while "innocent" not in DONE:
            self.some_rounds(machine, 1)
        assert len(DONE) <= 2
        assert len(kept) == 50

    def test_who_had_nothing_to_do_has_saved_up_nothing(self, machine: Machine, turns: Turns, make: Make) -> None:
        late = turns.share_of("late"[0])
        make("busy", 100, 0.03)
        self.some_rounds(machine, 50)
        DONE.clear()
        make("late", 100, 0.03)
        self.some_rounds(machine, 20)
        assert 8 <= DONE.count("late") <= 12
        assert late.used > 0

    def test_accounts_of_one_address_have_no_more_than_ten_others_together(
        self, machine: Machine, turns: Turns, make: Make
    ) -> None:
        kept = self.crowd(turns, make, 50, "203.0.113.7")
        make("other", 1000, 0.03)
        self.some_rounds(machine, 440)
        assert len(kept) == 50
        assert DONE.count("other") > len(DONE) / 11 - 3

    @pytest.mark.parametrize("host", ["", "127.0.0.5", "::1"])
    def test_accounts_of_this_machine_count_each_for_itself(
        self, host: str, machine: Machine, turns: Turns, make: Make
    ) -> None:
        kept = self.crowd(turns, make, 50, host)
        make("other", 1000, 0.03)
        self.some_rounds(machine, 510)
        assert len(kept) == 50
        assert DONE.count("other") == pytest.approx(len(DONE) / 51, abs=2)

    def test_addresses_of_one_ipv6_network_are_one(self, turns: Turns) -> None:
        one = turns.network_of("2001:db8::1")
        assert one is not None
        assert turns.network_of("2001:db8::2") is one
        assert turns.network_of("2001:db8:0:1::1") is not one


class TestShareThatHasSpentMuch:
    def test_it_rests_until_the_reactor_has_been_at_its_sockets(self, turns: Turns, machine: Machine) -> None:
        share = turns.share_of("a")
        turns.begin(share)
        machine.now += 0.006
        turns.end(share)
        assert share.must_wait
        machine.advance(0)
        assert not share.must_wait

    def test_many_short_turns_count_together(self, turns: Turns, machine: Machine) -> None:
        share = turns.share_of("a")
        for _ in range(5):
            assert not share.must_wait
            turns.begin(share)
            machine.now += 0.0011
            turns.end(share)
        assert share.must_wait

    def test_it_rests_for_as_long_as_it_kept_others_waiting(self, turns: Turns, machine: Machine) -> None:
        share = turns.share_of("a")
        turns.begin(turns.share_of("b"))
        turns.begin(share)
        machine.now += 0.025
        turns.end(share)
        (call,) = machine.getDelayedCalls()
        assert call.getTime() - machine.seconds() == pytest.approx(0.02)

    def test_one_that_nobody_waits_for_goes_on_at_once(self, turns: Turns, machine: Machine) -> None:
        share = turns.share_of("a")
        for _ in range(2):
            turns.begin(share)
        machine.now += 0.025
        turns.end(share)
        (call,) = machine.getDelayedCalls()
        assert call.getTime() == machine.seconds()

    def test_others_go_on_while_it_rests(self, turns: Turns, machine: Machine, make: Make) -> None:
        turns.begin(turns.share_of("innocent"))
        make("a", 2, 1.0)
        machine.advance(0)
        make("b", 1, 0.001)
        machine.advance(0)
        assert DONE == ["a", "b"]
        assert rounds(machine, turns) == 1
        assert DONE == ["a", "b", "a"]

    def test_others_need_not_wait(self, turns: Turns, machine: Machine) -> None:
        turns.begin(turns.share_of("a"))
        machine.now += 1.0
        turns.end(turns.share_of("a"))
        assert not turns.share_of("b").must_wait


def test_a_share_is_forgotten_with_the_last_connection_of_its_account(turns: Turns) -> None:
    share = turns.share_of("a")
    seen = weakref.ref(share)
    assert turns.share_of("a") is share
    del share
    assert seen() is None


def test_one_who_asks_twice_has_one_turn(turns: Turns, make: Make) -> None:
    worker = make("a", 1, 0.001)
    turns.add(worker.share, worker.work)
    assert turns.count == 1


def test_a_turn_that_fails_keeps_nobody_from_having_theirs(machine: Machine, turns: Turns, make: Make) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    turns.add(Share(), fail)
    make("a", 1, 0.001)
    with capturedLogs() as events:
        rounds(machine, turns)
    assert DONE == ["a"]
    assert [event["log_failure"].getErrorMessage() for event in events] == ["a bug"]


def test_nobody_is_left_in_the_clock_when_all_is_done(machine: Machine, turns: Turns, make: Make) -> None:
    make("a", 3, 1.0)
    rounds(machine, turns)
    machine.advance(0)
    assert machine.getDelayedCalls() == []


def test_an_account_that_works_in_the_turns_of_its_carrier_is_alone_when_no_other_works(machine: Machine) -> None:
    turns = Turns(machine, machine.measured, 5.0, 20.0)
    carrier, share = Share(carries=True), Share()
    lengths = []
    for _ in range(2):
        turns.begin(carrier)
        lengths.append(turns.begin(share) - machine.now)
        turns.end(share)
        turns.end(carrier)
    assert lengths == [5.0, 20.0]
