"""Makes the wall clock of a Python process jump: it is off by the seconds that a file says, at every look.

On the path of the broker only. libfaketime does the same for C, but Python's own sleeps and locks fail under it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time

VARIABLE = "CAMPAIGN_CLOCK"
"""Names a file of eight bytes: a double."""

if VARIABLE in os.environ:
    with open(os.environ[VARIABLE], "rb") as file:
        _offset = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    _time, _time_ns, _unpack = time.time, time.time_ns, struct.Struct("d").unpack_from

    def _jumping() -> float:
        return _time() + float(_unpack(_offset)[0])

    def _jumping_ns() -> int:
        return _time_ns() + int(_unpack(_offset)[0] * 1e9)

    time.time = _jumping
    time.time_ns = _jumping_ns
