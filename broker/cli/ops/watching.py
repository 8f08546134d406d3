"""``--watch``: do something again and again, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable

from broker.cli.ops.tables import is_terminal
from broker.cli.terminal import write

CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""To the upper left corner, and away with what is on the screen and above it."""


def watched(seconds: float | None, show: Callable[[], int]) -> int:
    """Do something once, or again after each pause; at a terminal on an empty screen.

    Args:
        seconds: of a pause; ``None`` for once.
        show: does it.

    Returns:
        The exit status of the last time.
    """
    if seconds is None:
        return show()
    status = 0
    try:
        while True:
            if is_terminal():
                write(CLEAR)
            status = show()
            time.sleep(seconds)
    except KeyboardInterrupt:
        return status
