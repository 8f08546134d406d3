"""What memory the process uses, and what the machine has left."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from broker.errors import BrokerError
from broker.model.number import whole

STATUS = Path("/proc/self/statm")
MACHINE = Path("/proc/meminfo")


def resident() -> int:
    """Bytes of memory that the process holds now; at most so far, where the system does not tell."""
    try:
        return whole(STATUS.read_text().split()[1], "the pages of memory") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, LookupError, BrokerError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def available() -> int:
    """Bytes that the machine could still give to the process; ``0`` where the system does not tell."""
    try:
        for line in MACHINE.read_text().splitlines():
            if line.startswith("MemAvailable"):
                return whole(line.split()[1], "the memory of the machine") * 1024
    except (OSError, LookupError, BrokerError):
        pass
    return 0
