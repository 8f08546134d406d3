"""A broker in the background: whoever starts it waits until it is ready, or has failed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from broker.cli.terminal import complain, to_nowhere

if TYPE_CHECKING:
    from broker.logs.file import LogFile

READY = b"+"
INTERRUPTED = 130


class Background:
    """The connection of a process in the background to the one that waits for it.

    Args:
        descriptor: of a pipe to that one.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ready(self, log_file: LogFile | None) -> None:
        """Let the one that waits go, and use its terminal no more.

        Args:
            log_file: takes what would have been written there as an error.
        """
        sys.stdout.flush()
        to_nowhere(1)
        if log_file is None:
            to_nowhere(2)
        else:
            log_file.take_standard_error()
        with contextlib.suppress(BrokenPipeError):  # it did not wait so long
            os.write(self._descriptor, READY)
        os.close(self._descriptor)


def start(run: Callable[[Background], int]) -> int:
    """Run something in the background, in a session of its own and without a terminal to read from.

    Until it is ready it writes to the same standard output and standard error as this process.

    Args:
        run: runs there, and calls :meth:`Background.ready`; its exit status is that of the process.

    Returns:
        In the background what ``run`` returned; here 0 once that is ready, and its exit status where it ended before.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.close(writing)
        return _await_start(reading, child)
    os.close(reading)
    os.setsid()
    to_nowhere(0)
    return run(Background(writing))


def _await_start(reading: int, child: int) -> int:
    try:
        if os.read(reading, len(READY)) == READY:
            return 0
        _, ended = os.waitpid(child, 0)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        return INTERRUPTED
    status = os.waitstatus_to_exitcode(ended)
    if status < 0:
        complain(f"the broker was ended by {signal.Signals(-status).name} before it was ready")
    return status if status > 0 else 1
