"""Keeps one link to the server: dials, and dials again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.manager.link import LinkConnection
from broker.manager.settings import Address
from broker.timers import cancel

log = Logger()
_chance = random.SystemRandom()

FIRST_DELAY = 0.25
LONGEST_DELAY = 3.0
"""Seconds between two attempts, which become longer as long as none succeeds."""

Connect = Callable[[Address, Callable[[], LinkConnection]], "Deferred[LinkConnection]"]
"""Makes a connection to a server, with the protocol that the second argument makes."""


class Dialer:
    """Keeps one link; where a server is not reached, or refuses the link, the next one is dialled.

    Args:
        servers: to dial, the first one first.
        connect: makes connections.
        make: makes the protocol of a connection to a server.
        clock: of the delays.
    """

    def __init__(
        self,
        servers: Sequence[Address],
        connect: Connect,
        make: Callable[[Address, Dialer], LinkConnection],
        clock: IReactorTime,
    ) -> None:
        self._servers = servers
        self._connect = connect
        self._make = make
        self._clock = clock
        self._index = 0
        self._delay = FIRST_DELAY
        self._told: dict[Address, str] = {}
        self._connecting: Deferred[LinkConnection] | None = None
        self._connection: LinkConnection | None = None
        self._next: IDelayedCall | None = None
        self._stopped = False
        self._closed: Deferred[None] | None = None

    def start(self) -> None:
        """Dial."""
        self._next = None
        server = self._servers[self._index]
        connecting = self._connecting = self._connect(server, lambda: self._make(server, self))
        connecting.addCallbacks(self._connected, self._failed)

    def stop(self) -> Deferred[None]:
        """Dial no more; an open link stays until whoever speaks over it closes it, and fires what is returned."""
        self._stopped = True
        cancel(self._next)
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        if self._connection is None:
            return succeed(None)
        closed = self._closed = Deferred()
        if not self._connection.opened:
            self._connection.abort()
        return closed

    def abort(self) -> None:
        """Close the link now."""
        if self._connection is not None:
            self._connection.abort()

    def lost(self, connection: LinkConnection, reason: str) -> None:
        """The connection is gone.

        Args:
            connection: that it was.
            reason: for people.
        """
        self._connection = None
        closed, self._closed = self._closed, None
        if closed is not None:
            closed.callback(None)
        elif connection.opened:
            self._delay = FIRST_DELAY
            self._told.clear()
            log.warn("the link to {server} is lost: {reason}", server=connection.server, reason=reason)
        else:
            self._complain(reason)
            self._index = (self._index + 1) % len(self._servers)
        self._again()

    def _connected(self, connection: LinkConnection) -> None:
        self._connecting = None
        if connection.transport is not None:
            self._connection = connection

    def _failed(self, failure: Failure) -> None:
        self._connecting = None
        if self._stopped:  # and so it was cancelled, whatever that is called
            return
        self._complain(_why(failure))
        self._index = (self._index + 1) % len(self._servers)
        self._again()

    def _complain(self, reason: str) -> None:
        """Tell the log why there is no link to a server, once for each reason."""
        server = self._servers[self._index]
        reason = reason.strip()
        if reason != self._told.get(server):
            self._told[server] = reason
            log.warn("there is no link to {server}: {reason}", server=server, reason=reason)

    def _again(self) -> None:
        if self._stopped:
            return
        self._next = self._clock.callLater(self._delay * _chance.uniform(0.8, 1.2), self.start)
        self._delay = min(2 * self._delay, LONGEST_DELAY)


def _why(failure: Failure) -> str:
    """Why nobody was reached, with what can be done about it."""
    if failure.check(TimeoutError):
        return "no answer in time"
    if failure.check(ConnectionRefusedError):
        return "nothing listens there; the broker does once it has a secret for managers (xmpp.managers.secretFile)"
    return failure.getErrorMessage()
