"""Resident memory of another process (Linux)."""

from __future__ import annotations

import re
from pathlib import Path

MEGABYTE = 1 << 20
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


def resident(pid: int) -> float:
    """Resident memory of a process in megabytes."""
    return _status(pid, _RESIDENT)


def peak(pid: int) -> float:
    """Highest resident memory in megabytes since the start or the last :func:`forget_peak`."""
    return _status(pid, _PEAK)


def forget_peak(pid: int) -> None:
    """Begin anew with :func:`peak`."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def _status(pid: int, pattern: re.Pattern[str]) -> float:
    found = pattern.search(Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) * 1024 / MEGABYTE
