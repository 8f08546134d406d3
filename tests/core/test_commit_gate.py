"""Bytes leave in order, each after its commit."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from broker.core.commit_gate import MAX_WAITING, CommitGate
from broker.store.memory import MemoryStore


class Given:
    def __init__(self) -> None:
        self.store = MemoryStore(Clock())
        self.sent: list[bytes] = []
        self.rooms = 0
        self.outbox = CommitGate(self.store, self.sent.append, self.count, lambda: 1.0)

    def count(self) -> None:
        self.rooms += 1

    def append(self) -> int:
        """Something that is to be committed; its position."""
        self.store.beat(1, 0)
        return self.store.position


@pytest.fixture
def given() -> Given:
    return Given()


def test_what_tells_of_nothing_leaves_at_once(given: Given) -> None:
    given.append()
    given.outbox.write(b"a")

    assert given.sent == [b"a"]


def test_what_tells_of_something_leaves_after_its_commit(given: Given) -> None:
    given.outbox.write(b"a", given.append())
    assert given.sent == []

    given.store.commit()

    assert given.sent == [b"a"]


def test_nothing_overtakes_what_waits(given: Given) -> None:
    given.outbox.write(b"a", given.append())
    given.outbox.write(b"b")
    given.store.held = True
    given.store.commit()
    given.outbox.write(b"c", given.append())
    given.outbox.write(b"d")

    assert given.sent == [b"ab"]
    given.store.commit()
    assert given.sent == [b"ab", b"cd"]


def test_what_was_for_a_connection_that_is_gone_does_not_leave(given: Given) -> None:
    given.outbox.write(b"a", given.append())
    given.outbox.clear()
    given.outbox.write(b"b")
    given.store.commit()

    assert given.sent == [b"b"]


def test_it_is_full_until_what_waits_is_committed(given: Given) -> None:
    full: list[bool] = []
    for data in (bytes(MAX_WAITING), b"a"):
        given.outbox.write(data, given.append())
        full.append(given.outbox.is_full)

    given.store.commit()

    assert [*full, given.outbox.is_full] == [False, True, False]
    assert given.rooms == 1
