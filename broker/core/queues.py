"""The queue of a receiver: in memory up to a limit, on disk above it (spec xmlblaster §10, design D6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from broker.core.entries import ENTRY_OVERHEAD, NO_LIMIT, CacheBudget, Entry, Fanout, QueueLimits, write
from broker.core.message import Message
from broker.core.waiters import Waiters
from broker.errors import BrokerError
from broker.failpoints import reach
from broker.model.records import COPIED, ONEWAY, TRANSIENT, EntryRecord, MessageRecord
from broker.ports import IStore

if TYPE_CHECKING:
    from twisted.python.failure import Failure

log = Logger()

LOAD_BATCH = 1000
"""Entries that are read from disk at once."""

LOW_WATER = 500
"""Entries in memory below which more are read from disk, so that reading goes on while these are delivered."""

CACHE_SHARE = 4
"""A full cache makes room for this fraction of its limits all the same, so that a queue never gets stuck on disk."""


class Level:
    """The entries of one priority: the head in memory, the tail on disk."""

    __slots__ = ("doubtful", "entries", "loading", "rank", "swapped", "swapped_bytes", "tail")

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.entries: deque[Entry] = deque()
        self.swapped = 0
        self.swapped_bytes = 0
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
        budget: of all queues together; none where it is not given.
        fanouts: of the entries of all queues that are on disk only, by their ``seq``; taken from it with the entry.

    Attributes:
        entries: how many entries are queued, with those taken.
        durable: how many of them survive a crash.
        bytes: what they count for.
        on_ready: called when entries came back from disk.
    """

    __slots__ = (
        "_arrivals",
        "_budget",
        "_cached",
        "_cached_bytes",
        "_fanouts",
        "_levels",
        "_order",
        "_revive",
        "_rooms",
        "_sequence",
        "_store",
        "bytes",
        "durable",
        "entries",
        "id",
        "limits",
        "on_ready",
    )

    def __init__(
        self,
        id: int,
        limits: QueueLimits,
        store: IStore,
        sequence: Callable[[], int],
        revive: Callable[[MessageRecord], Message],
        budget: CacheBudget | None = None,
        fanouts: dict[int, Fanout] | None = None,
    ) -> None:
        self.id = id
        self.limits = limits
        self.entries = 0
        self.durable = 0
        self.bytes = 0
        self.on_ready: Callable[[], None] | None = None
        self._budget = budget or CacheBudget(NO_LIMIT)
        self._fanouts = {} if fanouts is None else fanouts
        self._store = store
        self._sequence = sequence
        self._revive = revive
        self._levels: dict[int, Level] = {}
        self._order: list[Level] = []
        self._cached = 0
        self._cached_bytes = 0
        self._rooms = Waiters()
        self._arrivals: Waiters | None = None

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

    @property
    def next_flags(self) -> int:
        """The flags of the entry in memory that is delivered next; 0 where there is none."""
        for level in self._order:
            if level.entries:
                return level.entries[0].flags
            if level.swapped:
                break
        return 0

    @property
    def is_doubtful(self) -> bool:
        """Whether entries are on disk that may have been delivered before a crash, and are not marked there."""
        return any(level.doubtful and level.swapped for level in self._order)

    def room(self) -> Deferred[None]:
        """Fires when the queue is not full any more; may be cancelled."""
        return self._rooms.next()

    def abandon(self) -> None:
        """The queue is gone: whoever waits for room need not wait any longer."""
        self._budget.used -= self._cached_bytes
        self._cached_bytes = 0
        self._rooms.tell()

    def arrival(self) -> Deferred[None]:
        """Fires when an entry is put, or put back, within that call; may be cancelled."""
        if self._arrivals is None:
            self._arrivals = Waiters()
        return self._arrivals.next()

    def put(
        self,
        message: Message,
        subscription_id: str,
        flags: int = 0,
        durable: bool = False,
        fanout: Fanout | None = None,
        redeliver: int = 0,
    ) -> Entry:
        """Append a message.

        Args:
            message: what to queue.
            subscription_id: that caused it.
            flags: of :mod:`broker.model.records`.
            durable: keep it over a crash.
            fanout: set where other sessions of the subject get copies.
            redeliver: deliveries that failed while it was in another queue.

        Returns:
            Its entry.
        """
        size = len(message.content) + ENTRY_OVERHEAD
        if fanout is not None:
            flags |= fanout.flags
        entry = Entry(message, self._sequence(), size, subscription_id, flags)
        entry.fanout = fanout
        entry.redeliver = redeliver
        self.entries += 1
        self.bytes += size
        level = self._levels.get(entry.rank) or self._add_level(entry.rank)
        if durable:
            self.durable += 1
        if level.swapped or not self._fits(size):
            if not durable:
                entry.flags |= TRANSIENT
            write(self._store, self.id, entry.rank, entry)
            reach("entry swapped out")
            level.swapped += 1
            level.swapped_bytes += size
            if fanout is not None:
                self._fanouts[entry.seq] = fanout
        else:
            if durable:
                write(self._store, self.id, entry.rank, entry)
            self._hold(level, entry)
            level.entries.append(entry)
        if self._arrivals:
            self._arrivals.tell()
        return entry

    def put_taken(
        self, message: Message, subscription_id: str, flags: int, durable: bool, fanout: Fanout | None, number: int
    ) -> Entry | None:
        """Append a message and take it for delivery at once. Nothing but entries that are taken may be queued.

        Args:
            message: what to queue.
            subscription_id: that caused it.
            flags: of :mod:`broker.model.records`.
            durable: keep it over a crash.
            fanout: set where other sessions of the subject get copies.
            number: under which it is sent (:class:`broker.model.records.EntryRecord`).

        Returns:
            Its entry; ``None`` where there is no room for it in memory, or somebody waits for an arrival: then nothing
            has happened.
        """
        size = len(message.content) + ENTRY_OVERHEAD
        if self._arrivals or not self._fits(size):
            return None
        if fanout is not None:
            flags |= fanout.flags
        entry = Entry(message, self._sequence(), size, subscription_id, flags)
        entry.fanout = fanout
        entry.number = number
        self.entries += 1
        self.bytes += size
        self._hold(self._levels.get(entry.rank) or self._add_level(entry.rank), entry)
        if durable:
            self.durable += 1
            write(self._store, self.id, entry.rank, entry)
        return entry

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
                self._read(level)
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
        if level.swapped and level.loading is None:
            self._read_ahead(level)
        return taken

    def delivered(self, entries: Sequence[Entry]) -> None:
        """Forget entries that were taken, and that the session has got: copies of others are marked."""
        for entry in entries:
            if entry.fanout is not None:
                entry.fanout.deliver(self._store, self.id)
        self.settle(entries)

    def settle(self, entries: Iterable[Entry]) -> None:
        """Forget entries that were taken and are done with."""
        count = size = durable = 0
        id, settle = self.id, self._store.settle
        for entry in entries:
            count += 1
            size += entry.size
            if entry.stored:
                if not entry.flags & TRANSIENT:
                    durable += 1
                entry.stored = False
                message = entry.message
                message.stored -= 1
                settle(id, entry.rank, entry.seq, message.id)
        self.entries -= count
        self.bytes -= size
        self.durable -= durable
        self._cached -= count
        self._cached_bytes -= size
        self._budget.used -= size
        if self._rooms and not self.is_full:
            self._rooms.tell()

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
                oldest = level.entries.popleft()
                if level.swapped and level.loading is None:
                    self._read_ahead(level)
                return oldest
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

    async def take_numbered(self) -> list[Entry]:
        """Take the entries that have a number, which are the first of each priority, reading them from disk first."""
        taken: list[Entry] = []
        for level in self._order:
            while True:
                while level.entries and level.entries[0].number:
                    taken.append(level.entries.popleft())
                if level.entries or not level.swapped:
                    break
                await self._shared(self._read(level))
                if not level.entries:  # they can not be read
                    break
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
        level.swapped_bytes += size
        level.doubtful = min(doubtful, entries)
        self.entries += entries
        self.durable += entries
        self.bytes += size

    def settle_swapped(self, row: EntryRecord) -> None:
        """Settle an entry that is on disk only, without loading it (expiry); nothing changes where it is not.

        Args:
            row: of this queue, as it was read.
        """
        level = self._levels.get(row.rank)
        # While entries are being read this one may be among them; it is met again when it is delivered.
        if level is None or not level.swapped or level.loading is not None or row.seq <= level.tail:
            return
        level.swapped -= 1
        level.swapped_bytes -= row.size
        self.entries -= 1
        self.bytes -= row.size
        if not row.flags & TRANSIENT:
            self.durable -= 1
        self._fanouts.pop(row.seq, None)
        self._store.settle(self.id, row.rank, row.seq, row.message_id)
        if self._rooms and not self.is_full:
            self._rooms.tell()

    def load(self) -> Deferred[None]:
        """Bring the next entries into memory where none of the highest priority are.

        Fires when there is something to :meth:`take`, or nothing is queued.
        """
        for level in self._order:
            if level.entries:
                break
            if level.swapped:
                return self._shared(self._read(level))
        return succeed(None)

    def _shared(self, reading: Deferred[None]) -> Deferred[None]:
        loaded: Deferred[None] = Deferred()
        reading.chainDeferred(loaded)
        return loaded

    def _add_level(self, rank: int) -> Level:
        level = self._levels[rank] = Level(rank)
        self._order.append(level)
        self._order.sort(key=lambda each: each.rank)
        return level

    def _fits(self, size: int) -> bool:
        """Whether there is room in memory for one more entry."""
        limits = self.limits
        budget = self._budget
        return (
            self._cached < limits.cache_entries
            and self._cached_bytes + size <= limits.cache_bytes
            and budget.used <= budget.most
        )

    def _hold(self, level: Level, entry: Entry) -> None:
        """Account for an entry that is in memory now, the last of its level that is."""
        size = entry.size
        level.tail = entry.seq
        self._cached += 1
        self._cached_bytes += size
        self._budget.used += size

    def _read_ahead(self, level: Level) -> None:
        limits = self.limits
        low = min(LOW_WATER, limits.cache_entries // 2)
        if len(level.entries) <= low and self._cached_bytes < limits.cache_bytes:
            self._read(level)

    def _read(self, level: Level) -> Deferred[None]:
        """Read the next entries of a level, as many as the cache has room for; fires when they are there."""
        if level.loading is not None:
            return level.loading
        limits = self.limits
        entries = max(limits.cache_entries - self._cached, limits.cache_entries // CACHE_SHARE, 1)
        size = max(limits.cache_bytes - self._cached_bytes, limits.cache_bytes // CACHE_SHARE, 0)
        loading: Deferred[None] = Deferred()
        level.loading = loading
        read = self._store.read_entries(self.id, level.rank, level.tail, min(entries, LOAD_BATCH), size)
        read.addCallback(self._loaded, level)
        read.addErrback(self._load_failed, level)
        return loading

    def _loaded(self, rows: list[tuple[EntryRecord, MessageRecord]], level: Level) -> None:
        messages: dict[int, Message] = {}
        for row, record in rows:
            level.tail = row.seq
            level.swapped -= 1
            level.swapped_bytes -= row.size
            fanout = self._fanouts.pop(row.seq, None) if row.flags & COPIED else None
            try:
                message = messages.get(record.id) or self._revive(record)
            except BrokerError as error:
                # It stays on disk for a broker that can read it.
                log.error(
                    "queue {id}: message {message} can not be read: {reason}",
                    id=self.id,
                    message=record.id,
                    reason=str(error),
                )
                self._forget(1, row.size, 0 if row.flags & TRANSIENT else 1)
                continue
            messages[record.id] = message
            message.stored += 1
            entry = Entry(message, row.seq, row.size, row.subscription_id, row.flags)
            entry.rank = row.rank
            entry.redeliver = row.redeliver
            entry.number = row.number
            entry.fanout = fanout
            entry.stored = True
            if level.doubtful:
                level.doubtful -= 1
                if not entry.redeliver:  # to be known after the next stop, too, whatever comes before
                    entry.redeliver = 1
                    self._store.set_redeliver(self.id, entry.rank, entry.seq, 1)
            level.entries.append(entry)
            self._hold(level, entry)
        if not rows and level.swapped:
            log.error(
                "queue {id}: {count} entries of rank {rank} are not in the store any more",
                id=self.id,
                count=level.swapped,
                rank=level.rank,
            )
            self._forget(level.swapped, level.swapped_bytes, min(level.swapped, self.durable))
            level.swapped = level.swapped_bytes = 0
        reach("entries swapped in")
        self._load_ended(level)

    def _forget(self, entries: int, size: int, durable: int) -> None:
        self.entries -= entries
        self.bytes -= size
        self.durable -= durable

    def _load_failed(self, failure: Failure, level: Level) -> None:
        log.failure("queue {id}: entries can not be read back", failure, id=self.id)
        self._load_ended(level)

    def _load_ended(self, level: Level) -> None:
        loading, level.loading = level.loading, None
        if loading is not None:
            loading.callback(None)
        if self.on_ready is not None and level.entries:
            self.on_ready()
