"""Places where a test kills the broker, to show that nothing is lost there.

``BROKER_KILL_AT=NAME`` in the environment ends the process with SIGKILL when it first reaches the place of that name,
``NAME:3`` when it does for the third time. Without it nothing happens: :func:`reach` then costs a call, 40 ns, which
paths that are taken for every message save by asking for :data:`ARMED` first.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "BROKER_KILL_AT"

ARMED = bool(os.environ.get(VARIABLE))
"""Whether there is any place to be killed at."""

_NAME, _, _COUNT = os.environ.get(VARIABLE, "").partition(":")
_left = [int(_COUNT) if _COUNT.isascii() and _COUNT.isdigit() else 1]


def reach(name: str) -> None:
    """The broker is at this place.

    Args:
        name: of the place.
    """
    if name == _NAME:
        _left[0] -= 1
        if _left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
