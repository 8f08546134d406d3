"""What memory the process uses, and what the machine has left."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from broker.errors import BrokerError
from broker.model.number import whole

STATUS = Path("/proc/self/statm")
MACHINE = Path("/proc/meminfo")
GROUP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def resident() -> int:
    """Bytes of memory that the process holds now; at most so far, where the system does not tell."""
    try:
        return whole(STATUS.read_text().split()[1], "the pages of memory") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, LookupError, BrokerError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def available() -> int:
    """Bytes that the machine could still give to the process; ``0`` where the system does not tell."""
    return _of_machine("MemAvailable")


def limit() -> int:
    """Bytes that the process may use: those of the machine, or of the control groups that it is in where that is less.

    ``0`` where the system does not tell.
    """
    found = [each for each in (_of_machine("MemTotal"), *_of_groups()) if each]
    return min(found, default=0)


def _of_machine(name: str) -> int:
    try:
        for line in MACHINE.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return whole(line.split()[1], "the memory of the machine") * 1024
    except (OSError, LookupError, BrokerError):
        pass
    return 0


def _of_groups() -> Iterator[int]:
    """Limits of the control group and of those that it is in, of version 2 and of the older one."""
    try:
        lines = GROUP.read_text().splitlines()
    except OSError:  # another system
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            root, name = GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        place = root / path.lstrip("/")
        for each in (place, *place.parents):
            if each == root.parent:
                break
            with suppress(OSError, BrokerError):  # no file, or the word for no limit
                yield whole((each / name).read_text().strip(), "the memory of a control group")
