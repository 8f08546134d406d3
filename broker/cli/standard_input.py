"""Standard input that a password and a content share."""

from __future__ import annotations

import io
import sys

from broker.errors import BrokerError, Code

LONGEST_PASSWORD = 64 * 1024


def read_password() -> str:
    """Read exactly the first line of standard input; what follows is left to whoever reads next, another program too.

    Raises:
        BrokerError: ``user.wrongApiUsage`` for a line that is too long or is not UTF-8.
    """
    raw = getattr(getattr(sys.stdin, "buffer", None), "raw", None)
    if not isinstance(raw, io.RawIOBase):  # no file of the system's
        return sys.stdin.readline().rstrip("\r\n")
    line = bytearray()
    while (byte := raw.read(1)) and byte != b"\n":
        line += byte
        if len(line) > LONGEST_PASSWORD:
            raise BrokerError(Code.USER_WRONG_API_USAGE, "the first line of input is too long for a password")
    try:
        return line.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise BrokerError(Code.USER_WRONG_API_USAGE, "the password on standard input is not UTF-8") from error
