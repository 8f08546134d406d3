"""What the broker gives to its store can be stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from broker.store.memory import MemoryStore
from tests.fuzz.support import require

MOST = 2**63 - 1


def check_store(store: MemoryStore) -> None:
    """Every row that is kept fits the columns of a database."""
    tables = store.tables
    rows: list[Iterable[Any]] = [
        *tables.subjects.values(),
        *tables.sessions.values(),
        *tables.subscriptions.values(),
        *tables.topics.values(),
        *tables.messages.values(),
        *tables.documents.values(),
        *tables.entries(),
    ]
    for row in rows:
        for value in row:
            if isinstance(value, str):
                require(("\0" not in value and value.isascii()) or value.encode(), f"{row} has text that is none")
            elif isinstance(value, int):
                require(-MOST - 1 <= value <= MOST, f"{row} has a number of more than 64 bits")
