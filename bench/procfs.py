"""What /proc knows of processes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_KIB = 1024


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that processes have taken, in steps of the system's clock tick (10 ms)."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # one that helped at the start, and is gone
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


def rss_bytes(pids: Sequence[int]) -> int:
    """Memory of processes that is resident."""
    return sum(_status(pid, "VmRSS") for pid in pids)


def peak_rss_bytes(pids: Sequence[int]) -> int:
    """The most that was resident since they started."""
    return sum(_status(pid, "VmHWM") for pid in pids)


def process_ids() -> list[int]:
    """All processes of the machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def group_of(pid: int) -> int:
    """Process group of a process; -1 where it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _status(pid: int, name: str) -> int:
    """A size in bytes; 0 where the process is gone, or has no memory of its own."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * _KIB
    return 0


def busy_seconds() -> float:
    """Time that all processors of the machine were at work, or taken away by its host."""
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICK


@dataclass(frozen=True, slots=True)
class Usage:
    """Clock and processor times at one moment, in seconds."""

    clock: float
    own: float
    watched: float
    busy: float

    @classmethod
    def now(cls, watch: Sequence[int]) -> Usage:
        """Read them."""
        return cls(time.perf_counter(), time.process_time(), cpu_seconds(watch), busy_seconds())

    def shares(self, end: Usage) -> dict[str, float]:
        """Processors that were busy from now to a later moment: of the driver, the server, and anything else."""
        seconds = end.clock - self.clock
        own, watched = end.own - self.own, end.watched - self.watched
        return {
            "driver_cpu": own / seconds,
            "server_cpu": watched / seconds,
            "other_cpu": max(0.0, end.busy - self.busy - own - watched) / seconds,
        }
