"""Looking at the entries of a queue or history, without any trace: nothing is loaded, taken or marked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from broker.core.cached_entries import CachedEntries
from broker.core.entries import END, Entry, Part
from broker.core.history import History
from broker.errors import BrokerError
from broker.model.records import EntryRecord, MessageRecord

if TYPE_CHECKING:
    from broker.core.node import Node

READ_AT_ONCE = 100
"""Entries that are read from disk in one go, with contents; without them ten times as many."""
MAX_READ_BYTES = 8 * 1024 * 1024
"""What these may count for before no more are read."""


class Place(NamedTuple):
    """Where an entry stands, by which all are ordered.

    Args:
        rank: under which the store has it; the lowest is delivered first.
        seq: number of the entry.
    """

    rank: int
    seq: int


class Peeked(NamedTuple):
    """An entry that was looked at.

    Args:
        place: of it.
        entry: itself, or one like it where it is on disk; ``None`` where its message cannot be read.
        in_memory: it is.
        error: why its message cannot be read.
    """

    place: Place
    entry: Entry | None
    in_memory: bool
    error: str = ""


async def peek(
    node: Node, queue: CachedEntries | History, outstanding: Iterable[Entry], start: Place | None, *, contents: bool
) -> AsyncIterator[Peeked]:
    """Entries in order of delivery; those of a history with the oldest first.

    Args:
        node: that it belongs to.
        queue: the queue.
        outstanding: entries of it that are being delivered.
        start: goes on behind this place; ``None`` for the first entry.
        contents: read those of messages that are on disk; else they are empty.

    Raises:
        BrokerError: the store cannot be asked now.
    """
    first = Place(-1, -1) if start is None else start
    for part in _parts(queue, outstanding):
        if part.rank < first.rank:
            continue
        behind = first.seq if part.rank == first.rank else -1
        if part.entries is not None:
            for entry in part.entries:
                if entry.seq > behind:
                    yield Peeked(Place(part.rank, entry.seq), entry, True)
            continue
        after = max(part.after, behind)
        while after < part.before - 1:
            rows = await _read(node, queue.id, part.rank, after, contents=contents)
            if not rows:
                break
            for row, record in rows:
                after = row.seq
                if after >= part.before:
                    break
                yield _peeked(node, part.rank, row, record)


async def peek_back(
    node: Node, queue: CachedEntries | History, outstanding: Iterable[Entry], start: Place | None, *, contents: bool
) -> AsyncIterator[Peeked]:
    """As :func:`peek`, in the opposite order: the last one first."""
    first = Place(END, END) if start is None else start
    for part in reversed(_parts(queue, outstanding)):
        if part.rank > first.rank:
            continue
        ahead = first.seq if part.rank == first.rank else END
        if part.entries is not None:
            for entry in reversed(part.entries):
                if entry.seq < ahead:
                    yield Peeked(Place(part.rank, entry.seq), entry, True)
            continue
        before = min(part.before, ahead)
        while before > part.after + 1:
            _check_store(node)
            rows = await node.store.read_back(queue.id, part.rank, before, READ_AT_ONCE, MAX_READ_BYTES)
            if not rows:
                break
            for row, record in rows:
                before = row.seq
                if before <= part.after:
                    break
                yield _peeked(node, part.rank, row, record)


def _parts(queue: CachedEntries | History, outstanding: Iterable[Entry]) -> list[Part]:
    if isinstance(queue, History):
        return queue.parts()
    parts = queue.parts()
    taken = sorted(outstanding, key=lambda entry: (entry.rank, entry.seq))
    parts += [Part(rank, list(entries)) for rank, entries in groupby(taken, key=lambda entry: entry.rank)]
    merged: list[Part] = []
    for rank, group in groupby(sorted(parts, key=lambda part: part.rank), key=lambda part: part.rank):
        of_rank = list(group)
        memory = [entry for part in of_rank for entry in part.entries or ()]
        merged.append(Part(rank, sorted(memory, key=lambda entry: entry.seq)))
        merged += [part for part in of_rank if part.entries is None]
    return merged


async def _read(
    node: Node, queue_id: int, rank: int, after: int, *, contents: bool
) -> list[tuple[EntryRecord, MessageRecord]]:
    _check_store(node)
    store = node.store
    if contents:
        return await store.read_entries(queue_id, rank, after, READ_AT_ONCE, MAX_READ_BYTES)
    return await store.read_headers(queue_id, rank, after, READ_AT_ONCE * 10)


def _check_store(node: Node) -> None:
    """Refuse rather than wait for a store that fails."""
    if node.store.failure is not None:
        raise node.store.failure


def _peeked(node: Node, rank: int, row: EntryRecord, record: MessageRecord) -> Peeked:
    place = Place(rank, row.seq)
    try:
        message = node.message_of(record)
    except BrokerError as error:
        return Peeked(place, None, False, str(error))
    entry = Entry(message, row.seq, row.size, row.subscription_id, row.flags, None, row.redeliver)
    entry.rank, entry.number, entry.stored = row.rank, row.number, True
    return Peeked(place, entry, False)
