"""How many files the process may have open; each connection is one."""

from __future__ import annotations

import resource

from twisted.logger import Logger

log = Logger()

SPARE = 200
"""Files of the process that are no connections: database, log, modules, sockets that listen."""


def raise_file_limit() -> int:
    """Raise the soft limit to the hard one, which needs no right; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:  # a hard limit above what the kernel allows
        log.warn("the limit of open files stays at {soft}: {reason}", soft=soft, reason=str(error))
        return soft
    return hard


def warn_of_file_limit(limit: int, connections: int) -> None:
    """Have the log warn where listeners would accept more connections than there may be files.

    Args:
        limit: of open files.
        connections: that all listeners together would accept.
    """
    if limit != resource.RLIM_INFINITY and limit < connections + SPARE:
        log.warn(
            "{limit} files may be open, so there can be no {connections} connections as maxConnections allows: raise"
            " the hard limit (LimitNOFILE= of systemd, ulimit -Hn), or lower maxConnections",
            limit=limit,
            connections=connections,
        )
