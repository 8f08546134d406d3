"""What a peer may ask of a queue."""

from __future__ import annotations

from broker.core.entries import QueueLimits
from broker.core.settings import limits_of
from broker.model.qos import QueueQos

DEFAULT = QueueLimits(cache_entries=10, cache_bytes=1000, max_cache_entries=50, max_cache_bytes=5000)


def test_what_a_peer_leaves_open_is_as_configured() -> None:
    assert limits_of(None, DEFAULT) == DEFAULT
    assert limits_of(QueueQos("callback"), DEFAULT) == DEFAULT


def test_a_peer_gets_the_queue_that_it_asks_for() -> None:
    limits = limits_of(QueueQos("callback", max_entries=7, max_entries_cache=20, max_bytes_cache=2000), DEFAULT)

    assert (limits.entries, limits.cache_entries, limits.cache_bytes) == (7, 20, 2000)


def test_no_peer_gets_more_memory_than_is_configured() -> None:
    limits = limits_of(QueueQos("callback", max_entries_cache=10**6, max_bytes_cache=10**9), DEFAULT)

    assert (limits.cache_entries, limits.cache_bytes) == (50, 5000)


def test_no_peer_gets_a_longer_queue_than_is_configured() -> None:
    limits = limits_of(QueueQos("callback", max_entries=10**9, max_bytes=10**13), DEFAULT)

    assert (limits.entries, limits.bytes) == (DEFAULT.max_entries, DEFAULT.max_bytes)


def test_a_default_above_the_most_that_a_peer_gets_stays() -> None:
    default = QueueLimits(cache_entries=100, max_cache_entries=50)

    assert limits_of(QueueQos("callback", max_entries_cache=70), default).cache_entries == 70
