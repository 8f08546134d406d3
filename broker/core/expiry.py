"""Expiration of messages with a life time (spec xmlblaster §8.3)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from broker.core.history import History
from broker.core.message import Message
from broker.core.queues import Queue
from broker.failpoints import reach

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from broker.core.node import Node

log = Logger()

SWEEP_INTERVAL = 60_000
"""Milliseconds between looks for expired messages that are on disk only."""

SWEEP_BATCH = 1000


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
        self._call: IDelayedCall | None = None
        self._sweep_call: IDelayedCall | None = None

    def add(self, message: Message) -> None:
        """Drop this message from its topic's history when it expires."""
        heapq.heappush(self._heap, (message.expires, message.id, message.oid))
        if self._heap[0][1] == message.id:
            self._schedule()

    def start(self) -> None:
        """Look for expired messages on disk from now on."""
        self._sweep()

    def stop(self) -> None:
        """Look no more."""
        for call in (self._call, self._sweep_call):
            if call is not None and call.active():
                call.cancel()
        self._call = self._sweep_call = None
        self._heap.clear()

    def _schedule(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        if self._heap:
            self._call = self._node.later(max(0, self._heap[0][0] - self._node.now()), self._expire)

    def _expire(self) -> None:
        self._call = None
        now = self._node.now()
        while self._heap and self._heap[0][0] <= now:
            _, message_id, oid = heapq.heappop(self._heap)
            topic = self._node.topics.get(oid)
            if topic is not None and topic.history.discard(message_id):
                reach("message expired")
                self._on_expired(oid)
        self._schedule()

    def _sweep(self) -> None:
        self._sweep_call = None
        work = ensureDeferred(self._sweep_store())
        work.addErrback(lambda failure: log.failure("expired messages can not be read", failure))
        work.addBoth(self._sweep_ended)

    def _sweep_ended(self, _: Any) -> None:
        self._sweep_call = self._node.later(SWEEP_INTERVAL, self._sweep)

    async def _sweep_store(self) -> None:
        rows = await self._node.store.read_expired(self._node.now(), SWEEP_BATCH)
        for row, record in rows:
            queue = self._node.queues.get(row.queue_id)
            if isinstance(queue, History):
                if queue.unread:
                    await queue.load()
                if queue.discard(record.id):
                    self._on_expired(record.oid)
            elif isinstance(queue, Queue):
                message = self._node.revive(record)
                if message is not None and message.qos.force_destroy:
                    queue.settle_swapped(row)
