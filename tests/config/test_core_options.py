"""The core's properties have the defaults of the specification."""

from __future__ import annotations

from broker.config import core_options as core
from broker.config.properties import Properties
from broker.config.sources import from_pairs
from broker.model.qos import Overflow


def test_defaults() -> None:
    nothing = Properties()

    assert core.NODE_ID.get(nothing) == nothing.node_id
    assert core.RUN_LEVEL.get(nothing) == 9
    assert core.SESSION_TIMEOUT.get(nothing) == 86_400_000
    assert core.CALLBACK_QUEUE.max_entries.get(nothing) == 1000
    assert core.CALLBACK_QUEUE.max_bytes.get(nothing) == 10_485_760
    assert core.CALLBACK_OVERFLOW.get(nothing) is Overflow.DEAD_MESSAGE
    assert core.HISTORY_QUEUE.max_entries.get(nothing) == 10
    assert core.HISTORY_QUEUE.max_entries_cache.get(nothing) == 10


def test_storage_limits_of_sessions_are_given_as_xmlblaster_documents_them() -> None:
    properties = Properties(
        from_pairs(["-persistence/session/maxEntriesCache", "10", "-persistence/session/maxEntries", "200"])
    )

    assert core.SESSION_STORAGE.max_entries.get(properties) == 200
    assert core.SESSION_STORAGE.max_entries_cache.get(properties) == 10
    assert core.SUBSCRIPTION_STORAGE.max_entries.get(properties) == 1_000_000
