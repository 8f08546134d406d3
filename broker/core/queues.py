"""The queue of a receiver: in memory up to a limit, on disk above it (spec xmlblaster §10, design D6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from broker.core.arrivals import Arrivals
from broker.core.message import Message
from broker.model.qos import Overflow
from broker.model.records import ONEWAY, TRANSIENT, EntryRecord, MessageRecord

if TYPE_CHECKING:
    from twisted.python.failure import Failure

log = Logger()

ENTRY_OVERHEAD = 200
"""Bytes that an entry counts for beside its content: key, QoS and bookkeeping."""

LOAD_BATCH = 1000
"""Entries that are read from disk at once."""

LOW_WATER = 250
"""Entries in memory below which more are read from disk."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much a queue holds, and how much of that in memory; entries above the cache limits are on disk only.

    Args:
        entries: most entries.
        bytes: most bytes.
        cache_entries: most entries in memory.
        cache_bytes: most bytes in memory.
        overflow: what happens to the entry that does not fit.
    """

    entries: int = 1000
    bytes: int = 10_485_760
    cache_entries: int = 1000
    cache_bytes: int = 2_097_152
    overflow: Overflow = Overflow.DEAD_MESSAGE


class Fanout:
    """What the copies of one message to the sessions of a subject have in common.

    Args:
        copies: sessions that hold a copy.
    """

    __slots__ = ("copies", "delivered")

    def __init__(self, copies: int) -> None:
        self.copies = copies
        self.delivered = False


class Entry:
    """A queue's reference to a message.

    Args:
        message: the message.
        seq: unique within the node, ascending.
        size: bytes that it counts for.
        subscription_id: that caused it; ``__subId:PtP`` for point-to-point, empty in subject queues and histories.
        flags: of :mod:`broker.model.records`.

    Attributes:
        redeliver: failed deliveries.
        stored: whether the store has it.
        fanout: set where other sessions of the subject got copies.
    """

    __slots__ = ("fanout", "flags", "message", "rank", "redeliver", "seq", "size", "stored", "subscription_id")

    def __init__(self, message: Message, seq: int, size: int, subscription_id: str, flags: int) -> None:
        self.message = message
        self.seq = seq
        self.rank = message.envelope.rank
        self.size = size
        self.subscription_id = subscription_id
        self.flags = flags
        self.redeliver = 0
        self.stored = False
        self.fanout: Fanout | None = None


class Level:
    """The entries of one priority: the head in memory, the tail on disk."""

    __slots__ = ("doubtful", "entries", "loading", "rank", "swapped", "tail")

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.entries: deque[Entry] = deque()
        self.swapped = 0
        self.doubtful = 0
        self.tail = -1
        self.loading: Deferred[None] | None = None


class Queue:
    """Entries for one receiver, highest priority first, then in order of arrival.

    Entries are *taken* for delivery and then either *settled* or *put back*. What is taken still counts.

    Args:
        id: of the session or subject that owns it.
        limits: how much it holds.
        store: an :class:`broker.ports.IStore`.
        sequence: gives the next entry number.
        revive: makes a message from its record.

    Attributes:
        entries: how many entries are queued, with those taken.
        bytes: what they count for.
        on_ready: called when entries came back from disk.
    """

    __slots__ = (
        "_arrivals",
        "_cached",
        "_cached_bytes",
        "_levels",
        "_order",
        "_revive",
        "_sequence",
        "_store",
        "_waiters",
        "bytes",
        "entries",
        "id",
        "limits",
        "on_ready",
    )

    def __init__(
        self,
        id: int,
        limits: QueueLimits,
        store: Any,
        sequence: Callable[[], int],
        revive: Callable[[MessageRecord], Message],
    ) -> None:
        self.id = id
        self.limits = limits
        self.entries = 0
        self.bytes = 0
        self.on_ready: Callable[[], None] | None = None
        self._store = store
        self._sequence = sequence
        self._revive = revive
        self._levels: dict[int, Level] = {}
        self._order: list[Level] = []
        self._cached = 0
        self._cached_bytes = 0
        self._waiters: list[Deferred[None]] = []
        self._arrivals: Arrivals | None = None

    def __len__(self) -> int:
        return self.entries

    @property
    def is_full(self) -> bool:
        """Whether a further entry overflows. The check comes before a put, so a bulk may exceed the limit once."""
        limits = self.limits
        return self.entries >= limits.entries or self.bytes >= limits.bytes

    @property
    def in_memory(self) -> int:
        """How many of the entries are in memory."""
        return self._cached

    def room(self) -> Deferred[None]:
        """Fires when the queue is not full any more; may be cancelled."""
        waiter: Deferred[None] = Deferred(self._waiters_without)
        self._waiters.append(waiter)
        return waiter

    def arrival(self) -> Deferred[None]:
        """Fires when an entry is put, or put back, within that call; may be cancelled."""
        if self._arrivals is None:
            self._arrivals = Arrivals()
        return self._arrivals.next()

    def put(
        self,
        message: Message,
        subscription_id: str,
        flags: int = 0,
        durable: bool = False,
        fanout: Fanout | None = None,
    ) -> None:
        """Append a message.

        Args:
            message: what to queue.
            subscription_id: that caused it.
            flags: of :mod:`broker.model.records`.
            durable: keep it over a crash.
            fanout: set where other sessions of the subject get copies.
        """
        size = len(message.content) + ENTRY_OVERHEAD
        entry = Entry(message, self._sequence(), size, subscription_id, flags)
        entry.fanout = fanout
        self.entries += 1
        self.bytes += size
        level = self._levels.get(entry.rank) or self._add_level(entry.rank)
        limits = self.limits
        if level.swapped or self._cached >= limits.cache_entries or self._cached_bytes + size > limits.cache_bytes:
            if not durable:
                entry.flags |= TRANSIENT
            self._write(entry)
            level.swapped += 1
        else:
            if durable:
                self._write(entry)
            self._cached += 1
            self._cached_bytes += size
            level.entries.append(entry)
            level.tail = entry.seq
        if self._arrivals:
            self._arrivals.tell()

    def take(self, most_entries: int, most_bytes: int) -> list[Entry]:
        """Take entries of the highest priority for delivery, in order; all of them acknowledged or all oneway.

        Args:
            most_entries: ``-1`` all of that priority.
            most_bytes: ``-1`` unlimited; the first entry is taken whatever its size.

        Returns:
            An empty list where nothing is queued, or where the next entries are still on disk; :attr:`on_ready` is
            called when they have come.
        """
        for level in self._order:
            waiting = level.entries
            if waiting:
                break
            if level.swapped:
                self._load(level)
                return []
        else:
            return []
        first = waiting.popleft()
        taken = [first]
        oneway = first.flags & ONEWAY
        size = first.size
        while waiting and len(taken) != most_entries:
            entry = waiting[0]
            size += entry.size
            if (entry.flags & ONEWAY) != oneway or (most_bytes >= 0 and size > most_bytes):
                break
            taken.append(waiting.popleft())
        if level.swapped and len(waiting) < LOW_WATER:
            self._load(level)
        return taken

    def settle(self, entries: Iterable[Entry]) -> None:
        """Forget entries that were taken and are done with."""
        for entry in entries:
            self.entries -= 1
            self.bytes -= entry.size
            self._cached -= 1
            self._cached_bytes -= entry.size
            if entry.stored:
                entry.stored = False
                entry.message.stored -= 1
                self._store.settle(self.id, entry.rank, entry.seq, entry.message.id)
        if self._waiters and not self.is_full:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.callback(None)

    def put_back(self, entries: list[Entry], *, failed: bool) -> None:
        """Queue entries again that were taken, before all others of their priority.

        Args:
            entries: in the order they were taken.
            failed: count a failed delivery and note it in the store.
        """
        for entry in reversed(entries):
            if failed:
                entry.redeliver += 1
                if entry.stored:
                    self._store.set_redeliver(self.id, entry.rank, entry.seq, entry.redeliver)
            self._levels[entry.rank].entries.appendleft(entry)
        if self._arrivals:
            self._arrivals.tell()

    def take_oldest(self) -> Entry | None:
        """Take the oldest entry in memory of the lowest priority, to make room (``discardOldest``)."""
        for level in reversed(self._order):
            if level.entries:
                return level.entries.popleft()
        return None

    def take_matching(self, unwanted: Callable[[Entry], bool]) -> list[Entry]:
        """Take all entries in memory for which ``unwanted`` is true."""
        taken: list[Entry] = []
        for level in self._order:
            if any(unwanted(entry) for entry in level.entries):
                kept: deque[Entry] = deque()
                for entry in level.entries:
                    (taken if unwanted(entry) else kept).append(entry)
                level.entries = kept
        return taken

    def peek(self, count: int) -> list[Entry]:
        """The next entries in memory in order of delivery, without taking them."""
        found: list[Entry] = []
        for level in self._order:
            for entry in level.entries:
                if len(found) == count:
                    return found
                found.append(entry)
        return found

    def restore(self, rank: int, entries: int, size: int, doubtful: int = 0) -> None:
        """Account for durable entries that recovery found on disk.

        Args:
            rank: of the entries.
            entries: how many.
            size: what they count for together, in bytes.
            doubtful: of these, how many at the head may have been delivered before the crash; they are marked as
                repeated.
        """
        level = self._levels.get(rank) or self._add_level(rank)
        level.swapped += entries
        level.doubtful = min(doubtful, entries)
        self.entries += entries
        self.bytes += size

    def forget_swapped(self, rank: int, size: int) -> None:
        """Account for an entry on disk that was settled without being loaded (expiry)."""
        level = self._levels.get(rank)
        if level is not None and level.swapped:
            level.swapped -= 1
            self.entries -= 1
            self.bytes -= size

    def is_swapped(self, rank: int, seq: int) -> bool:
        """Whether an entry of this queue is on disk only."""
        level = self._levels.get(rank)
        return level is not None and level.swapped > 0 and seq > level.tail

    def load(self) -> Deferred[None]:
        """Bring the next entries into memory where none of the highest priority are.

        Fires when there is something to :meth:`take`, or nothing is queued.
        """
        for level in self._order:
            if level.entries:
                break
            if level.swapped:
                return self._load(level)
        return succeed(None)

    def _waiters_without(self, waiter: Deferred[None]) -> None:
        self._waiters.remove(waiter)

    def _add_level(self, rank: int) -> Level:
        level = self._levels[rank] = Level(rank)
        self._order.append(level)
        self._order.sort(key=lambda each: each.rank)
        return level

    def _write(self, entry: Entry) -> None:
        message = entry.message
        if not message.stored:
            self._store.put_message(message.record())
        message.stored += 1
        entry.stored = True
        self._store.put_entry(
            EntryRecord(
                self.id,
                entry.rank,
                entry.seq,
                message.id,
                entry.subscription_id,
                entry.flags,
                entry.redeliver,
                entry.size,
            )
        )

    def _load(self, level: Level) -> Deferred[None]:
        if level.loading is None:
            level.loading = Deferred()
            read = self._store.read_entries(self.id, level.rank, level.tail, LOAD_BATCH)
            read.addCallback(self._loaded, level)
            read.addErrback(self._load_failed, level)
        waiter: Deferred[None] = Deferred()
        level.loading.chainDeferred(waiter)
        return waiter

    def _loaded(self, rows: list[tuple[EntryRecord, MessageRecord]], level: Level) -> None:
        messages: dict[int, Message] = {}
        for row, record in rows:
            message = messages.get(record.id)
            if message is None:
                message = messages[record.id] = self._revive(record)
            message.stored += 1
            entry = Entry(message, row.seq, row.size, row.subscription_id, row.flags)
            entry.rank = row.rank
            entry.redeliver = row.redeliver
            entry.stored = True
            if level.doubtful:
                level.doubtful -= 1
                entry.redeliver = max(entry.redeliver, 1)
            level.entries.append(entry)
            level.tail = entry.seq
            level.swapped -= 1
            self._cached += 1
            self._cached_bytes += row.size
        if not rows and level.swapped:
            log.error(
                "queue {id}: {count} entries of rank {rank} are not in the store any more",
                id=self.id,
                count=level.swapped,
                rank=level.rank,
            )
            self.entries -= level.swapped
            level.swapped = 0
        self._load_ended(level)

    def _load_failed(self, failure: Failure, level: Level) -> None:
        log.failure("queue {id}: entries can not be read back", failure, id=self.id)
        self._load_ended(level)

    def _load_ended(self, level: Level) -> None:
        waiter, level.loading = level.loading, None
        if waiter is not None:
            waiter.callback(None)
        if self.on_ready is not None and level.entries:
            self.on_ready()
