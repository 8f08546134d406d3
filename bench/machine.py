"""What the bench ran on."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from bench.disk import sync_times

_SYNCS = 200


def describe(scratch: Path) -> dict[str, str | int | float]:
    """Processor, memory, disk and versions."""
    return {
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(_first("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "python": f"{platform.python_version()} {'of the system' if sys.base_prefix == '/usr' else 'built elsewhere'}",
        "filesystem": _filesystem(scratch),
        **sync_times(scratch, _SYNCS),
    }


def _first(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def _filesystem(path: Path) -> str:
    """Type of the file system that a directory is on."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        if path.resolve().is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, found
    return kind
