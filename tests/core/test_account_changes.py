"""Looking for changes of accounts: who asks, and which look answers."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from twisted.internet.defer import Deferred

from broker.model.records import AccountChange, AccountRecord
from tests.core.world import World

MANY = 3000
"""Logins at the same time, more than the interpreter has room for calls within calls."""


class SlowReads:
    """Reads of a store that take until they are told to end, each with what the store has when it begins."""

    def __init__(self, world: World) -> None:
        self._read = world.store.tables.read_account_changes
        self.going_on: list[Deferred[list[AccountChange]]] = []
        self._found: list[list[AccountChange]] = []
        self.count = 0
        world.store.read_account_changes = self._begin  # type: ignore[method-assign]

    def _begin(self) -> Deferred[list[AccountChange]]:
        self.count += 1
        self._found.append(self._read())
        self.going_on.append(Deferred())
        return self.going_on[-1]

    def end(self) -> None:
        """End the one that goes on."""
        self.going_on.pop(0).callback(self._found.pop(0))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def reads(world: World) -> SlowReads:
    return SlowReads(world)


def ask(world: World, times: int = 1) -> list[Deferred[None]]:
    """Ask in one turn."""
    asked = [world.start(world.broker.account_changes.apply()) for _ in range(times)]
    world.turn()
    return asked


def answered(asked: Iterable[Deferred[None]]) -> list[bool]:
    return [bool(each.called) for each in asked]


def test_who_asks_during_a_look_is_answered_by_the_next_one(world: World, reads: SlowReads) -> None:
    first = ask(world)
    for verifier in "12":
        world.store.tables.put_account(AccountRecord("joe", verifier, verifier, 0))
    second = ask(world)
    reads.end()
    assert answered([*first, *second]) == [True, False]
    assert not world.broker.account_changes.changed("joe", 0)
    reads.end()
    assert answered(second) == [True]
    assert world.broker.account_changes.changed("joe", 0)


def test_all_who_ask_in_one_turn_share_a_look(world: World, reads: SlowReads) -> None:
    asked = ask(world, 5)
    reads.end()
    assert all(answered(asked))
    assert reads.count == 1


def test_all_who_ask_during_a_look_share_the_next_one(world: World, reads: SlowReads) -> None:
    ask(world)
    asked = [*ask(world), *ask(world, 2)]
    reads.end()
    assert answered(asked) == [False] * 3
    reads.end()
    assert all(answered(asked))
    assert reads.count == 2


def test_who_asks_while_others_are_answered_has_a_look_of_its_own(world: World, reads: SlowReads) -> None:
    again: list[Deferred[None]] = []
    ask(world)[0].addCallback(lambda _: again.extend(ask(world)))
    reads.end()
    world.turn()
    assert answered(again) == [False]
    reads.end()
    assert answered(again) == [True]


def test_any_number_may_ask_at_once(world: World, reads: SlowReads) -> None:
    asked = ask(world, MANY)
    reads.end()
    assert [each.result for each in asked] == [None] * MANY


def test_all_who_share_a_look_get_its_failure_and_the_next_one_goes_on(world: World, reads: SlowReads) -> None:
    async def fail() -> None:
        raise ValueError("the file is odd")

    first = ask(world)
    shared = ask(world, 2)
    world.broker.account_changes.looks.append(fail)
    reads.end()
    assert answered(first) == [True]
    for each in shared:
        with pytest.raises(ValueError, match="the file is odd"):
            world.run(each)
    world.broker.account_changes.looks.clear()
    later = ask(world)
    reads.end()
    assert answered(later) == [True]
