"""Where a client connects to: one place, or several, of which one is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory

from broker.client.connection import ClientConnection
from broker.errors import BrokerError, Code


class Addresses:
    """Opens connections to a broker, one at a time: where it was last, else at the next place that is open.

    Args:
        reactor: to connect with.
        places: hosts and ports of the broker.
        tls: a context, or a function that makes one for a host; ``None`` without TLS.
        timeout: seconds to wait for a connection to each.
    """

    def __init__(self, reactor: Any, places: Sequence[tuple[str, int]], *, tls: Any, timeout: float) -> None:
        self._endpoints: list[Any] = []
        for host, port in places:
            endpoint: Any = HostnameEndpoint(reactor, host, port, timeout=timeout)
            context = tls(host) if callable(tls) else tls
            self._endpoints.append(endpoint if context is None else wrapClientTLS(context, endpoint))
        self._names = [f"{host}:{port}" for host, port in places]
        self._at = 0  # the place that is tried first
        self._opening: Deferred[Any] | None = None

    async def open(self, build: Callable[[], ClientConnection]) -> ClientConnection:
        """Connect.

        Args:
            build: makes the connection's protocol.

        Raises:
            BrokerError: ``communication.noConnection``, with why the last place was not open.
        """
        for number in range(len(self._endpoints)):
            place = (self._at + number) % len(self._endpoints)
            try:
                connection = await self._open(place, build)
            except BrokerError as error:
                failure = error
                if isinstance(error.__cause__, CancelledError):
                    break
            else:
                self._at = place
                return connection
        raise failure

    async def _open(self, place: int, build: Callable[[], ClientConnection]) -> ClientConnection:
        made: list[ClientConnection] = []

        def built() -> ClientConnection:
            made.append(build())
            return made[-1]

        self._opening = self._endpoints[place].connect(Factory.forProtocol(built))
        try:
            await self._opening
        except Exception as error:
            reason = f"no connection to {self._names[place]}: {error}"
            raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason) from error
        finally:
            self._opening = None
        return made[-1]

    def cancel(self) -> None:
        """Do not wait for a connection any more."""
        if self._opening is not None:
            self._opening.cancel()
