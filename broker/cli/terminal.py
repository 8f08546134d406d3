"""Texts of others on a terminal, and an output that nobody reads any more."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import TextIO

from broker.escape import escaped

PIPE_CLOSED = 141
"""Exit status of a command whose reader has gone, as of one that SIGPIPE ended (128 + 13)."""


def shown(text: str, stream: TextIO, keep: str = "") -> str:
    """Text for a stream: escaped where it is a terminal."""
    return escaped(text, keep) if stream.isatty() else text


def say(text: str, keep: str = "") -> None:
    """Print a line on standard output; it has left this process when this returns.

    Args:
        text: maybe of somebody else.
        keep: control characters that stay on a terminal.
    """
    print(shown(text, sys.stdout, keep), flush=True)


def write(text: str) -> None:
    """Write on standard output as it is; texts of others in it have been escaped, and it may move the cursor."""
    print(text, end="", flush=True)


def say_json(value: object) -> None:
    """Print a line for programs, which has no control character anywhere."""
    say(json.dumps(value).replace("\x7f", "\\u007f"))


def complain(text: str, who: str = "broker") -> None:
    """Print a line for people on standard error, behind the name of the command."""
    advise(f"{who}: {text}")


def advise(text: str) -> None:
    """Print a line for people on standard error."""
    print(shown(text, sys.stderr, keep="\n"), file=sys.stderr)


def show_progress(text: str) -> None:
    """Replace the last line of standard error, where that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)


def open_standard_streams() -> bool:
    """Make all three standard streams usable, so that no command has to look.

    What cannot be written in the encoding of a stream is written escaped. A stream that was closed is opened on
    nothing, also so that no file or socket gets its number.

    Returns:
        Whether standard output was open.
    """
    written = sys.stdout is not None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their numbers
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return written


def reason_of(error: OSError) -> str:
    """What the system says, and of which file."""
    text = error.strerror or str(error)
    return f"{os.fsdecode(error.filename)}: {text}" if isinstance(error.filename, str | bytes) else text


def give_up_output() -> int:
    """Nobody reads standard output any more: let the interpreter end without complaint; returns the exit status."""
    with contextlib.suppress(io.UnsupportedOperation):  # where it is no file of the system's
        to_nowhere(sys.stdout.fileno())
    return PIPE_CLOSED


def to_nowhere(descriptor: int) -> None:
    """Let a file descriptor lead nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
