"""What administrators do with entries that wait in queues: move, put at the end, or delete them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from broker.core.entries import Entry, loaded
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.key import PTP_SUBSCRIPTION, Key, is_administrative, is_system_topic
from broker.model.records import DELAYED, EPHEMERAL, FOR_SUBJECT, TRANSIENT, EntryRecord, MessageRecord

if TYPE_CHECKING:
    from broker.core.dead_letters import DeadLetters
    from broker.core.node import Node
    from broker.core.registry import SessionRegistry

SLICE = 200
"""Entries that are changed in one turn, and so in one commit: others hardly notice."""
READ_AT_ONCE = 1000
"""Entries that are read from disk in one go."""
READ_BYTES = 8 * 1024 * 1024
"""What these may count for before no more are read from disk."""
DELETED = "an administrator has deleted it from the queue"

Owner = Session | Subject
Wanted = Callable[[Entry], bool]


@dataclass(slots=True)
class Progress:
    """What was done so far.

    Attributes:
        done: entries.
        skipped_in_flight: entries that were on their way, and so out of reach.
        failed: entries that could not be read, or are of use to nobody else; they stay.
        stopped: no more are done.
    """

    done: int = 0
    skipped_in_flight: int = 0
    failed: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Matched:
    """What would be done.

    Args:
        entries: that wait and are wanted.
        bytes: that they count for.
        in_flight: entries that are wanted and on their way.
    """

    entries: int
    bytes: int
    in_flight: int


Put = Callable[[Entry], None]
"""Puts an entry elsewhere, which leaves its queue in the same commit."""


class QueueControl:
    """Changes the entries of queues, a slice of them in each commit.

    After a crash each entry is in exactly one queue. What is on its way to a client is left alone.

    Args:
        node: shared state.
        registry: of the sessions.
        letters: for what becomes a dead message.
    """

    def __init__(self, node: Node, registry: SessionRegistry, letters: DeadLetters) -> None:
        self._node = node
        self._registry = registry
        self._letters = letters

    async def count(self, owner: Owner, wanted: Wanted) -> Matched:
        """What a change would meet; nothing changes.

        Args:
            owner: whose queue it is.
            wanted: tells which entries; those on disk have no content.
        """
        queue = owner.queue
        in_flight = sum(1 for entry in outstanding(owner) if wanted(entry))
        entries = size = 0
        for part in queue.parts():
            if part.entries is not None:
                found = [entry for entry in part.entries if wanted(entry)]
                entries, size = entries + len(found), size + sum(entry.size for entry in found)
                continue
            after = part.after
            while rows := await self._node.store.read_headers(queue.id, part.rank, after, READ_AT_ONCE):
                for row, record in rows:
                    after = row.seq
                    message = self._node.revive(record)
                    if message is not None and wanted(loaded(row, message)):
                        entries, size = entries + 1, size + row.size
        return Matched(entries, size, in_flight)

    async def move(self, owner: Owner, wanted: Wanted, target: Owner, progress: Progress) -> None:
        """Move entries behind those of another queue, with their priority and the deliveries that have failed.

        What is of no use to anybody but the client that it is for stays.

        Args:
            owner: whose queue it is.
            wanted: tells which entries.
            target: whose queue gets them, as far as it has room.
            progress: is kept up to date.
        """

        def put(entry: Entry) -> None:
            fanout = entry.fanout or self._node.fanouts.get(entry.seq)
            if fanout is not None:
                fanout.copies -= 1
            message = entry.message
            if self._node.trace is not None:
                name = target.name.relative if isinstance(target, Session) else f"client/{target.name}"
                self._node.trace(Point.MOVED, message, name)
            durable = message.envelope.persistent and not _is_guest(target)
            if isinstance(target, Subject):
                self._registry.subject_queues.put(target, entry, durable)
                return
            if durable and not target.stored:
                self._registry.save(target)
            flags = DELAYED | (FOR_SUBJECT if isinstance(owner, Subject) else entry.flags & FOR_SUBJECT)
            target.queue.put(message, PTP_SUBSCRIPTION, flags, durable, redeliver=entry.redeliver)

        def fits(entries: Sequence[Entry]) -> int:
            if not self._is_there(target):
                progress.stopped = True
                return 0
            free_entries, free_bytes = target.queue.space
            count = 0
            for entry in entries:
                if count >= free_entries or free_bytes <= 0:
                    progress.stopped = True
                    break
                count, free_bytes = count + 1, free_bytes - entry.size
            return count

        await self._each(owner, wanted, put, progress, fits=fits, keeps_own=True)
        self._wake(target)
        self._wake(owner)

    def check_oid(self, oid: str) -> None:
        """Refuse the oid of a topic that entries cannot be published on.

        Raises:
            BrokerError: ``user.illegalArgument`` where it is reserved for the broker itself.
        """
        if is_administrative(oid) or is_system_topic(oid) or oid in self._node.raw_contents:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{oid[:200]}' is reserved for the broker itself", oid)

    async def publish(self, owner: Owner, wanted: Wanted, oid: str, progress: Progress) -> None:
        """Take entries out of a queue and publish their messages on a topic, from their senders.

        What is of no use to anybody but the client that it is for stays.

        Args:
            owner: whose queue it is.
            wanted: tells which entries.
            oid: of the topic; it is made where there is none.
            progress: is kept up to date.

        Raises:
            BrokerError: ``user.illegalArgument`` for an oid that is reserved for the broker itself;
                ``resource.exhaust`` where there are too many topics.
        """
        self.check_oid(oid)
        node = self._node
        topic = node.topic(oid)

        def put(entry: Entry) -> None:
            message = entry.message
            content, mime = message.content, message.key.mime
            if message.envelope.neutral is not None:  # only one tongue understands it
                content, mime = message.envelope.neutral(content)
            qos = replace(message.qos, destinations=(), subscribable=True)
            key = topic.key or Key(oid, mime=mime)
            if self._letters.publish is not None:
                self._letters.publish(node.message(node.envelope(key, qos), content))

        await self._each(owner, wanted, put, progress, keeps_own=True)
        node.check_topic(topic)
        self._wake(owner)

    async def requeue(self, owner: Owner, wanted: Wanted, priority: int | None, progress: Progress) -> None:
        """Put entries behind all others of their priority, or of another one.

        Args:
            owner: whose queue it is.
            wanted: tells which entries.
            priority: 0 to 9; ``None`` for that which each has.
            progress: is kept up to date.
        """

        def put(entry: Entry) -> None:
            rank = entry.rank if priority is None else 9 - priority
            durable = entry.stored and not entry.flags & TRANSIENT
            fanout = entry.fanout or self._node.fanouts.get(entry.seq)
            flags = entry.flags & ~TRANSIENT
            owner.queue.put(
                entry.message, entry.subscription_id, flags, durable, fanout, redeliver=entry.redeliver, rank=rank
            )

        await self._each(owner, wanted, put, progress)
        self._wake(owner)

    async def delete(self, owner: Owner, wanted: Wanted, progress: Progress, *, dead: bool) -> None:
        """Delete entries.

        Args:
            owner: whose queue it is.
            wanted: tells which entries.
            progress: is kept up to date.
            dead: they become dead messages; else nothing is left of them.
        """
        error = BrokerError(Code.USER_UPDATE_DEAD_MESSAGE, DELETED)
        name = owner.name.absolute if isinstance(owner, Session) else self._node.session_name(owner.name).absolute

        def put(entry: Entry) -> None:
            if dead:
                self._letters.message(entry.message, name, error)

        await self._each(owner, wanted, put, progress, contents=dead)
        self._wake(owner)

    async def _each(
        self,
        owner: Owner,
        wanted: Wanted,
        put: Put,
        progress: Progress,
        *,
        fits: Callable[[Sequence[Entry]], int] = len,
        keeps_own: bool = False,
        contents: bool = True,
    ) -> None:
        """Take all entries that wait now and are wanted out of a queue.

        Args:
            owner: whose queue it is.
            wanted: tells which entries.
            put: is called with each of them, before it leaves the queue.
            progress: is kept up to date.
            fits: tells how many of a slice, from the first on, can be put.
            keeps_own: what is of no use to anybody but the client stays.
            contents: are needed of messages on disk.
        """
        node, queue = self._node, owner.queue
        end = node.next_entry()  # what comes from now on is left alone
        progress.skipped_in_flight += sum(1 for entry in outstanding(owner) if wanted(entry))

        def is_wanted(entry: Entry) -> bool:
            if entry.seq >= end or not wanted(entry) or node.is_stale(entry):  # what is stale goes by itself
                return False
            if entry.number:  # it was sent before a crash, and may have arrived
                progress.skipped_in_flight += 1
                return False
            if keeps_own and entry.flags & EPHEMERAL:
                progress.failed += 1
                return False
            return True

        for part in queue.parts():
            if part.entries is not None:
                found = iter([entry for entry in part.entries if is_wanted(entry)])
                while self._goes_on(owner, progress) and (some := list(islice(found, SLICE))):
                    self._take_from_memory(queue, some, put, fits, progress)
                    await self._next_turn()
                continue
            after = part.after
            while self._goes_on(owner, progress) and after < end:
                with node.settled_rows.reading():
                    rows = iter(await self._read(queue, part.rank, after, contents=contents))
                    some_rows = list(islice(rows, SLICE))
                    if not some_rows:
                        break
                    while some_rows and self._goes_on(owner, progress):
                        after = some_rows[-1][0].seq
                        self._take_from_disk(queue, some_rows, is_wanted, put, fits, progress)
                        await self._next_turn()
                        await queue.has_read()
                        some_rows = list(islice(rows, SLICE))

    async def _read(
        self, queue: Queue, rank: int, after: int, *, contents: bool
    ) -> list[tuple[EntryRecord, MessageRecord]]:
        store = self._node.store
        if store.failure is not None:
            raise store.failure
        if contents:
            rows = await store.read_entries(queue.id, rank, after, READ_AT_ONCE, READ_BYTES)
        else:
            rows = await store.read_headers(queue.id, rank, after, READ_AT_ONCE)
        await queue.has_read()
        return rows

    def _take_from_memory(
        self,
        queue: Queue,
        entries: Sequence[Entry],
        put: Put,
        fits: Callable[[Sequence[Entry]], int],
        progress: Progress,
    ) -> None:
        seqs = {entry.seq for entry in entries[: fits(entries)]}
        taken = queue.take_matching(lambda entry: entry.seq in seqs)
        progress.skipped_in_flight += len(seqs) - len(taken)  # they have left meanwhile
        for entry in taken:
            put(entry)
        reach("entries put")
        queue.settle(taken)
        progress.done += len(taken)

    def _take_from_disk(
        self,
        queue: Queue,
        rows: Sequence[tuple[EntryRecord, MessageRecord]],
        is_wanted: Wanted,
        put: Put,
        fits: Callable[[Sequence[Entry]], int],
        progress: Progress,
    ) -> None:
        waiting: list[tuple[EntryRecord, Entry]] = []
        loaded_meanwhile: list[Entry] = []
        for row, record in rows:
            message = self._node.revive(record)
            if message is None:
                progress.failed += 1
                continue
            entry = loaded(row, message)
            if not is_wanted(entry):
                continue
            if queue.is_on_disk(row):
                waiting.append((row, entry))
            else:
                loaded_meanwhile.append(entry)
        if loaded_meanwhile:
            self._take_from_memory(queue, loaded_meanwhile, put, fits, progress)
        for row, entry in waiting[: fits([entry for _, entry in waiting])]:
            put(entry)
            queue.settle_swapped(row)
            entry.message.stored -= 1  # it was on disk, and is not any more
            progress.done += 1
        reach("entries put")

    def _goes_on(self, owner: Owner, progress: Progress) -> bool:
        """Whether there is more to do: not where it is stopped, or the owner has gone, and its entries with it."""
        if not self._is_there(owner):
            progress.stopped = True
        return not progress.stopped

    def _is_there(self, owner: Owner) -> bool:
        """Whether a session has not ended, or a login name is known."""
        if isinstance(owner, Session):
            return not owner.ended
        return self._node.subjects.get(owner.name) is owner

    def _wake(self, owner: Owner) -> None:
        if isinstance(owner, Session):
            owner.dispatch.wake()
            return
        for session in owner.receivers:
            self._registry.subject_queues.deliver(session)
        self._node.release_subject(owner)

    def _next_turn(self) -> Deferred[None]:
        turn: Deferred[None] = Deferred()
        self._node.later(0, lambda: turn.callback(None))
        return turn


def outstanding(owner: Owner) -> Sequence[Entry]:
    """The entries of a session's queue that are on their way; none for a login name."""
    return owner.dispatch.outstanding if isinstance(owner, Session) else ()


def _is_guest(owner: Owner) -> bool:
    return owner.subject.guest if isinstance(owner, Session) else owner.guest
