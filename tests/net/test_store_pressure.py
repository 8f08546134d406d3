"""Peers that outrun the store are not read from until it has caught up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.net.store_pressure import StorePressure


class Store:
    """A store whose commits the test makes."""

    def __init__(self) -> None:
        self.position = self.backlog = 0
        self.waiting: list[Callable[[], None]] = []

    def when_committed(self, position: int, callback: Callable[[], None]) -> None:
        """Wait."""
        self.waiting.append(callback)

    def commit(self, backlog: int) -> None:
        """Commit; so much was appended meanwhile."""
        self.backlog = backlog
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


class Peer:
    """A connection."""

    def __init__(self) -> None:
        self.holds: set[str] = set()

    def hold(self, reason: str) -> None:
        """Do not read."""
        self.holds.add(reason)

    def release(self, reason: str) -> None:
        """Read again."""
        self.holds.discard(reason)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def pressure(store: Store) -> StorePressure:
    return StorePressure(store, 100, 50)


def test_all_wait_until_the_store_is_down_to_the_low_water_mark(store: Store, pressure: StorePressure) -> None:
    peers = [Peer(), Peer()]
    for peer in peers:
        pressure.hold(peer)
    store.commit(51)
    assert all(peer.holds for peer in peers)
    store.commit(50)
    assert not any(peer.holds for peer in peers)
    assert not store.waiting


def test_a_peer_that_is_gone_is_forgotten(store: Store, pressure: StorePressure) -> None:
    gone, there = Peer(), Peer()
    pressure.hold(gone)
    pressure.hold(there)
    pressure.forget(gone)
    store.commit(0)
    assert gone.holds
    assert not there.holds


def test_the_store_is_asked_once_for_all(store: Store, pressure: StorePressure) -> None:
    for _ in range(3):
        pressure.hold(Peer())
    assert len(store.waiting) == 1
