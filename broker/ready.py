"""What a program says of its start: the one line that it is up, for those who wait for it, or why it is not."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code


def ready_line(level: int, name: str, ports: Sequence[tuple[str, str, int]]) -> str:
    """Say which run level is reached and what listens where.

    Args:
        level: of :mod:`broker.runlevels`, e.g. 9.
        name: of that level, e.g. ``RUNNING``.
        ports: every listening port as ``(name, host, port)``.

    Returns:
        For example ``ready: run level 9 (RUNNING), SOCKET 127.0.0.1:7607``.
    """
    listening = (f"{port_name} {bracketed(host)}:{port}" for port_name, host, port in ports)
    return ", ".join([f"ready: run level {level} ({name})", *listening])


def announce(line: str) -> None:
    """Write one line to the process' own standard output, past twistd, which sends ``sys.stdout`` to the log."""
    if sys.__stdout__ is not None:
        print(line, file=sys.__stdout__, flush=True)


def start_failed(program: str, failure: Failure, log: Logger) -> BrokerError:
    """Say why a program cannot start, in the log and on standard error; returns why.

    Args:
        program: e.g. ``broker``.
        failure: of the start.
        log: of the program.
    """
    if isinstance(failure.value, BrokerError):
        error = failure.value
        log.critical("the {program} cannot start: {reason}", program=program, reason=error)
    else:
        error = BrokerError(Code.INTERNAL_UNKNOWN, f"{failure.value!r}; the log has more")
        log.failure("the {program} cannot start", failure, program=program)
    print(f"the {program} cannot start: {error.message}", file=sys.__stderr__)
    return error


def bracketed(host: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
