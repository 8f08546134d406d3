"""Requests that wait for a connection (the "tail-back queue" of spec xmlblaster §19.1)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred

from broker.client.unacknowledged import Unacknowledged
from broker.errors import BrokerError, Code
from broker.native.codec import read_key, read_query_key
from broker.native.wire.frames import Frame, Kind, Unit

PUBLISH = b"publish"


class Request:
    """A request that is sent now or later, until it is answered.

    Args:
        method: of the protocol.
        body: encoded units.
        priority: 0 to 9; higher ones are sent first.

    Attributes:
        number: order among requests of one priority.
        answer: fires with the answer; ``None`` where the program was told that the request waits.
        settled: called with the answer, or with ``None`` where there will be none, before the program is told.
        closed: connections that ended while the request waited for its answer on them.
        abandoned: nobody wants it to be sent (again).
    """

    __slots__ = ("abandoned", "answer", "body", "closed", "method", "number", "priority", "settled")

    def __init__(self, method: bytes, body: bytes, priority: int) -> None:
        self.method = method
        self.body = body
        self.priority = priority
        self.number = 0
        self.answer: Deferred[list[Unit]] | None = None
        self.settled: Callable[[list[Unit] | None], None] | None = None
        self.closed = 0
        self.abandoned = False

    def __lt__(self, other: Request) -> bool:
        return (-self.priority, self.number) < (-other.priority, other.number)

    def abandon(self, _: object = None) -> None:
        """Do not send it (again), and tell nobody of its outcome."""
        self.abandoned = True

    def unacknowledged(self, error: BrokerError | None = None) -> list[Unacknowledged]:
        """What is lost with this request, message by message.

        Args:
            error: why it will not be sent any more.
        """
        method = self.method.decode()
        units = Frame(Kind.INVOKE, b"", self.method, b"", self.body).units()
        if self.method == PUBLISH:
            return [Unacknowledged(method, read_key(unit.key).oid, unit.content, error) for unit in units]
        keys = [read_query_key(unit.key) for unit in units]
        return [Unacknowledged(method, key.oid or key.text or key.domain, error=error) for key in keys]


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

    def __iter__(self) -> Iterator[Request]:
        return iter(sorted(self._heap))

    def put(self, request: Request, beside: int = 0) -> None:
        """Let a request wait.

        Args:
            request: that waits.
            beside: others that count for the limit.

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` where too many wait; one that was sent before always may.
        """
        if not request.number:
            waiting = len(self._heap) + beside
            if waiting >= self._most:
                raise BrokerError(Code.RESOURCE_OVERFLOW_ENTRIES, f"{waiting} requests wait for a connection already")
            self.number(request)
        heapq.heappush(self._heap, request)

    def number(self, request: Request) -> None:
        """Give a request that is sent at once its place, in case it comes back."""
        self._last += 1
        request.number = self._last

    def first(self) -> Request | None:
        """The request that is to be sent next."""
        while self._heap and self._heap[0].abandoned:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def take(self) -> Iterator[Request]:
        """Take all, in the order in which they are to be sent."""
        while self._heap:
            yield heapq.heappop(self._heap)
