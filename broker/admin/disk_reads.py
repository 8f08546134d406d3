"""Limits how often administration reads queues from disk: each time the store has to write what it has gathered."""

from __future__ import annotations

from http import HTTPStatus

from broker.admin.instance import Instance
from broker.errors import Code
from broker.net.http.problem import Refused
from broker.net.rate import Rate

A_SECOND = 2
AT_ONCE = 4


class DiskReads:
    """The limit of one broker.

    Args:
        instance: the broker.
    """

    def __init__(self, instance: Instance) -> None:
        self._rate = Rate(instance.reactor, A_SECOND, AT_ONCE)

    def take(self) -> None:
        """Begin to read.

        Raises:
            Refused: 429 where that was done too often lately.
        """
        if not self._rate.takes(""):
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                Code.RESOURCE_TEMPORARY_UNAVAILABLE,
                f"entries on disk are read {A_SECOND} times a second at most",
                headers=[("Retry-After", "1")],
            )
