"""Passwords, from a terminal or from standard input, which a content may share."""

from __future__ import annotations

import getpass
import io
import sys
import warnings

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


def ask_password(prompt: str) -> str:
    """Ask for a password on the terminal, without echo.

    Raises:
        BrokerError: ``user.wrongApiUsage`` where there is no terminal that can be asked so, or the answer is not UTF-8.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would go on and echo
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError) as error:
            reason = "there is no terminal to ask for the password; use --password-stdin"
            raise BrokerError(Code.USER_WRONG_API_USAGE, reason) from error
        except UnicodeDecodeError as error:
            raise BrokerError(Code.USER_WRONG_API_USAGE, "the password is not UTF-8") from error
