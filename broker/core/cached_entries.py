"""What a queue holds: the first entries in memory, the others on disk, from where they are read in time (design D6)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from broker.core.entries import NO_LIMIT, CacheBudget, Entry, Fanout, Judge, Part, QueueLimits, loaded
from broker.core.levels import Level
from broker.core.message import Message
from broker.core.quotas import Usage
from broker.failpoints import reach
from broker.model.records import COPIED, NEWEST_ONLY, TRANSIENT, EntryRecord, MessageRecord
from broker.ports import IStore

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from broker.core.thresholds import Watch

log = Logger()

LOAD_BATCH = 1000
"""Entries that are read from disk at once."""
LOW_WATER = 500
"""Entries in memory below which more are read from disk, so that reading goes on while these are delivered."""
CACHE_SHARE = 4
"""A full cache makes room for this fraction of its limits all the same, so that a queue never gets stuck on disk."""
NEVER = 2**62
AT_ONCE = 0


class CachedEntries:
    """Entries by their priority, in memory up to the limits of a cache, and on disk above them.

    Args:
        id: of the session or subject that owns it.
        limits: how much it holds.
        store: an :class:`broker.ports.IStore`.
        sequence: gives the next entry number.
        revive: makes a message from its record; ``None`` for one that cannot be read, which stays on disk.
        budget: of all queues together; none where it is not given.
        fanouts: of the entries of all queues that are on disk only, by their ``seq``; taken from it with the entry.
        judge: tells what is not to be delivered any more, and so does not count when the queue is full.
        usage: of the account that the queue counts for; none where it is not given.

    Attributes:
        entries: how many entries are queued, with those taken.
        entered: how many ever were, since the broker started; it never falls.
        overflowed: messages that found it full, or had to make room in it, since the broker started; never falls.
        redelivered: deliveries that failed and were put back, likewise.
        durable: how many of them survive a crash.
        bytes: what they count for.
        cached_bytes: what those in memory count for.
        on_ready: called when entries came back from disk.
        watch: is told of each entry that is put; ``None`` where nobody wants to know how full the queue is.
    """

    __slots__ = (
        "_budget",
        "_cached",
        "_fanouts",
        "_judge",
        "_levels",
        "_order",
        "_revive",
        "_sequence",
        "_stale_at",
        "_stale_on_disk_at",
        "_store",
        "bytes",
        "cached_bytes",
        "durable",
        "entered",
        "entries",
        "id",
        "limits",
        "on_ready",
        "overflowed",
        "redelivered",
        "usage",
        "watch",
    )

    def __init__(
        self,
        id: int,
        limits: QueueLimits,
        store: IStore,
        sequence: Callable[[], int],
        revive: Callable[[MessageRecord], Message | None],
        budget: CacheBudget | None,
        fanouts: dict[int, Fanout] | None,
        judge: Judge | None,
        usage: Usage | None,
    ) -> None:
        self.id = id
        self.limits = limits
        self.entries = 0
        self.entered = 0
        self.overflowed = 0
        self.redelivered = 0
        self.durable = 0
        self.bytes = 0
        self.usage = usage or Usage()
        self.on_ready: Callable[[], None] | None = None
        self.watch: Watch | None = None
        self._budget = budget or CacheBudget(NO_LIMIT)
        self._fanouts = {} if fanouts is None else fanouts
        self._store = store
        self._sequence = sequence
        self._revive = revive
        self._levels: dict[int, Level] = {}
        self._order: list[Level] = []
        self._cached = 0
        self.cached_bytes = 0
        self._judge = judge
        self._stale_at = NEVER  # no entry in memory is stale before, but for those that are erased
        self._stale_on_disk_at = NEVER

    @property
    def in_memory(self) -> int:
        """How many of the entries are in memory."""
        return self._cached

    @property
    def reading_since(self) -> int | None:
        """Since when the next entry is being read from disk, in milliseconds since 1970; ``None`` where it is not."""
        for level in self._order:
            if level.entries:
                return None
            if level.swapped:
                return level.loading_since if level.loading is not None else None
        return None

    @property
    def is_doubtful(self) -> bool:
        """Whether entries are on disk that may have been delivered before a crash, and are not marked there."""
        return any(level.doubtful and level.swapped for level in self._order)

    def peek(self, count: int) -> list[Entry]:
        """The next entries in memory in order of delivery, without taking them."""
        return list(islice(chain.from_iterable(level.entries for level in self._order), count))

    def parts(self) -> list[Part]:
        """What is queued and not taken, in order of delivery."""
        parts: list[Part] = []
        for level in self._order:
            parts.append(Part(level.rank, list(level.entries)))
            if level.swapped:
                parts.append(Part(level.rank, None, level.tail))
        return parts

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
        level.restore(entries, size, doubtful, self._sequence())
        self.entries += entries
        self.entered += entries
        self.durable += entries
        self.bytes += size
        self.usage.queue_bytes += size
        self._stale_on_disk_at = AT_ONCE  # as far as anybody knows

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

    @property
    def _is_on_disk(self) -> bool:
        return any(level.swapped for level in self._order)

    def _expect_stale(self, entry: Entry) -> None:
        """Note when an entry in memory becomes stale."""
        message = entry.message
        if entry.flags & NEWEST_ONLY:  # those that it supersedes
            self._stale_at = AT_ONCE
        elif message.envelope.qos.force_destroy and message.expires < self._stale_at:
            self._stale_at = message.expires

    def _add_level(self, rank: int) -> Level:
        level = self._levels[rank] = Level(rank)
        self._order.append(level)
        self._order.sort(key=lambda each: each.rank)
        return level

    def _fits(self, size: int) -> bool:
        """Whether there is room in memory for one more entry."""
        limits, budget = self.limits, self._budget
        return (
            self._cached < limits.cache_entries
            and self.cached_bytes + size <= limits.cache_bytes
            and budget.used <= budget.most
        )

    def _hold(self, level: Level, entry: Entry) -> None:
        """Account for an entry that is in memory now, the last of its level that is."""
        size = entry.size
        level.tail = entry.seq
        self._cached += 1
        self.cached_bytes += size
        self._budget.used += size

    def _forget(self, entries: int, size: int, durable: int) -> None:
        self.entries -= entries
        self.bytes -= size
        self.usage.queue_bytes -= size
        self.durable -= durable

    def _read_ahead(self, level: Level) -> None:
        limits = self.limits
        low = min(LOW_WATER, limits.cache_entries // 2)
        if len(level.entries) <= low and self.cached_bytes < limits.cache_bytes:
            self._read(level)

    def _read(self, level: Level) -> Deferred[None]:
        """Read the next entries of a level, as many as the cache has room for; fires when they are there."""
        if level.loading is not None:
            return level.loading
        loading: Deferred[None] = Deferred()
        level.loading = loading
        level.loading_since = 0 if self._judge is None else self._judge.now()
        self._ask(level)
        return loading

    def _ask(self, level: Level) -> None:
        limits = self.limits
        entries = max(limits.cache_entries - self._cached, limits.cache_entries // CACHE_SHARE, 1)
        size = max(limits.cache_bytes - self.cached_bytes, limits.cache_bytes // CACHE_SHARE, 0)
        read = self._store.read_entries(self.id, level.rank, level.tail, min(entries, LOAD_BATCH), size)
        read.addCallback(self._loaded, level)
        read.addErrback(self._load_failed, level)

    def _loaded(self, rows: list[tuple[EntryRecord, MessageRecord]], level: Level) -> None:
        messages: dict[int, Message] = {}
        for row, record in rows:
            level.tail = row.seq
            level.leave_disk(row.size)
            fanout = self._fanouts.pop(row.seq, None) if row.flags & COPIED else None
            message = messages.get(record.id) or self._revive(record)
            if message is None:
                self._forget(1, row.size, 0 if row.flags & TRANSIENT else 1)
                continue
            messages[record.id] = message
            entry = loaded(row, message, fanout)
            if level.doubtful:
                level.doubtful -= 1
                if not entry.redeliver:  # to be known after the next stop, too, whatever comes before
                    entry.redeliver = 1
                    self._store.set_redeliver(self.id, entry.rank, entry.seq, 1)
            level.entries.append(entry)
            self._hold(level, entry)
            if message.expires or entry.flags & NEWEST_ONLY:
                self._expect_stale(entry)
        if not rows and level.swapped:
            log.error(
                "queue {id}: {count} entries of rank {rank} are not in the store any more",
                id=self.id,
                count=level.swapped,
                rank=level.rank,
            )
            self._forget(level.swapped, level.swapped_bytes, min(level.swapped, self.durable))
            level.swapped = level.swapped_bytes = 0
        if not self._is_on_disk:
            self._stale_on_disk_at = NEVER
        reach("entries swapped in")
        if level.swapped and not level.entries:
            self._ask(level)  # none of these could be read; what is behind them can
        else:
            self._load_ended(level)

    def _load_failed(self, failure: Failure, level: Level) -> None:
        log.failure("queue {id}: entries cannot be read back", failure, id=self.id)
        self._load_ended(level)

    def _load_ended(self, level: Level) -> None:
        loading, level.loading = level.loading, None
        if loading is not None:
            loading.callback(None)
        if self.on_ready is not None and level.entries:
            self.on_ready()
