"""Round trips, one message at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.drive.lane import Lane
from bench.drive.loop import DriveError, Loop

_PATIENCE = 10.0


def summary(times: Sequence[float], name: str) -> dict[str, float]:
    """Median and 99th percentile in milliseconds."""
    ordered = sorted(times)
    return {
        f"{name}_p50_ms": ordered[len(ordered) // 2] * 1e3,
        f"{name}_p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3,
    }


def probe(loop: Loop, lane: Lane, probes: int, pause: float) -> dict[str, float]:
    """Send one message, wait until it has come and is acknowledged, rest, and again.

    Args:
        loop: of the connections.
        lane: whose sender sends one message at a time.
        probes: messages.
        pause: seconds between two.
    """
    sender, (receiver,) = lane.sender, lane.receivers
    delivered: list[float] = []
    acknowledged: list[float] = []
    for _ in range(probes):
        start = time.perf_counter()
        lane.fill(lane.sent + 1)
        arrival = answer = 0.0
        while not arrival or not answer:
            if not loop.turn(_PATIENCE):
                raise DriveError(f"no answer in {_PATIENCE:.0f} s")
            now = time.perf_counter() - start
            if not arrival and receiver.got >= lane.sent:
                arrival = now
            if not answer and (sender.acknowledged is None or sender.acknowledged >= lane.sent):
                answer = now
        delivered.append(arrival)
        acknowledged.append(answer)
        loop.run_for(pause)
    figures = summary(delivered, "delivered")
    if sender.acknowledged is not None:
        figures |= summary(acknowledged, "acknowledged")
    return figures
