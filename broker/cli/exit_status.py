"""Exit statuses of the ``broker`` command, the same for all of its subcommands."""

from __future__ import annotations

DONE = 0
FAILED = 1
"""The reason is on standard error."""
WRONG_USAGE = 2
NOT_CONNECTED = 3
"""The broker was not reached."""
REFUSED = 4
"""Who asks may not."""
TIMED_OUT = 5
"""Nothing came in time."""
FOUND_A_PROBLEM = 6
"""What was looked at is not as it should be."""
DONE_IN_PART = 7
TRY_AGAIN = 75
"""Of ``broker run``: another broker has taken the database over; started again, this one may stand by (sysexits.h)."""
EXIT_STATUS = """
exit status: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 refused, 5 nothing came in time, 6 found a problem,
7 done in part
"""
"""For the help of commands that ask a broker over HTTP."""
