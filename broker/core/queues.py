"""The queue of a receiver: in memory up to a limit, on disk above it (spec xmlblaster §10, design D6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from broker.core.cached_entries import LOAD_BATCH, NEVER, CachedEntries
from broker.core.entries import ENTRY_OVERHEAD, CacheBudget, Entry, Fanout, Judge, QueueLimits, write
from broker.core.levels import Level
from broker.core.message import Message
from broker.core.quotas import Usage
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.failpoints import ARMED, reach
from broker.model.records import NEWEST_ONLY, ONEWAY, TRANSIENT, EntryRecord, MessageRecord
from broker.ports import IStore
from broker.waiters import Waiters

log = Logger()


class Queue(CachedEntries):
    """Entries for one receiver, highest priority first, then in order of arrival.

    Entries are *taken* for delivery and then either *settled* or *put back*. What is taken still counts.

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
    """

    __slots__ = ("_arrivals", "_erasures", "_rooms")

    def __init__(
        self,
        id: int,
        limits: QueueLimits,
        store: IStore,
        sequence: Callable[[], int],
        revive: Callable[[MessageRecord], Message | None],
        budget: CacheBudget | None = None,
        fanouts: dict[int, Fanout] | None = None,
        judge: Judge | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(id, limits, store, sequence, revive, budget, fanouts, judge, usage)
        self._rooms: Waiters | None = None
        self._arrivals: Waiters | None = None
        self._erasures = 0 if judge is None else judge.erasures

    def __len__(self) -> int:
        return self.entries

    @property
    def is_full(self) -> bool:
        """Whether a further entry overflows. The check comes before a put, so a bulk may exceed the limit once.

        What would not be delivered any more does not count: it is dropped first.
        """
        limits, usage = self.limits, self.usage
        if self.entries < limits.entries and self.bytes < limits.bytes and usage.queue_bytes < usage.max_queue_bytes:
            return False
        return not self.drop_stale() or min(self.space) <= 0

    @property
    def is_full_now(self) -> bool:
        """As :attr:`is_full`, for those who only look: nothing is dropped, so what is stale counts, too."""
        return min(self.space) <= 0

    @property
    def space(self) -> tuple[int, int]:
        """Entries and bytes that fit in by its own limits and what its account may hold; negative beyond them."""
        limits, usage = self.limits, self.usage
        return limits.entries - self.entries, min(limits.bytes - self.bytes, usage.max_queue_bytes - usage.queue_bytes)

    @property
    def may_hold_stale(self) -> bool:
        """Whether entries on disk, as far as is known, would not be delivered any more."""
        return self._judge is not None and self._stale_on_disk_at <= self._judge.now() and self._is_on_disk

    @property
    def next_flags(self) -> int:
        """The flags of the entry in memory that is delivered next; 0 where there is none."""
        for level in self._order:
            if level.entries:
                return level.entries[0].flags
            if level.swapped:
                break
        return 0

    def room(self) -> Deferred[None]:
        """Fires when the queue is not full any more; may be cancelled."""
        self._rooms = self._rooms or Waiters()
        return self._rooms.next()

    @property
    def room_waiters(self) -> int:
        """How many wait for room."""
        return 0 if self._rooms is None else len(self._rooms)

    def abandon(self) -> None:
        """The queue is gone: whoever waits for room need not wait any longer."""
        self._budget.used -= self.cached_bytes
        self.cached_bytes = 0
        self.charge(Usage())
        if self._rooms:
            self._rooms.tell()

    def change_limits(self, limits: QueueLimits) -> None:
        """Hold more or less from now on; what is there already stays, however much it is."""
        self.limits = limits
        if self._rooms and not self.is_full:
            self._rooms.tell()

    def charge(self, usage: Usage) -> None:
        """Count for another account from now on."""
        self.usage.queue_bytes -= self.bytes
        usage.queue_bytes += self.bytes
        self.usage = usage

    def arrival(self) -> Deferred[None]:
        """Fires when an entry is put, or put back, within that call; may be cancelled."""
        self._arrivals = self._arrivals or Waiters()
        return self._arrivals.next()

    def put(
        self,
        message: Message,
        subscription_id: str,
        flags: int = 0,
        durable: bool = False,
        fanout: Fanout | None = None,
        redeliver: int = 0,
        rank: int | None = None,
    ) -> Entry:
        """Append a message.

        Args:
            message: what to queue.
            subscription_id: that caused it.
            flags: of :mod:`broker.model.records`.
            durable: keep it over a crash.
            fanout: set where other sessions of the subject get copies.
            redeliver: deliveries that failed while it was in another queue.
            rank: 9 minus the priority that it has here; ``None`` for that of the message.

        Returns:
            Its entry.
        """
        size = len(message.content) + ENTRY_OVERHEAD
        if fanout is not None:
            flags |= fanout.flags
        entry = Entry(message, self._sequence(), size, subscription_id, flags, fanout, redeliver)
        if rank is not None:
            entry.rank = rank
        self.entries += 1
        self.entered += 1
        self.bytes += size
        self.usage.queue_bytes += size
        level = self._levels.get(entry.rank) or self._add_level(entry.rank)
        if durable:
            self.durable += 1
        if level.swapped or not self._fits(size):
            if message.expires and message.envelope.qos.force_destroy:
                self._stale_on_disk_at = min(self._stale_on_disk_at, message.expires)
            if not durable:
                entry.flags |= TRANSIENT
            write(self._store, self.id, entry.rank, entry, held=False)
            if ARMED:
                reach("entry swapped out")
            level.swapped += 1
            level.swapped_bytes += size
            if fanout is not None:
                self._fanouts[entry.seq] = fanout
        else:
            if durable:
                write(self._store, self.id, entry.rank, entry)
            if message.expires or flags & NEWEST_ONLY:
                self._expect_stale(entry)
            level.entries.append(entry)
            level.tail = entry.seq  # as _hold() does; there is a put for each receiver of each message
            self._cached += 1
            self.cached_bytes += size
            self._budget.used += size
        if self._arrivals:
            self._arrivals.tell()
        if self.watch is not None:
            self.watch.put(self.entries, self.limits.entries)
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
        entry = Entry(message, self._sequence(), size, subscription_id, flags, fanout)
        entry.number = number
        self.entries += 1
        self.entered += 1
        self.bytes += size
        self.usage.queue_bytes += size
        self._hold(self._levels.get(entry.rank) or self._add_level(entry.rank), entry)
        if durable:
            self.durable += 1
            write(self._store, self.id, entry.rank, entry)
        if self.watch is not None:
            self.watch.put(self.entries, self.limits.entries)
        return entry

    def take(self, max_entries: int, max_bytes: int) -> list[Entry]:
        """Take entries of the highest priority for delivery, in order; all of them acknowledged or all oneway.

        Args:
            max_entries: ``-1`` all of that priority.
            max_bytes: ``-1`` unlimited; the first entry is taken whatever its size.

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
        while waiting and len(taken) != max_entries:
            entry = waiting[0]
            size += entry.size
            if (entry.flags & ONEWAY) != oneway or (max_bytes >= 0 and size > max_bytes):
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
        self.usage.queue_bytes -= size
        self.durable -= durable
        self._cached -= count
        self.cached_bytes -= size
        self._budget.used -= size
        if self._rooms and not self.is_full:
            self._rooms.tell()

    @property
    def newest_id(self) -> int:
        """Id of the message in memory that came last; 0 where there is none."""
        return max((level.entries[-1].message.id for level in self._order if level.entries), default=0)

    def put_back(self, entries: list[Entry], *, failed: bool) -> None:
        """Queue entries again that were taken, before all others of their priority.

        Args:
            entries: in the order they were taken.
            failed: count a failed delivery and note it in the store.
        """
        if failed:
            self.redelivered += len(entries)
        for entry in reversed(entries):
            if failed:
                entry.redeliver += 1
                if entry.stored:
                    self._store.set_redeliver(self.id, entry.rank, entry.seq, entry.redeliver)
            self._levels[entry.rank].entries.appendleft(entry)
            if entry.message.expires or entry.flags & NEWEST_ONLY:
                self._expect_stale(entry)
        if self._arrivals:
            self._arrivals.tell()

    def can_discard_oldest(self, size: int) -> bool:
        """Whether :meth:`discard_oldest` can make enough of it at once, with what is in memory.

        Args:
            size: of the content of a message that is to be put.
        """
        entries, octets = self._surplus(size)
        for level in reversed(self._order):
            for entry in level.entries:
                if entries <= 0 and octets <= 0:
                    return True
                entries -= 1
                octets -= entry.size
            if level.swapped:
                break
        else:  # one that is larger than the queue replaces all others
            octets -= size + ENTRY_OVERHEAD - 1
        return entries <= 0 and octets <= 0

    def read_oldest(self) -> Deferred[None] | None:
        """Read the oldest entries of the lowest priority from disk, so that they can be discarded.

        Returns:
            What fires when more of them are in memory, and fails where they cannot be read; ``None`` where all are.
        """
        for level in reversed(self._order):
            if level.swapped:
                return self._read_more(level)
        return None

    def discard_oldest(self, size: int) -> None:
        """Discard the oldest entries of the lowest priority, as many as are in the way of a message.

        What is not in memory yet is discarded as soon as it has been read.

        Args:
            size: of the content of the message that is to be put.
        """
        if self.is_full:
            self._discard(*self._surplus(size))

    def drop_stale(self) -> int:
        """Drop what is in memory and would not be delivered any more; tells how many entries that were.

        Those are none where nothing can have become stale since it was looked for.
        """
        judge = self._judge
        if judge is None or (self._erasures == judge.erasures and self._stale_at > judge.now()):
            return 0
        self._erasures = judge.erasures
        stale = self.take_matching(judge.is_stale)
        judge.count_stale(stale)
        self._stale_at = NEVER
        for level in self._order:
            for entry in level.entries:
                if entry.message.expires:
                    self._expect_stale(entry)
        self.settle(stale)
        return len(stale)

    def _surplus(self, size: int) -> tuple[int, int]:
        entries, octets = self.space
        return 1 - entries, size + ENTRY_OVERHEAD - octets

    def _discard(self, entries: int, octets: int) -> None:
        discarded: list[Entry] = []
        missing: Level | None = None
        for level in reversed(self._order):
            if entries <= 0 and octets <= 0:
                break
            waiting = level.entries
            while waiting and (entries > 0 or octets > 0):
                oldest = waiting.popleft()
                discarded.append(oldest)
                entries -= 1
                octets -= oldest.size
            if level.swapped:
                if entries > 0 or octets > 0:
                    missing = level
                    break
                if level.loading is None:
                    self._read_ahead(level)
        self.settle(discarded)
        self.overflowed += len(discarded)
        if self._judge is not None:
            losses = self._judge.losses
            losses.discarded_oldest += len(discarded)
            if losses.trace is not None:
                for entry in discarded:
                    losses.trace(Point.DISCARDED, entry.message, "")
        if missing is not None:
            reading = self._read_more(missing)
            reading.addCallback(lambda _: self._trim())
            reading.addErrback(lambda failure: log.failure("queue {id}: room cannot be made", failure, id=self.id))

    def _trim(self) -> None:
        entries, octets = self.space
        self._discard(-entries, -octets)

    def _read_more(self, level: Level) -> Deferred[None]:
        before = level.tail
        reading = self._shared(self._read(level))

        def check(_: None) -> None:
            if level.tail == before and level.swapped:
                raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"the entries of queue {self.id} cannot be read")

        reading.addCallback(check)
        return reading

    def take_matching(self, unwanted: Callable[[Entry], bool]) -> list[Entry]:
        """Take all entries in memory for which ``unwanted`` is true."""
        return [entry for level in self._order for entry in level.take_matching(unwanted)]

    async def discard(self, unwanted: Callable[[Message], bool]) -> None:
        """Settle what waits and is not wanted any more, without reading contents. What has a number was sent.

        Args:
            unwanted: tells it of a message, whose content may be missing.
        """
        self._discard_in_memory(unwanted)
        for level in list(self._order):
            after = level.tail
            while level.swapped:
                with nullcontext() if self._judge is None else self._judge.settled_rows.reading():
                    rows = await self._store.read_headers(self.id, level.rank, after, LOAD_BATCH)
                    while level.loading is not None:  # what is being read is in memory then
                        await self._shared(level.loading)
                    for row, record in rows:
                        after = row.seq
                        message = None if row.number else self._revive(record)
                        if message is not None and unwanted(message):
                            self.settle_swapped(row)
                if len(rows) < LOAD_BATCH:
                    break
        self._discard_in_memory(unwanted)

    def _discard_in_memory(self, unwanted: Callable[[Message], bool]) -> None:
        taken = self.take_matching(lambda entry: not entry.number and unwanted(entry.message))
        if taken:
            self.settle(taken)

    async def take_numbered(self) -> list[Entry]:
        """Take the entries that have a number, which are the first of each priority, reading them from disk first.

        Raises:
            BrokerError: ``resource.db.unavailable`` where they cannot be read; then none is taken.
        """
        taken: list[Entry] = []
        for level in self._order:
            while True:
                taken += level.take_numbered()
                if level.entries or not level.swapped:
                    break
                await self._shared(self._read(level))
                if level.swapped and not level.entries:
                    self.put_back(taken, failed=False)
                    raise BrokerError(Code.RESOURCE_DB_UNAVAILABLE, f"the entries of queue {self.id} cannot be read")
        return taken

    def is_on_disk(self, row: EntryRecord) -> bool:
        """Whether an entry is on disk only.

        Args:
            row: of this queue, as it was read inside of :meth:`SettledRows.reading`.
        """
        level = self._levels.get(row.rank)
        if level is None or not level.swapped or level.loading is not None or row.seq <= level.tail:
            return False
        return self._judge is None or row.seq not in self._judge.settled_rows

    async def has_read(self) -> None:
        """Wait until no entries are being read from disk."""
        for level in list(self._order):
            while level.loading is not None:
                await self._shared(level.loading)

    def settle_swapped(self, row: EntryRecord) -> bool:
        """Settle an entry that is on disk only, without loading it (expiry).

        Args:
            row: of this queue, as it was read inside of :meth:`SettledRows.reading`.

        Returns:
            Whether it was there.
        """
        level = self._levels.get(row.rank)
        # While entries are being read this one may be among them; it is met again when it is delivered.
        if level is None or not self.is_on_disk(row):
            return False
        if self._judge is not None:
            self._judge.settled_rows.add(row.seq)
            if row.flags & NEWEST_ONLY:
                self._judge.left_disk(row)
        level.leave_disk(row.size)
        if level.doubtful and row.seq < level.restored_to:  # else one that came after the crash would be in doubt
            level.doubtful -= 1
        self._forget(1, row.size, 0 if row.flags & TRANSIENT else 1)
        self._fanouts.pop(row.seq, None)
        self._store.settle(self.id, row.rank, row.seq, row.message_id)
        if self._rooms and not self.is_full:
            self._rooms.tell()
        return True

    def drop(self, row: EntryRecord) -> None:
        """Settle an entry that waits and is superseded; nothing changes where it is on its way or gone.

        Args:
            row: of this queue.
        """
        level = self._levels.get(row.rank)
        if level is None:
            return
        if row.seq > level.tail:
            dropped = self.settle_swapped(row)
        else:
            found = level.remove(row.seq)
            self.settle(found)
            dropped = bool(found)
        if dropped and self._judge is not None:
            self._judge.losses.stale += 1
