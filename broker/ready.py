"""The one line that says that the broker is up, for people, scripts and service supervisors that wait for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence


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


def bracketed(host: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
