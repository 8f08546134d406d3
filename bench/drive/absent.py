"""Filling the queue of a receiver that is away, and emptying it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.drive.lane import Lane, Receiver, transfer
from bench.drive.loop import Loop
from bench.procfs import Usage


def fill_and_drain(
    loop: Loop, lane: Lane, come_back: Callable[[], Receiver], messages: int, watch: Sequence[int]
) -> dict[str, float]:
    """Rates and shares of processors of both.

    Args:
        loop: of the connections.
        lane: without receivers.
        come_back: logs the receiver in.
        messages: that are queued.
        watch: process ids of the server.
    """
    filled = transfer(loop, lane, messages, watch)
    return {**filled, **drain(loop, lane.sent, come_back, watch)}


def drain(loop: Loop, messages: int, come_back: Callable[[], Receiver], watch: Sequence[int]) -> dict[str, float]:
    """Let the receiver come back for so many messages."""
    start = Usage.now(watch)
    receiver = come_back()
    loop.run(lambda: receiver.got >= messages)
    end = Usage.now(watch)
    shares = {f"drain_{name}": share for name, share in start.shares(end).items()}
    return {
        "drained_per_s": receiver.got / (end.clock - start.clock),
        "drained_per_cpu_s": receiver.got / max(end.watched - start.watched, 0.01),
        **shares,
    }
