"""A lane: one sender, its receivers, and a window of messages that are on their way between them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.drive.loop import Link, Loop
from bench.procfs import Usage

MARKER = b"]~]"
"""End of every content; nothing else on the wire has it."""
HIGH_WATER = 1 << 20
"""Bytes before the driver's own socket at which a sender waits."""


def content_of(size: int) -> bytes:
    """A content of so many bytes that ends with the marker."""
    return b"x" * (size - len(MARKER)) + MARKER


class Counter:
    """Counts a marker in a stream that comes in pieces of any size.

    Args:
        marker: must not overlap with itself.
    """

    __slots__ = ("_keep", "_marker", "_tail", "count")

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._keep = len(marker) - 1
        self._tail = b""
        self.count = 0

    def feed(self, data: bytes) -> int:
        """Count in the next bytes; returns how many there were."""
        tail = self._tail
        found = (tail + data if tail else data).count(self._marker)
        self._tail = data[-self._keep :] if len(data) >= self._keep else (tail + data)[-self._keep :]
        self.count += found
        return found


class Sender(Protocol):
    """Who sends; ``chunks`` hold ``batch`` messages each, and are sent in a ring."""

    link: Link
    chunks: Sequence[bytes]
    batch: int

    @property
    def acknowledged(self) -> int | None:
        """Messages that the server has acknowledged; ``None`` where it never does."""
        ...


class Receiver(Protocol):
    """Who receives."""

    link: Link

    @property
    def got(self) -> int:
        """Messages that have come."""
        ...


@dataclass(slots=True)
class Lane:
    """One sender and its receivers.

    Args:
        sender: sends at most ``window`` messages that not all have.
        receivers: each gets every message; where there are none, what the server acknowledged counts.
        window: messages.
    """

    sender: Sender
    receivers: Sequence[Receiver]
    window: int
    sent: int = 0
    _next: int = 0
    _floor: int = 0

    @property
    def settled(self) -> int:
        """Messages that have come to all and are acknowledged."""
        acknowledged = self.sender.acknowledged
        floor = self.sent if acknowledged is None else acknowledged
        for receiver in self.receivers:
            floor = min(floor, receiver.got)
        return floor

    @property
    def delivered(self) -> int:
        """Messages that came to receivers, or were acknowledged where there are none."""
        if self.receivers:
            return sum(receiver.got for receiver in self.receivers)
        return self.sender.acknowledged or 0

    def fill(self, limit: int | None = None) -> None:
        """Send what the window has room for, up to ``limit`` messages in all."""
        sender = self.sender
        while limit is None or self.sent < limit:
            if self.sent + sender.batch - self._floor > self.window:
                self._floor = self.settled
                if self.sent + sender.batch - self._floor > self.window:
                    return
            if sender.link.backlog > HIGH_WATER:
                return
            sender.link.send(sender.chunks[self._next])
            self._next = (self._next + 1) % len(sender.chunks)
            self.sent += sender.batch


def flow(
    loop: Loop, lanes: Sequence[Lane], *, warm_up: float, seconds: float, watch: Sequence[int]
) -> dict[str, float]:
    """Keep all lanes full for a time, then wait until everything has come; returns rates and shares of processors.

    Args:
        loop: of the connections.
        lanes: that are filled.
        warm_up: seconds before the measurement.
        seconds: of the measurement.
        watch: process ids of the server.

    Raises:
        DriveError: something did not come.
    """
    _fill_for(loop, lanes, warm_up)
    start, settled, delivered = Usage.now(watch), _settled(lanes), _delivered(lanes)
    _fill_for(loop, lanes, seconds)
    end = Usage.now(watch)
    figures = _rates(start, end, _settled(lanes) - settled, _delivered(lanes) - delivered)
    loop.run(lambda: all(lane.settled == lane.sent for lane in lanes))
    return figures


def transfer(loop: Loop, lane: Lane, messages: int, watch: Sequence[int]) -> dict[str, float]:
    """Send so many messages, and wait until they have settled; returns as :func:`flow`."""

    def done() -> bool:
        lane.fill(messages)
        return lane.settled >= messages

    start, delivered = Usage.now(watch), lane.delivered
    loop.run(done)
    return _rates(start, Usage.now(watch), messages, lane.delivered - delivered)


def _rates(start: Usage, end: Usage, published: int, delivered: int) -> dict[str, float]:
    seconds = end.clock - start.clock
    return {
        "published_per_s": published / seconds,
        "delivered_per_s": delivered / seconds,
        "per_cpu_s": delivered / max(end.watched - start.watched, 0.01),
        **start.shares(end),
    }


def _fill_for(loop: Loop, lanes: Sequence[Lane], seconds: float) -> None:
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        for lane in lanes:
            lane.fill()
        loop.turn(min(left, 0.1))


def _settled(lanes: Sequence[Lane]) -> int:
    return sum(lane.settled for lane in lanes)


def _delivered(lanes: Sequence[Lane]) -> int:
    return sum(lane.delivered for lane in lanes)
