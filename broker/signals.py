"""What the process does on signals that the reactor does not see to; SIGTERM and SIGINT it does."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

STANDARD_ERROR = 2


def spare() -> None:
    """Let no SIGHUP or SIGUSR1 end the process until :func:`serve` says what they do.

    For whoever starts slowly; without it a reload that comes too soon would end the start.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def serve(reactor: Any, *, reload: Callable[[], None], rotate_log: Callable[[], None]) -> None:
    """Serve signals from now on.

    SIGQUIT writes to standard error what every thread is doing, also where one of them never comes back to Python,
    and the process goes on.

    Args:
        reactor: runs what is called; nothing runs before it does.
        reload: called on SIGHUP.
        rotate_log: called on SIGUSR1.
    """

    def call(function: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        return lambda number, frame: reactor.callFromThread(function)

    signal.signal(signal.SIGHUP, call(reload))
    signal.signal(signal.SIGUSR1, call(rotate_log))
    faulthandler.register(signal.SIGQUIT, file=STANDARD_ERROR, all_threads=True, chain=False)
