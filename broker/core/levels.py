"""The entries of one priority in a queue: the head in memory, the tail on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from broker.core.entries import Entry

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class Level:
    """One priority of a queue.

    Args:
        rank: of its entries; the lowest is delivered first.

    Attributes:
        entries: in memory, in order of delivery.
        swapped: how many more are on disk only, behind those.
        swapped_bytes: what these count for.
        doubtful: of those on disk, how many at the head may have been delivered before a crash.
        restored_to: number of the last entry that recovery may have found on disk.
        tail: number of the last entry that is, or was, in memory.
        loading: fires when the next entries have been read.
        loading_since: when that began, milliseconds since 1970; 0 where that is not known.
    """

    __slots__ = (
        "doubtful",
        "entries",
        "loading",
        "loading_since",
        "rank",
        "restored_to",
        "swapped",
        "swapped_bytes",
        "tail",
    )

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.entries: deque[Entry] = deque()
        self.swapped = 0
        self.swapped_bytes = 0
        self.doubtful = 0
        self.restored_to = -1
        self.tail = -1
        self.loading: Deferred[None] | None = None
        self.loading_since = 0

    def restore(self, entries: int, size: int, doubtful: int, last: int) -> None:
        """Account for entries that recovery found on disk.

        Args:
            entries: how many.
            size: what they count for together, in bytes.
            doubtful: how many at the head may have been delivered before the crash.
            last: a number above all of theirs.
        """
        self.swapped += entries
        self.swapped_bytes += size
        self.doubtful = min(doubtful, entries)
        self.restored_to = last

    def leave_disk(self, size: int) -> None:
        """Account for an entry that is not on disk only any more.

        Args:
            size: what it counts for, in bytes.
        """
        self.swapped -= 1
        self.swapped_bytes -= size

    def take_matching(self, unwanted: Callable[[Entry], bool]) -> list[Entry]:
        """Take all entries in memory for which ``unwanted`` is true."""
        if not any(unwanted(entry) for entry in self.entries):
            return []
        taken: list[Entry] = []
        kept: deque[Entry] = deque()
        for entry in self.entries:
            (taken if unwanted(entry) else kept).append(entry)
        self.entries = kept
        return taken

    def remove(self, seq: int) -> list[Entry]:
        """Take one of the entries in memory; none where it is not there."""
        for entry in reversed(self.entries):
            if entry.seq <= seq:
                if entry.seq < seq:
                    break
                self.entries.remove(entry)
                return [entry]
        return []

    def take_numbered(self) -> list[Entry]:
        """Take the entries at the head of those in memory that have a number."""
        taken: list[Entry] = []
        while self.entries and self.entries[0].number:
            taken.append(self.entries.popleft())
        return taken
