"""Entries of queues: references to messages (design D6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from broker.core.losses import Losses
from broker.core.message import Message
from broker.core.settled_rows import SettledRows
from broker.model.qos import Overflow
from broker.model.records import COPIED, HAD, EntryRecord
from broker.ports import IStore

ENTRY_OVERHEAD = 200
"""Bytes that an entry counts for beside its content: key, QoS and bookkeeping."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much a queue holds, and how much of that in memory; entries above the cache limits are on disk only.

    Args:
        entries: most entries.
        bytes: most bytes.
        cache_entries: most entries in memory.
        cache_bytes: most bytes in memory.
        overflow: what happens to the entry that does not fit.
        max_entries: the most that a peer may ask for as ``entries``.
        max_bytes: the same of ``bytes``.
        max_cache_entries: the same of ``cache_entries``.
        max_cache_bytes: the same of ``cache_bytes``.
    """

    entries: int = 1000
    bytes: int = 10_485_760
    cache_entries: int = 1000
    cache_bytes: int = 2_097_152
    overflow: Overflow = Overflow.DEAD_MESSAGE
    max_entries: int = 100_000
    max_bytes: int = 104_857_600
    max_cache_entries: int = 10_000
    max_cache_bytes: int = 16_777_216


NO_LIMIT = 2**62
_new = tuple.__new__


class CacheBudget:
    """What the queues of a node hold in memory together.

    Above it further entries are on disk only, as those above a queue's own cache are: a hundred thousand queues of
    clients that are away would each be small, and together more than the machine has.

    Args:
        most: bytes, as entries count for them.

    Attributes:
        used: of these.
    """

    __slots__ = ("most", "used")

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0


class Fanout:
    """What the copies of one message to the sessions of a subject have in common.

    The message goes back to the subject if none of them has got it when the last of them ends. So that this is known
    after a crash, the first that gets it has the copies of the others marked in the store (:data:`HAD`).

    Args:
        copies: sessions that hold a copy.

    Attributes:
        delivered: one of them has got it.
    """

    __slots__ = ("_stored", "copies", "delivered")

    def __init__(self, copies: int) -> None:
        self.copies = copies
        self.delivered = False
        self._stored: list[tuple[int, int, int, int]] = []

    @property
    def flags(self) -> int:
        """Of an entry that is made for a copy now."""
        return COPIED | HAD if self.delivered else COPIED

    def stored(self, queue_id: int, rank: int, seq: int, flags: int) -> None:
        """The store has a copy, under this key and with these flags."""
        if not self.delivered:
            self._stored.append((queue_id, rank, seq, flags))

    def deliver(self, store: IStore, queue_id: int) -> None:
        """A session has got its copy.

        Args:
            store: an :class:`broker.ports.IStore`.
            queue_id: of that session.
        """
        if self.delivered:
            return
        self.delivered = True
        for owner, rank, seq, flags in self._stored:
            if owner != queue_id:
                store.set_flags(owner, rank, seq, flags | HAD)
        self._stored.clear()


class Entry:
    """A queue's reference to a message.

    Args:
        message: the message.
        seq: unique within the node, ascending.
        size: bytes that it counts for.
        subscription_id: that caused it; ``__subId:PtP`` for point-to-point, empty in subject queues and histories.
        flags: of :mod:`broker.model.records`.
        fanout: set where other sessions of the subject got copies.
        redeliver: failed deliveries.

    Attributes:
        stored: whether the store has it.
        number: under which it is on its stream; 0 before that (:class:`broker.model.records.EntryRecord`).
    """

    __slots__ = (
        "fanout",
        "flags",
        "message",
        "number",
        "rank",
        "redeliver",
        "seq",
        "size",
        "stored",
        "subscription_id",
    )

    def __init__(
        self,
        message: Message,
        seq: int,
        size: int,
        subscription_id: str,
        flags: int,
        fanout: Fanout | None = None,
        redeliver: int = 0,
    ) -> None:
        self.message = message
        self.seq = seq
        self.rank = message.envelope.rank
        self.size = size
        self.subscription_id = subscription_id
        self.flags = flags
        self.redeliver = redeliver
        self.stored = False
        self.fanout = fanout
        self.number = 0


END = 2**63 - 1
"""Above the number of every entry."""


class Part(NamedTuple):
    """Entries of one rank that follow each other in a queue: in memory, or on disk only.

    Args:
        rank: under which the store has them.
        entries: in memory, in order; ``None`` for those on disk.
        after: on disk, those with higher numbers.
        before: and lower ones than this.
    """

    rank: int
    entries: list[Entry] | None
    after: int = -1
    before: int = END


class Judge(Protocol):
    """Knows which entries are not to be delivered any more.

    Attributes:
        erasures: how often messages were erased that may be queued.
        losses: counts messages that go without a word.
        settled_rows: entries that others have settled on disk.
    """

    erasures: int
    losses: Losses
    settled_rows: SettledRows

    def now(self) -> int:
        """Milliseconds since 1970."""

    def is_stale(self, entry: Entry) -> bool:
        """Whether an entry is not to be delivered any more."""

    def left_disk(self, row: EntryRecord) -> None:
        """An entry of :data:`NEWEST_ONLY` that was on disk only is settled, though nothing newer has come."""

    def count_stale(self, entries: Sequence[Entry]) -> None:
        """Count entries that are dropped because they are."""


def loaded(row: EntryRecord, message: Message, fanout: Fanout | None = None) -> Entry:
    """The entry of a row of the store, with its message."""
    message.stored += 1
    entry = Entry(message, row.seq, row.size, row.subscription_id, row.flags, fanout, row.redeliver)
    entry.rank = row.rank
    entry.number = row.number
    entry.stored = True
    return entry


def write(store: IStore, queue_id: int, rank: int, entry: Entry, *, held: bool = True) -> None:
    """Have an entry in the store, with its message unless an entry in memory vouches that the message is there.

    Args:
        store: an :class:`broker.ports.IStore`.
        queue_id: of the queue or history that holds it.
        rank: under which it is there.
        entry: that is not in the store.
        held: the entry stays in memory. Else nothing is known of it here any more (:attr:`Message.stored`).
    """
    message = entry.message
    record = None if message.stored else message.record()
    if held:
        message.stored += 1
    entry.stored = True
    if entry.fanout is not None:
        entry.fanout.stored(queue_id, rank, entry.seq, entry.flags)
    fields = (
        queue_id,
        rank,
        entry.seq,
        message.id,
        entry.subscription_id,
        entry.flags,
        entry.redeliver,
        entry.size,
        entry.number,
    )
    store.put_entry(_new(EntryRecord, fields), record)  # EntryRecord() would take twice the time
