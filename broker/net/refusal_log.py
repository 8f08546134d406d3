"""What the log has of connections that were refused: one line a minute, with how many there were."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

QUIET = 60.0
"""Seconds between two lines."""


class RefusalLog:
    """Of one listener.

    Args:
        log: of the module that refuses them.
        clock: tells when a line is due.
        what: is refused, in the plural.
    """

    def __init__(self, log: Logger, clock: IReactorTime, what: str) -> None:
        self._log = log
        self._clock = clock
        self._what = what
        self._refused = 0
        self._told = -QUIET

    def tell(self, host: str, reason: str) -> None:
        """One more was refused.

        Args:
            host: address of the peer.
            reason: why.
        """
        self._refused += 1
        now = self._clock.seconds()
        if not 0 <= now - self._told < QUIET:
            self._log.warn(
                "{count} {what} refused, the last of {host}: {reason}",
                count=self._refused,
                what=self._what,
                host=host,
                reason=reason,
            )
            self._told, self._refused = now, 0
