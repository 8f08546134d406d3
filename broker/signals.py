"""What the process does on signals, beside the end that the reactor sees to on SIGTERM and SIGINT."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.logger import Logger

log = Logger()

STANDARD_ERROR = 2
ENDING = (signal.SIGTERM, signal.SIGINT)


def spare() -> None:
    """Let no SIGHUP or SIGUSR1 end the process until :func:`serve` says what they do.

    For whoever starts slowly; without it a reload that comes too soon would end the start.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def serve(
    reactor: Any,
    *,
    reload: Callable[[], None],
    rotate_log: Callable[[], None],
    hurry: Callable[[], None] | None = None,
) -> None:
    """Serve signals from now on.

    SIGQUIT writes to standard error what every thread is doing, also where one of them never comes back to Python,
    and the process goes on. SIGTERM and SIGINT end it once: to ask again while it ends makes it
    hurry, or changes nothing.

    Args:
        reactor: runs what is called; nothing runs before it does.
        reload: called on SIGHUP.
        rotate_log: called on SIGUSR1.
        hurry: called on SIGTERM or SIGINT while the process ends; ``None``: the log says that it does.
    """

    def call(function: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        return lambda number, frame: reactor.callFromThread(function)

    signal.signal(signal.SIGHUP, call(reload))
    signal.signal(signal.SIGUSR1, call(rotate_log))
    faulthandler.register(signal.SIGQUIT, file=STANDARD_ERROR, all_threads=True, chain=False)
    reactor.callWhenRunning(_end_once, reactor, hurry)


def _end_once(reactor: Any, hurry: Callable[[], None] | None) -> None:
    """Ask the reactor to end once only, whoever does: it takes a second time for a mistake of the program."""

    def tell(number: int, frame: FrameType | None) -> None:
        if hurry is not None:
            reactor.callFromThread(hurry)
            return
        reactor.callFromThread(log.info, "{name}: the broker ends already", name=signal.Signals(number).name)

    def ends() -> None:
        for each in ENDING:
            signal.signal(each, tell)

    def first(handler: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            ends()
            handler(number, frame)

        return handle

    for each in ENDING:
        handler = signal.getsignal(each)
        if callable(handler):
            signal.signal(each, first(handler))
    reactor.addSystemEventTrigger("before", "shutdown", ends)
