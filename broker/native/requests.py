"""The requests of one connection: served one after the other, in order, in turns with those of others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred

from broker.core.quotas import Usage
from broker.native.wire.frames import Frame, FrameReader
from broker.net.read_pauses import Pause
from broker.net.turns import GivesWay

LARGE = 1024 * 1024
"""Bytes of a request that waits for a turn of its own where to read it took all of one."""


class RequestQueue:
    """Requests that have come and are not served (spec xmlblaster §24 fact 5).

    Args:
        connection: that they come over; nothing is read from it while too many wait.
        begin: begins with a request; returns what fires when the next one may begin, or ``None`` where it may at once.
        most: requests that may wait; those that have come with the last of them may be more.
        reader: that cuts the requests.
        most_bytes: that may come while requests wait.

    Attributes:
        add: takes a request that has come; :meth:`run` is to be called behind all that came with it.
        blocked: the answer to the next one cannot be written, so it is not served.
        on_idle: called whenever there is nothing more to serve.
    """

    __slots__ = (
        "_asked",
        "_begin",
        "_busy",
        "_connection",
        "_empty_at",
        "_held",
        "_most",
        "_most_bytes",
        "_reader",
        "_running",
        "_size",
        "_usage",
        "_waiting",
        "add",
        "blocked",
        "on_idle",
    )

    def __init__(
        self,
        connection: GivesWay,
        begin: Callable[[Frame], Deferred[None] | None],
        most: int,
        reader: FrameReader,
        most_bytes: int,
    ) -> None:
        self.blocked = False
        self.on_idle: Callable[[], None] | None = None
        self._connection = connection
        self._begin = begin
        self._most = most
        self._reader = reader
        self._most_bytes = most_bytes
        self._empty_at = 0  # bytes of the stream that had come when nothing waited
        self._size = 0  # bytes that have come since
        self._usage = Usage()
        self._waiting: deque[Frame] = deque()
        self.add: Callable[[Frame], None] = self._waiting.append
        self._busy = False
        self._running = False
        self._held = False
        self._asked = False

    def __len__(self) -> int:
        return len(self._waiting)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._count(0)

    def run(self) -> None:
        """Serve what waits, until a request takes its time, no answer can be written, or the turn is over."""
        waiting, connection = self._waiting, self._connection
        if waiting and len(waiting[0].body) > LARGE and connection.turn_is_over and not self._asked:
            self._ask()
        self._serve()

    def _serve(self) -> None:
        waiting, connection = self._waiting, self._connection
        if not self._busy and not self._running and not self._asked:
            self._running = True
            try:
                while waiting and not self.blocked:
                    work = self._begin(waiting.popleft())
                    if work is not None:
                        self._busy = True
                        work.addBoth(self._done)  # at once, where the request did not wait for anything
                        if self._busy:
                            break
                    if waiting and connection.turn_is_over:
                        self._ask()
                        break
            finally:
                self._running = False
        came = self._reader.consumed
        if not waiting:
            self._empty_at = came
        size = came - self._empty_at
        if size != self._size:
            self._count(size)
        if len(waiting) >= self._most or size > self._most_bytes or (size and self._usage.has_too_many_waiting):
            self._held = True
            connection.hold(Pause.REQUESTS_WAITING)
        elif self._held and len(waiting) <= self._most // 2:
            self._held = False
            connection.release(Pause.REQUESTS_WAITING)
        if self.on_idle is not None and not waiting and not self._busy and not self._running:
            self.on_idle()

    def belong(self, usage: Usage) -> None:
        """The client has logged in: all connections of its account share how many bytes may wait."""
        size = self._size
        self._count(0)
        self._usage = usage
        self._count(size)

    def _count(self, size: int) -> None:
        self._usage.waiting_bytes += size - self._size
        self._size = size

    def turn(self) -> None:
        """It is the connection's turn."""
        self._asked = False
        self._serve()

    def _ask(self) -> None:
        """Give way; what comes before the turn does not shorten the way to it."""
        self._asked = True
        self._connection.ask_for_turn()

    def _done(self, _: object) -> None:
        self._busy = False
        if self._waiting and not self._running:
            self._ask()
        elif not self._running:
            self.run()
