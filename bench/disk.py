"""The disk's own time for a sync, which no durable answer can be quicker than."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.drive.latency import summary

_BLOCK = b"x" * 4096


def sync_times(directory: Path, count: int) -> dict[str, float]:
    """Append a block and sync it, again and again.

    Args:
        directory: on the disk that is measured.
        count: of syncs.
    """
    path = directory / "sync"
    times: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            start = time.perf_counter()
            file.write(_BLOCK)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    path.unlink()
    return summary(times, "sync")
