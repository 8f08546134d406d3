"""Expiration of messages with a life time (spec xmlblaster §8.3)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from broker.core.history import History
from broker.core.message import Message
from broker.core.queues import Queue
from broker.errors import BrokerError
from broker.failpoints import reach
from broker.model.records import FIRST_EXPIRED, ExpiredPlace, ExpiredRecord
from broker.timers import cancel

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from broker.core.node import Node

log = Logger()

SWEEP_INTERVAL = 60_000
"""Milliseconds between looks for expired messages that are on disk only."""

LEAST_INTERVAL = 1000
"""Milliseconds between looks that somebody asks for because a queue is full."""

SWEEP_BATCH = 1000
SWEEP_BYTES = 1_048_576
"""Entries, and bytes of keys and QoS, that are read from disk at once; contents are not read at all."""


LEAST_HEAP = 1024
"""Messages that may wait for their time before it is looked which of them have left their history by themselves."""


class Expiry:
    """Drops messages from histories when their time is over, from queues too where ``forceDestroy`` says so.

    Args:
        node: shared state.
        on_expired: told the oid of a topic whose history shrank.
    """

    def __init__(self, node: Node, on_expired: Callable[[str], None]) -> None:
        self._node = node
        self._on_expired = on_expired
        self._heap: list[tuple[int, int, str]] = []
        self._most = LEAST_HEAP
        self._call: IDelayedCall | None = None
        self._sweep_call: IDelayedCall | None = None
        self._stopped = False
        self._sweeping = False
        self._waiting: list[Deferred[None]] = []
        self._swept = 0  # when the last sweep began, in milliseconds since 1970
        # What is behind has been dropped, or waits in a queue all the same.
        self._place: ExpiredPlace = FIRST_EXPIRED

    def add(self, message: Message) -> None:
        """Drop this message from its topic's history when it expires."""
        heapq.heappush(self._heap, (message.expires, message.id, message.oid))
        if len(self._heap) > self._most:
            self._forget_dropped()
        elif self._heap[0][1] == message.id:
            self._schedule()

    def start(self) -> None:
        """Look for expired messages on disk from now on."""
        self._stopped = False
        if not self._sweeping:
            self._sweep()

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        for call in (self._call, self._sweep_call):
            cancel(call)
        self._call = self._sweep_call = None
        self._heap.clear()

    def look(self) -> Deferred[None] | None:
        """Look for expired messages on disk now, because they may be in somebody's way.

        Returns:
            What fires when they are dropped; ``None`` where somebody has just looked.
        """
        if self._stopped or 0 <= self._node.now() - self._swept < LEAST_INTERVAL:
            return None
        looked: Deferred[None] = Deferred()
        self._waiting.append(looked)
        if not self._sweeping:
            cancel(self._sweep_call)
            self._sweep()
        return looked

    def _forget_dropped(self) -> None:
        """Keep only those that are in their history still: newer ones drop most of them long before their time."""
        kept: dict[str, set[int]] = {}
        for _, _, oid in self._heap:
            if oid not in kept:
                topic = self._node.topics.get(oid)
                kept[oid] = set() if topic is None else topic.history.ids
        self._heap = [each for each in self._heap if each[1] in kept[each[2]]]
        heapq.heapify(self._heap)
        self._most = max(LEAST_HEAP, 2 * len(self._heap))
        self._schedule()

    def _schedule(self) -> None:
        cancel(self._call)
        self._call = None
        if self._heap:
            self._call = self._node.later(max(0, self._heap[0][0] - self._node.now()), self._expire)

    def _expire(self) -> None:
        self._call = None
        now = self._node.now()
        while self._heap and self._heap[0][0] <= now:
            _, message_id, oid = heapq.heappop(self._heap)
            topic = self._node.topics.get(oid)
            if topic is not None:
                topic.history.expire_one(message_id)  # unless somebody has met it before
                reach("message expired")
                self._on_expired(oid)
        self._schedule()

    def _sweep(self) -> None:
        self._sweep_call = None
        self._sweeping = True
        now = self._node.now()
        if now < self._swept:  # the clock was set back, and messages may expire that sort before those that have
            self._place = FIRST_EXPIRED
        self._swept = now
        work = ensureDeferred(self._sweep_store(now))
        work.addErrback(lambda failure: log.failure("expired messages cannot be read", failure))
        work.addBoth(self._sweep_ended)

    def _sweep_ended(self, _: Any) -> None:
        self._sweeping = False
        if not self._stopped:
            self._sweep_call = self._node.later(SWEEP_INTERVAL, self._sweep)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    async def _sweep_store(self, now: int) -> None:
        """Go through what has expired since the last time, slice by slice.

        Each entry is met once: it is dropped, or stays in its queue because it is delivered all the same, or is in
        memory, where its queue drops it.
        """
        while not self._stopped:
            with self._node.settled_rows.reading():
                rows = await self._node.store.read_expired(now, SWEEP_BATCH, SWEEP_BYTES, self._place)
                if not rows:
                    return
                for row in rows:
                    self._place = row.place
                    try:
                        await self._drop(row)
                    except BrokerError as error:  # it stays where it is, and those behind it are dropped all the same
                        log.error(
                            "expired message {message} cannot be dropped: {reason}",
                            message=row.entry.message_id,
                            reason=str(error),
                        )

    async def _drop(self, row: ExpiredRecord) -> None:
        node = self._node
        queue = node.queues.get(row.entry.queue_id)
        if isinstance(queue, History):
            if not queue.settle_unread(row.entry):
                if queue.unread:
                    await queue.load()
                queue.expire_one(row.entry.message_id)
            self._on_expired(row.oid)
        elif isinstance(queue, Queue) and node.stored_envelope(row.sender, row.key, row.qos).qos.force_destroy:
            node.losses.expired += queue.settle_swapped(row.entry)
            queue.drop_stale()
