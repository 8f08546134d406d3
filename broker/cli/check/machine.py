"""What the machine gives: open files, and a clock that is set."""

from __future__ import annotations

import ctypes
import resource
import time
from collections.abc import Callable, Iterator

from broker.cli.check.findings import Finding, Findings, Subject
from broker.file_limit import SPARE
from broker.model.number import whole_or_none
from broker.net.limits import Limits
from broker.runlevels.plan import PlannedPlugin
from broker.store.location import DATABASE_FILE

MACHINE = Findings("machine")
TIMEX_SIZE = 512
"""More bytes than ``struct timex`` has anywhere; all zero it asks and sets nothing (adjtimex(2))."""
NO_PORT = "-1"
"""In the place of the number of a port."""
TIME_ERROR = 5
"""What adjtimex(2) returns of a clock that nothing synchronises."""


def check_machine(
    subject: Subject,
    files: int | None = None,
    now: Callable[[], float] = time.time,
    clock_state: Callable[[], int] | None = None,
) -> Iterator[Finding]:
    """Look at the limit of open files and at the clock.

    Args:
        subject: the broker.
        files: that may be open; by default what the hard limit of this process says.
        now: seconds since 1970.
        clock_state: what adjtimex(2) returns.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if files is None else files
    connections = max_connections_of(subject)
    if limit != resource.RLIM_INFINITY and limit < connections + SPARE:
        yield MACHINE.warning(
            f"{limit:,} files may be open here, and listeners accept {connections:,} connections (maxConnections)",
            "raise the hard limit (LimitNOFILE= of systemd, ulimit -Hn), or lower maxConnections",
        )
    else:
        yield MACHINE.ok(f"{'any number of' if limit < 0 else f'{limit:,}'} files may be open")
    yield from _check_clock(subject, now(), clock_state or _clock_state)


def max_connections_of(subject: Subject) -> int:
    """Connections that all listeners of clients together would accept."""
    return sum(
        whole_or_none(each.attributes.get("maxConnections", ""), 0) or Limits().max_connections
        for each in subject.plugins
        if "maxConnections" in getattr(each.factory, "known_attributes", ()) and not _has_no_port(each)
    )


def _has_no_port(plugin: PlannedPlugin) -> bool:
    """Whether each port of a plugin is said to be none."""
    ports = [text.strip() for name, text in plugin.attributes.items() if name.lower().endswith("port")]
    return bool(ports) and all(text == NO_PORT for text in ports)


def _check_clock(subject: Subject, now: float, clock_state: Callable[[], int]) -> Iterator[Finding]:
    database = subject.data / DATABASE_FILE
    written = database.stat().st_mtime if database.exists() else 0.0
    if written > now + 60:
        yield MACHINE.problem(
            f"the clock is behind: the database was written to {written - now:,.0f} s in the future", "set the clock"
        )
    elif clock_state() == TIME_ERROR:
        yield MACHINE.warning("nothing keeps the clock of this machine right, as the kernel says", "run an NTP client")
    else:
        yield MACHINE.ok("the clock is kept right")


def _clock_state() -> int:
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_SIZE))
    except (OSError, AttributeError):  # not Linux
        return 0
    return state
