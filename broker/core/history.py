"""The history of a topic: its newest messages (spec xmlblaster §8.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred

from broker.core.entries import END, ENTRY_OVERHEAD, Entry, Part, QueueLimits, loaded, write
from broker.core.losses import Losses
from broker.core.message import Message
from broker.core.quotas import Usage
from broker.core.trace import Point
from broker.model.records import TRANSIENT, EntryRecord, MessageRecord
from broker.ports import IStore
from broker.waiters import Waiters

if TYPE_CHECKING:
    from broker.core.thresholds import Watch

EVERYTHING = 2**62
NEVER = 2**62
HISTORY_RANK = 0
"""Histories are ordered by age alone, so all their entries have one rank."""


class Cold(NamedTuple):
    """An entry that is on disk only."""

    seq: int
    message_id: int
    size: int
    expires: int


class History:
    """The newest messages of a topic, the oldest dropped without a word when it is full.

    The newest are in memory up to the cache limits, older ones on disk only. After a crash nothing is in memory until
    :meth:`load` is awaited; new messages may be put before. A message that has expired is not there any more, whether
    or not somebody has dropped it yet: it counts for no limit, and hides none that is older.

    Args:
        id: of the topic.
        limits: how much is kept.
        store: an :class:`broker.ports.IStore`.
        sequence: gives the next entry number.
        revive: makes a message from its record; ``None`` for one that cannot be read, which stays on disk.
        now: tells the milliseconds since 1970.
        losses: counts messages that expire; nobody's where it is not given.

    Attributes:
        usage: of the account that its topic counts for.
        watch: is told of each message that is put; ``None`` where nobody wants to know how full the history is.
    """

    __slots__ = (
        "_arrivals",
        "_bytes",
        "_cold",
        "_expires_at",
        "_hot",
        "_hot_bytes",
        "_losses",
        "_now",
        "_recovered",
        "_revive",
        "_sequence",
        "_store",
        "_waiting",
        "id",
        "limits",
        "unread",
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
        now: Callable[[], int],
        losses: Losses | None = None,
    ) -> None:
        self.id = id
        self.limits = limits
        self.unread = 0
        self.usage = Usage()
        self._store = store
        self._sequence = sequence
        self._revive = revive
        self._now = now
        self._losses = losses or Losses()
        self._recovered = 0  # entries with lower numbers were there before this start
        self._expires_at = NEVER  # no entry that is known expires before
        self._hot: deque[Entry] = deque()
        self._cold: deque[Cold] = deque()
        self._bytes = 0
        self._hot_bytes = 0
        self._arrivals: Waiters | None = None
        self.watch: Watch | None = None
        self._waiting: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._hot) + len(self._cold) + self.unread

    def __iter__(self) -> Iterator[Message]:
        return (entry.message for entry in self._hot)

    @property
    def bytes(self) -> int:
        """What the entries count for, in bytes; without those not loaded since recovery."""
        return self._bytes

    @property
    def bytes_in_memory(self) -> int:
        """What those in memory count for."""
        return self._hot_bytes

    @property
    def in_memory(self) -> int:
        """How many entries are in memory."""
        return len(self._hot)

    @property
    def ids(self) -> set[int]:
        """Ids of the messages; without those not loaded since recovery."""
        return {entry.message.id for entry in self._hot} | {cold.message_id for cold in self._cold}

    def parts(self) -> list[Part]:
        """The entries that have not expired, the oldest first."""
        now = self._now()
        hot = [entry for entry in self._hot if not 0 < entry.message.expires <= now]
        parts = [Part(HISTORY_RANK, hot)]
        if self._cold or self.unread:
            before = self._hot[0].seq if self._hot else END
            parts.insert(0, Part(HISTORY_RANK, None, -1, before))
        return parts

    @property
    def oldest_id(self) -> int:
        """Id of the oldest message in memory; 0 where there is none."""
        return self._hot[0].message.id if self._hot else 0

    @property
    def newest_id(self) -> int:
        """Id of the newest message in memory; 0 where there is none. As :attr:`oldest_id`, nothing is dropped."""
        return self._hot[-1].message.id if self._hot else 0

    @property
    def newest(self) -> Message | None:
        """The newest message in memory."""
        self.expire()
        return self._hot[-1].message if self._hot else None

    def put(self, message: Message, *, durable: bool) -> None:
        """Append a message and drop what is too old.

        Args:
            message: the newest message.
            durable: keep it over a crash.
        """
        limits = self.limits
        if limits.entries <= 0:
            return
        size = len(message.content) + ENTRY_OVERHEAD
        entry = Entry(message, self._sequence(), size, "", 0)
        if durable:
            write(self._store, self.id, HISTORY_RANK, entry)
        if 0 < message.expires < self._expires_at:
            self._expires_at = message.expires
        hot = self._hot
        hot.append(entry)
        usage = self.usage
        self._bytes += size
        usage.history_bytes += size
        self._hot_bytes += size
        entries = len(hot)
        if (
            entries > limits.cache_entries
            or self._hot_bytes > limits.cache_bytes
            or entries + len(self._cold) > limits.entries
            or self._bytes > limits.bytes
            or usage.history_bytes > usage.max_history_bytes
        ):
            self.trim()
        if self._arrivals:
            self._arrivals.tell()
        if self.watch is not None:
            self.watch.put(len(self), self.limits.entries)

    def charge(self, usage: Usage) -> None:
        """Count for another account from now on."""
        self.usage.history_bytes -= self._bytes
        usage.history_bytes += self._bytes
        self.usage = usage

    def arrival(self) -> Deferred[None]:
        """Fires when a message is put, within that call; may be cancelled."""
        if self._arrivals is None:
            self._arrivals = Waiters()
        return self._arrivals.next()

    def trim(self) -> None:
        """Drop what exceeds the limits, and swap what exceeds the cache limits."""
        if self.unread:  # what is older is not known yet
            return
        limits = self.limits
        if self._expires_at != NEVER and self._overflows:
            self.expire()
        while self._overflows:
            self._drop_oldest()
        hot = self._hot
        while len(hot) > 1 and (len(hot) > limits.cache_entries or self._hot_bytes > limits.cache_bytes):
            entry = hot.popleft()
            self._hot_bytes -= entry.size
            if entry.stored:
                entry.message.stored -= 1  # on disk only from now on
            else:
                entry.flags |= TRANSIENT
                write(self._store, self.id, HISTORY_RANK, entry, held=False)
            self._cold.append(Cold(entry.seq, entry.message.id, entry.size, entry.message.expires))

    def expire(self) -> None:
        """Drop what has expired, of the entries that are known; the others are dropped as they become known."""
        if self._expires_at == NEVER:
            return
        now = self._now()
        if self._expires_at > now:
            return
        hot, self._hot = self._hot, deque()
        for entry in hot:
            if 0 < entry.message.expires <= now:
                self._hot_bytes -= entry.size
                self._forget(entry)
                self._losses.expired += 1
                if self._losses.trace is not None:
                    self._losses.trace(Point.EXPIRED, entry.message, "")
            else:
                self._hot.append(entry)
        cold, self._cold = self._cold, deque()
        for known in cold:
            if 0 < known.expires <= now:
                self._settle_cold(known)
                self._losses.expired += 1
            else:
                self._cold.append(known)
        times = [entry.message.expires for entry in self._hot] + [known.expires for known in self._cold]
        self._expires_at = min((each for each in times if each), default=NEVER)

    def settle_unread(self, row: EntryRecord) -> bool:
        """Drop an entry that recovery found, without loading it (expiry).

        Args:
            row: of this history, as it was read.

        Returns:
            Whether it is gone: not where entries are being read, among which it may be; it is dropped with them.
        """
        if not self.unread or self._waiting or row.seq >= self._recovered:
            return False
        self.unread -= 1
        self._losses.expired += 1
        self._store.settle(self.id, HISTORY_RANK, row.seq, row.message_id)
        return True

    def restore(self, entries: int) -> None:
        """Account for entries that recovery found on disk."""
        self.unread += entries
        self._recovered = self._sequence()

    async def load(self) -> None:
        """Know the entries that recovery found: the newest come into memory, surplus ones are dropped.

        They are read once, however many wait for it: after a crash that are all messages that publishers send again.
        """
        if not self.unread:
            return
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        if len(self._waiting) == 1:
            read = self._store.read_entries(self.id, HISTORY_RANK, -1, EVERYTHING)
            read.addCallback(self._loaded)
            read.addBoth(self._load_ended)
        await waiter

    def _load_ended(self, result: Any) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(result)  # a failure, too

    def _loaded(self, rows: list[tuple[EntryRecord, MessageRecord]]) -> None:
        if not self.unread:  # it was cleared meanwhile
            return
        known = {entry.seq for entry in self._hot}
        self.unread = 0
        now = self._now()
        revived: list[Entry] = []
        for row, record in rows:
            if row.seq in known:
                continue
            if 0 < record.expires <= now:
                self._losses.expired += 1
                self._store.settle(self.id, HISTORY_RANK, row.seq, row.message_id)
                continue
            entry = self._entry(row, record)
            if entry is not None:
                if record.expires:
                    self._expires_at = min(self._expires_at, record.expires)
                revived.append(entry)
                self._bytes += row.size
                self.usage.history_bytes += row.size
                self._hot_bytes += row.size
        self._hot.extendleft(reversed(revived))
        self.trim()

    async def latest(self, count: int, before: int = EVERYTHING) -> list[Message]:
        """The newest messages, newest first.

        Args:
            count: at most this many; negative for all.
            before: only those with a lower id than this.
        """
        await self.load()
        self.expire()
        hot = [entry.message for entry in reversed(self._hot) if entry.message.id < before]
        if count < 0:
            count = len(self)
        missing = min(count - len(hot), len(self._cold))
        if missing <= 0:
            return hot[:count]
        start = self._cold[-missing].seq - 1
        rows = await self._store.read_entries(self.id, HISTORY_RANK, start, missing)
        cold = (self._revive(record) for _, record in reversed(rows))
        return hot + [message for message in cold if message is not None]

    def expire_one(self, message_id: int) -> bool:
        """Drop one message whose time is over, if it is there."""
        message = next((each for each in self if each.id == message_id), None)
        found = self.discard(message_id)
        self._losses.expired += found
        if message is not None and self._losses.trace is not None:
            self._losses.trace(Point.EXPIRED, message, "")
        return found

    def discard(self, message_id: int) -> bool:
        """Drop one message, if it is there.

        Args:
            message_id: of the message that was consumed.
        """
        for entry in self._hot:
            if entry.message.id == message_id:
                self._hot.remove(entry)
                self._hot_bytes -= entry.size
                self._forget(entry)
                return True
        for cold in self._cold:
            if cold.message_id == message_id:
                self._cold.remove(cold)
                self._settle_cold(cold)
                return True
        return False

    def clear(self) -> None:
        """Drop all messages."""
        if self._cold or self.unread or any(entry.stored for entry in self._hot):
            self._store.settle_all(self.id)
        for entry in self._hot:
            if entry.stored:
                entry.stored = False
                entry.message.stored -= 1
        self._hot.clear()
        self._cold.clear()
        self.usage.history_bytes -= self._bytes
        self.unread = self._bytes = self._hot_bytes = 0
        self._expires_at = NEVER

    @property
    def _overflows(self) -> bool:
        limits = self.limits
        known = len(self._hot) + len(self._cold)
        if known > limits.entries:
            return known > 0  # a limit below 0 is as 0: there is no history, and nothing of it to drop
        usage = self.usage
        is_over = self._bytes > limits.bytes or usage.history_bytes > usage.max_history_bytes
        return is_over and len(self._hot) > 1

    def _drop_oldest(self) -> None:
        if self._cold:
            self._settle_cold(self._cold.popleft())
            return
        entry = self._hot.popleft()
        self._hot_bytes -= entry.size
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        self._bytes -= entry.size
        self.usage.history_bytes -= entry.size
        if entry.stored:
            entry.stored = False
            entry.message.stored -= 1
            self._store.settle(self.id, HISTORY_RANK, entry.seq, entry.message.id)

    def _settle_cold(self, cold: Cold) -> None:
        self._bytes -= cold.size
        self.usage.history_bytes -= cold.size
        self._store.settle(self.id, HISTORY_RANK, cold.seq, cold.message_id)

    def _entry(self, row: EntryRecord, record: MessageRecord) -> Entry | None:
        message = self._revive(record)
        return None if message is None else loaded(row, message)
