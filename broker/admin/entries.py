"""Looking at the entries of a queue, and taking them out, from outside of its delivery (spec xmlblaster §12.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater

from broker.admin.queue_query import QueueQuery
from broker.core.broker import Broker
from broker.core.entries import Entry
from broker.core.message import Message
from broker.core.node import Node
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.topics import Topic


class Source(Protocol):
    """Something that messages can be had from."""

    def available(self) -> int:
        """How many messages there are."""

    def arrival(self) -> Deferred[None]:
        """Fires when one more arrives, within the call that brings it; may be cancelled."""

    async def peek(self, count: int) -> list[Message]:
        """Look at messages."""

    async def take(self, count: int) -> list[Message]:
        """Take messages out."""


class QueueSource:
    """The queue of a session or login name, in order of delivery.

    Of entries that are on disk, only as many are looked at as come into memory; all of them can be taken.

    Args:
        node: that the queue belongs to.
        queue: the queue.
        in_flight: tells how many entries are being delivered, and so out of reach.
        taken: called after entries were taken.
    """

    def __init__(self, node: Node, queue: Queue, in_flight: Callable[[], int], taken: Callable[[], None]) -> None:
        self._node = node
        self._queue = queue
        self._in_flight = in_flight
        self._taken = taken

    def available(self) -> int:
        """How many entries are not being delivered."""
        return len(self._queue) - self._in_flight()

    def arrival(self) -> Deferred[None]:
        """Fires when an entry is put."""
        return self._queue.arrival()

    async def peek(self, count: int) -> list[Message]:
        """Look at the next messages."""
        await self._queue.load()
        return [entry.message for entry in self._queue.peek(count) if not self._node.is_stale(entry)]

    async def take(self, count: int) -> list[Message]:
        """Take the next messages; nobody else gets them, whether or not the answer arrives."""
        entries = await take(self._node, self._queue, count, self._node.settings.max_answer_bytes)
        self._taken()
        return [entry.message for entry in entries]


class HistorySource:
    """The history of a topic.

    Args:
        broker: the core.
        session: who asks.
        topic: the topic.
        newest_first: the order.
    """

    def __init__(self, broker: Broker, session: Session, topic: Topic, *, newest_first: bool) -> None:
        self._broker = broker
        self._session = session
        self._topic = topic
        self._newest_first = newest_first

    def available(self) -> int:
        """How many messages the history holds."""
        return len(self._topic.history)

    def arrival(self) -> Deferred[None]:
        """Fires when a message is put."""
        return self._topic.history.arrival()

    async def peek(self, count: int) -> list[Message]:
        """Look at the newest or oldest messages."""
        messages = await self._topic.history.latest(count if self._newest_first else -1)
        if not self._newest_first:
            messages = messages[::-1][:count]
        self._broker.check_answer(sum(len(message.content) for message in messages))
        return messages

    async def take(self, count: int) -> list[Message]:
        """Take the newest or oldest messages out of the history; queues that hold them still deliver them."""
        return self._broker.take(self._session, self._topic, await self.peek(count))


async def take(node: Node, queue: Queue, count: int, max_bytes: int | None = None) -> list[Entry]:
    """Take entries out of a queue that are not being delivered, and be done with them.

    Args:
        node: that the queue belongs to.
        queue: the queue.
        count: at most so many.
        max_bytes: no more where these have so many bytes, as entries count for them; ``None`` for no such limit.

    Returns:
        The entries, without those that nobody may get any more.
    """
    taken: list[Entry] = []
    size = 0
    while len(taken) < count:
        await queue.load()
        following = queue.peek(1)
        if max_bytes is not None and taken and following and size + following[0].size > max_bytes:
            break
        entries = queue.take(count - len(taken), -1 if max_bytes is None else max_bytes - size)
        if not entries:
            break
        queue.delivered(entries)
        fresh = [entry for entry in entries if not node.is_stale(entry)]
        size += sum(entry.size for entry in fresh)
        taken += fresh
    return taken


async def fetch(source: Source, query: QueueQuery, clock: Any) -> list[Message]:
    """Get messages, and wait for them where the query says so.

    Args:
        source: of the messages.
        query: what is wanted.
        clock: an ``IReactorTime``.

    Returns:
        As many as there are, at most as many as were asked for.
    """
    deadline = clock.seconds() + query.waiting / 1000
    while source.available() < query.entries and clock.seconds() < deadline:
        arrival = source.arrival()
        arrival.addTimeout(deadline - clock.seconds(), clock)
        try:
            await arrival
        except TimeoutError:
            break
        await deferLater(clock, 0)  # the call that brought the entry is still under way
    return await (source.take if query.consumable else source.peek)(query.entries)
