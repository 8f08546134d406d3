"""What the store without a disk offers to tests; what it has in common with others is in the contract."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from broker.errors import BrokerError, Code
from broker.ports import IStore
from broker.store.memory import MemoryStore
from tests.contract.records import entry, message, subject


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock)


def test_it_is_a_store(store: MemoryStore) -> None:
    assert verifyObject(IStore, store)


def test_it_commits_in_the_next_turn(store: MemoryStore, clock: Clock) -> None:
    store.put_subject(subject(1))
    assert (store.tables.subjects, store.committed) == ({}, 0)

    clock.advance(0)

    assert (store.tables.subjects, store.committed) == ({1: subject(1)}, 1)


def test_a_held_store_commits_when_it_is_told_to(store: MemoryStore, clock: Clock) -> None:
    told: list[str] = []
    store.held = True
    store.put_subject(subject(1))
    store.when_committed(store.position, lambda: told.append("committed"))
    clock.advance(0)
    assert told == []

    store.commit()

    assert told == ["committed"]


def test_a_crash_loses_what_was_not_committed_and_who_waits_for_it(store: MemoryStore, clock: Clock) -> None:
    told: list[str] = []
    store.put_subject(subject(1))
    store.commit()
    store.put_subject(subject(2))
    store.when_committed(store.position, lambda: told.append("committed"))
    answer = store.recover()

    store.crash()
    clock.advance(0)

    assert store.tables.subjects == {1: subject(1)}
    assert (told, answer.called, store.backlog) == ([], False, 0)


def test_a_failing_store_can_be_closed(store: MemoryStore) -> None:
    store.put_subject(subject(1))
    store.fail(BrokerError(Code.RESOURCE_NO_MORE_SPACE, "Full"))

    assert store.close().called
    assert store.tables.subjects == {}


def test_an_entry_without_a_message_is_an_error_of_the_caller(store: MemoryStore) -> None:
    store.put_entry(entry(7, 1, 2), message(1))

    with pytest.raises(KeyError):
        store.commit()
