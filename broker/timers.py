"""What is done with delayed calls of the reactor, whoever made them, and with the clock that they follow."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.interfaces import IDelayedCall


def cancel(call: IDelayedCall | None) -> None:
    """See to it that a delayed call does not run; nothing changes where there is none, or it has run.

    Args:
        call: what ``callLater`` returned, or ``None``.
    """
    if call is not None and call.active():
        call.cancel()


def keep_steady(reactor: Any) -> None:
    """Have timers follow a clock that nobody sets.

    Twisted's follow the wall clock: where that is set back by an hour, what was to happen at once happens an hour
    later, and the commit that was just due is one of these things.

    Args:
        reactor: nothing is scheduled yet.
    """
    reactor.seconds = time.monotonic
