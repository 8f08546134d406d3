"""Entries that were settled on disk while somebody else still holds their rows, as they were read before that."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class SettledRows:
    """Knows of each entry that was settled on disk since the oldest read began whose rows are still worked on.

    What is on disk only is not known in memory one by one. Two who go through the same queue, as an administrator who
    moves entries and the sweep of what has expired do, read the same rows; the second who comes to one would settle it
    once more, and put its message into two places.
    """

    def __init__(self) -> None:
        self._reads: dict[object, int] = {}  # by the reader: how many were settled when it began; the oldest first
        self._order: deque[int] = deque()
        self._seqs: set[int] = set()
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._seqs)

    def __contains__(self, seq: int) -> bool:
        return seq in self._seqs

    def add(self, seq: int) -> None:
        """An entry is settled.

        Args:
            seq: of the entry, unique in the node.
        """
        if self._reads:
            self._seqs.add(seq)
            self._order.append(seq)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read rows, and settle what they tell of, inside of this."""
        reader = object()
        self._reads[reader] = self._dropped + len(self._order)
        try:
            yield
        finally:
            del self._reads[reader]
            self._forget()

    def _forget(self) -> None:
        oldest = next(iter(self._reads.values()), self._dropped + len(self._order))
        while self._dropped < oldest:
            self._seqs.discard(self._order.popleft())
            self._dropped += 1
