"""Requests that wait for a connection (the "tail-back queue" of spec xmlblaster §19.1)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from twisted.internet.defer import Deferred

from broker.errors import BrokerError, Code
from broker.native.wire.frames import Unit


class Request:
    """A request that is sent now or later, until it is answered.

    Args:
        method: of the protocol.
        body: encoded units.
        priority: 0 to 9; higher ones are sent first.

    Attributes:
        number: order among requests of one priority.
        answer: fires with the answer; ``None`` where nobody waits.
    """

    __slots__ = ("answer", "body", "method", "number", "priority")

    def __init__(self, method: bytes, body: bytes, priority: int) -> None:
        self.method = method
        self.body = body
        self.priority = priority
        self.number = 0
        self.answer: Deferred[list[Unit]] | None = None

    def __lt__(self, other: Request) -> bool:
        return (-self.priority, self.number) < (-other.priority, other.number)


class RequestQueue:
    """Requests by priority, then in order; what comes back after a lost connection keeps its place.

    Args:
        most: requests that may wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[Request] = []
        self._last = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, request: Request) -> None:
        """Let a request wait.

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` where too many wait; one that was sent before always may.
        """
        if not request.number:
            if len(self._heap) >= self._most:
                raise BrokerError(
                    Code.RESOURCE_OVERFLOW_ENTRIES, f"{len(self._heap)} requests wait for a connection already"
                )
            self._last += 1
            request.number = self._last
        heapq.heappush(self._heap, request)

    def number(self, request: Request) -> None:
        """Give a request that is sent at once its place, in case it comes back."""
        self._last += 1
        request.number = self._last

    def take(self) -> Iterator[Request]:
        """Take all, in the order in which they are to be sent."""
        while self._heap:
            yield heapq.heappop(self._heap)
