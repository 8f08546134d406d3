"""Where a client connects to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory

from broker.client.connection import ClientConnection
from broker.errors import BrokerError, Code


class Address:
    """Opens connections to a broker, one at a time.

    Args:
        reactor: to connect with.
        host: of the broker.
        port: of the broker.
        tls: a context, or ``None``.
        timeout: seconds to wait for a connection.
    """

    def __init__(self, reactor: Any, host: str, port: int, *, tls: Any, timeout: float) -> None:
        self._name = f"{host}:{port}"
        endpoint: Any = HostnameEndpoint(reactor, host, port, timeout=timeout)
        self._endpoint = endpoint if tls is None else wrapClientTLS(tls, endpoint)
        self._opening: Deferred[Any] | None = None

    async def open(self, build: Callable[[], ClientConnection]) -> ClientConnection:
        """Connect.

        Args:
            build: makes the connection's protocol.

        Raises:
            BrokerError: ``communication.noConnection``.
        """
        made: list[ClientConnection] = []

        def built() -> ClientConnection:
            made.append(build())
            return made[-1]

        self._opening = self._endpoint.connect(Factory.forProtocol(built))
        try:
            await self._opening
        except Exception as error:
            reason = f"no connection to {self._name}: {error}"
            raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason) from error
        finally:
            self._opening = None
        return made[-1]

    def cancel(self) -> None:
        """Do not wait for a connection any more."""
        if self._opening is not None:
            self._opening.cancel()
