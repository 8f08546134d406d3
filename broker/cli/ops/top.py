"""``broker top``: rates, lag, and the busiest queues and sessions, for as long as somebody looks."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from types import FrameType
from typing import Any

from broker.cli.exit_status import DONE
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.problems import ProblemError, succeeded
from broker.cli.ops.top_samples import Sample, read_lag
from broker.cli.ops.top_screen import ESCAPE, Screen, Wish
from broker.cli.ops.verb import Verb
from broker.cli.terminal import write
from broker.cli.transport import Administration
from broker.errors import BrokerError, Code

ROWS = 200
"""Queues and sessions that are asked for at each look."""
TO_THE_SCREEN, BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""To a screen of its own without a cursor, and back to what was there."""
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
MAX_KEYS = 1024
RUNNING = 9


def top(options: argparse.Namespace, verb: Verb) -> int:
    """Show it until ``q`` or Ctrl-C.

    Raises:
        BrokerError: ``user.wrongApiUsage`` where there is no terminal; ``communication`` where no broker is reached at
            the first look. Later the screen says so, and it goes on.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        reason = "broker top needs a terminal; broker status --watch does not"
        raise BrokerError(Code.USER_WRONG_API_USAGE, reason)
    administration = administration_of(options)
    screen = Screen()
    screen.take(look(administration, screen))
    with _own_screen():
        _follow(administration, screen, options.interval)
    return DONE


def look(administration: Administration, screen: Screen) -> Sample:
    """Ask a broker for what the screen shows.

    Raises:
        BrokerError: it is not reached.
        ProblemError: it refuses.
    """
    at = time.monotonic()
    overview = _ask(administration, "getOverview", {})
    if overview["runLevel"]["level"] < RUNNING:
        return Sample(at, overview)
    query = {"limit": str(ROWS), **({"q": screen.filter} if screen.filter else {})}
    queues = _ask(administration, "listQueues", {**query, "sort": screen.sort, "minEntries": "1"})
    sessions = _ask(administration, "listSessions", {**query, "sort": "-updates"})
    metrics = succeeded(administration.ask("GET", "/metrics")).text
    return Sample(at, overview, tuple(queues["items"]), tuple(sessions["items"]), read_lag(metrics))


def _ask(administration: Administration, operation: str, query: dict[str, str]) -> dict[str, Any]:
    described = installed_document().operation(operation)
    return succeeded(administration.ask(described.method, described.target({}, query))).read_object()


def _follow(administration: Administration, screen: Screen, interval: float) -> None:
    due = time.monotonic() + interval
    while True:
        _draw(screen)
        for key in _keys(max(0.0, due - time.monotonic())):
            match screen.press(key):
                case Wish.QUIT:
                    return
                case Wish.LOOK:
                    due = 0.0
        if time.monotonic() >= due:
            due = time.monotonic() + interval
            if not screen.paused:
                _look_again(administration, screen)


def _look_again(administration: Administration, screen: Screen) -> None:
    try:
        screen.take(look(administration, screen))
    except BrokerError as error:
        screen.error = f"{error.message}; trying again"
    except ProblemError as problem:
        screen.error = f"the broker answers with status {problem.reply.status}; trying again"


def _draw(screen: Screen) -> None:
    size = shutil.get_terminal_size()
    lines = screen.lines(size.columns, size.lines)
    write(HOME + "\r\n".join(f"{line}{REST_OF_LINE}" for line in lines) + REST_OF_SCREEN)


def _keys(timeout: float) -> Iterator[str]:
    """Keys that are pressed until then; at least one, or the time is over."""
    descriptor = sys.stdin.fileno()
    readable, _, _ = select.select([descriptor], [], [], timeout)
    if not readable:
        return
    typed = os.read(descriptor, MAX_KEYS).decode(errors="ignore")
    if not typed:  # the terminal is gone
        raise KeyboardInterrupt
    while typed:
        length = 3 if typed.startswith(f"{ESCAPE}[") else 1
        yield typed[:length]
        typed = typed[length:]


@contextlib.contextmanager
def _own_screen() -> Iterator[None]:
    """The terminal without echo, and key by key; it is what it was when this ends, however it does."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    handlers = {each: signal.signal(each, _end) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setcbreak(descriptor)
        write(TO_THE_SCREEN)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        with contextlib.suppress(OSError):  # of a terminal that is gone
            write(BACK)
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
