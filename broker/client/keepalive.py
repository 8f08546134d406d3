"""Finds out that a broker is there no more although its connection is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker.client.connection import ClientConnection
from broker.client.pending import PendingRequests
from broker.errors import BrokerError, Code
from broker.native.wire.frames import encode_unit
from broker.timers import cancel

LOOKS = 4
"""At the requests in flight, in the time that the broker has for an answer."""
PING = encode_unit(b"<qos/>")


class Keepalive:
    """Pings, and aborts a connection whose broker is silent.

    It is silent where a ping has no answer in time, or where requests are in flight and none of them is answered in
    that time. The connection is aborted and not closed, because what was written may never be sent to a broker that
    does not read.

    Args:
        reactor: its clock.
        connection: that is watched, until :meth:`stop`.
        pending: the requests in flight.
        interval: seconds between pings, 0 none.
        timeout: seconds that the broker has for an answer.
    """

    def __init__(
        self, reactor: Any, connection: ClientConnection, pending: PendingRequests, interval: float, timeout: float
    ) -> None:
        self._reactor = reactor
        self._connection = connection
        self._pending = pending
        self._interval = interval
        self._timeout = timeout
        self._seen = (0, 0)
        self._same = 0
        self._ping_call: Any = None
        self._stopped = False
        self._look_call = self._later(timeout / LOOKS, self._look)
        self._schedule_ping()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped = True
        for call in (self._ping_call, self._look_call):
            cancel(call)

    def _later(self, delay: float, function: Callable[[], None]) -> Any:
        return self._reactor.callLater(delay, function)

    def _schedule_ping(self) -> None:
        if self._interval > 0:
            self._ping_call = self._later(self._interval, self._ping)

    def _ping(self) -> None:
        self._ping_call = self._later(self._timeout, self._silent)
        self._connection.call(b"ping", PING).addBoth(self._answered)

    def _answered(self, _: object) -> None:
        if not self._stopped:
            cancel(self._ping_call)
            self._schedule_ping()

    def _look(self) -> None:
        self._look_call = self._later(self._timeout / LOOKS, self._look)
        oldest = self._pending.oldest()
        seen = (oldest, self._pending.answers)
        self._same = self._same + 1 if oldest and seen == self._seen else 0
        self._seen = seen
        if self._same >= LOOKS:
            self._silent()

    def _silent(self) -> None:
        reason = f"the broker has not answered for {self._timeout:g} s"
        self._connection.abort(BrokerError(Code.COMMUNICATION_RESPONSE_TIMEOUT, reason))
