"""Server-sent events (HTML Living Standard §9.2): an answer that goes on, event by event, until one side ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from broker.timers import cancel

EVENT_TYPE = "text/event-stream"
RETRY = 2000
"""Milliseconds after which a client that lost the stream is to come back."""
COMMENT_INTERVAL = 15.0
"""Seconds without an event after which a comment is sent, so that nothing in between takes the stream for dead."""
MAX_WAITING = 256 << 10
"""Bytes that wait for a client that does not read."""


class Output(Protocol):
    """What a stream is written to: a request that is being answered."""

    def write(self, data: bytes) -> None:
        """Write."""

    def finish(self) -> None:
        """Nothing more comes."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell the producer when to pause."""

    def unregisterProducer(self) -> None:
        """Tell it no more."""


@implementer(IPushProducer)
class EventStream:
    """One stream.

    While its client does not read, events wait: of those with the same key the newest, and of all of them no more than
    :data:`MAX_WAITING` bytes. Then the client is told how many it did not get.

    Args:
        clock: calls it.
        ended: called once, when it is over.
    """

    def __init__(self, clock: IReactorTime, ended: Callable[[EventStream], None]) -> None:
        self._clock = clock
        self._ended = ended
        self._output: Output | None = None
        self._is_over = False
        self._paused = True
        self._number = 0
        self._skipped = 0
        self._size = 0
        self._waiting: dict[tuple[str, str], bytes] = {}
        self._call: IDelayedCall | None = None

    def begin(self, output: Output) -> None:
        """Write to a request whose header is sent."""
        if self._is_over:
            output.finish()
            return
        self._output = output
        output.write(f"retry: {RETRY}\n\n".encode())
        self._paused = False
        output.registerProducer(self, True)
        self._send_waiting()
        self._call = self._clock.callLater(COMMENT_INTERVAL, self._keep_alive)

    def tell(self, event: str, data: bytes, key: str = "", id: str = "") -> None:
        """Send an event.

        Args:
            event: its type.
            data: one line.
            key: of what it tells of; a later event of the same type and key makes it worthless. Empty: none does.
            id: that a client which comes back names as the last that it got; by default a number.
        """
        if self._is_over:
            return
        self._number += 1
        lines = (b"id: %s" % (id or str(self._number)).encode(), b"event: %s" % event.encode(), b"data: %s" % data)
        frame = b"\n".join([*lines, b"", b""])
        if self._paused or self._output is None:
            self._wait((event, key or f"\0{self._number}"), frame)
        else:
            self._output.write(frame)

    def end(self) -> None:
        """End it."""
        output = self._output
        self.lost()
        if output is not None:
            output.unregisterProducer()
            output.finish()

    def lost(self) -> None:
        """The connection is gone."""
        if self._is_over:
            return
        self._is_over = True
        self._output = None
        cancel(self._call)
        self._call = None
        self._waiting.clear()
        self._ended(self)

    def pauseProducing(self) -> None:
        """The client does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It does again."""
        self._paused = False
        self._send_waiting()

    def stopProducing(self) -> None:
        """The connection is about to go."""
        self.lost()

    def _wait(self, place: tuple[str, str], frame: bytes) -> None:
        former = self._waiting.pop(place, None)
        self._waiting[place] = frame
        self._size += len(frame)
        if former is not None:
            self._size -= len(former)
            self._skipped += 1
        while self._size > MAX_WAITING:
            oldest = next(iter(self._waiting))
            self._size -= len(self._waiting.pop(oldest))
            self._skipped += 1

    def _send_waiting(self) -> None:
        waiting, self._waiting, self._size = self._waiting, {}, 0
        skipped, self._skipped = self._skipped, 0
        if self._output is None:
            return
        if skipped:
            waiting = {("", ""): b'event: skipped\ndata: {"count":%d}\n\n' % skipped, **waiting}
        if waiting:
            self._output.write(b"".join(waiting.values()))

    def _keep_alive(self) -> None:
        if self._output is not None and not self._paused:
            self._output.write(b":\n\n")
        self._call = self._clock.callLater(COMMENT_INTERVAL, self._keep_alive)
