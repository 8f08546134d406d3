"""What is done with a delayed call of the reactor, whoever made it."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall


def cancel(call: IDelayedCall | None) -> None:
    """See to it that a delayed call does not run; nothing changes where there is none, or it has run.

    Args:
        call: what ``callLater`` returned, or ``None``.
    """
    if call is not None and call.active():
        call.cancel()
