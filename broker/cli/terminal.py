"""Texts of others on a terminal, and an output that nobody reads any more."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from typing import TextIO

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What can move the cursor, change colours, or turn the direction of writing, and half characters."""
PIPE_CLOSED = 141
"""Exit status of a command whose reader has gone, as of one that SIGPIPE ended (128 + 13)."""


def escaped(text: str, keep: str = "") -> str:
    """Text that can do nothing to a terminal.

    Args:
        text: of somebody else.
        keep: control characters that stay.
    """
    return CONTROLS.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def shown(text: str, stream: TextIO, keep: str = "") -> str:
    """Text for a stream: escaped where it is a terminal."""
    return escaped(text, keep) if stream.isatty() else text


def complain(text: str) -> None:
    """Print a line for people on standard error."""
    print(f"broker: {shown(text, sys.stderr, keep=chr(10))}", file=sys.stderr)


def give_up_output() -> int:
    """Nobody reads standard output any more: let the interpreter end without complaint; returns the exit status."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(io.UnsupportedOperation):  # where it is no file of the system's
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return PIPE_CLOSED


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
