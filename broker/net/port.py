"""Opening a port, and saying why that is not possible."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory

from broker.errors import BrokerError, Code


async def open_port(
    reactor: Any,
    host: str,
    number: int,
    backlog: int,
    factory: IProtocolFactory,
    *,
    who: str,
    advice: str,
    address: str,
) -> Any:
    """Listen on a port.

    Args:
        reactor: the reactor.
        host: address to listen on.
        number: of the port; 0 for any free one.
        backlog: connections that may wait to be accepted.
        factory: makes the connections.
        who: listens, for the error.
        advice: what can be done where another program uses the port, for the error.
        address: what the setting is called that gives the host, for the error.

    Returns:
        The port.

    Raises:
        BrokerError: ``resource.configuration.address`` where that is not possible.
    """
    endpoint: Any = (TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint)(reactor, number, backlog, host)
    try:
        return await endpoint.listen(factory)
    except CannotListenError as error:
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION_ADDRESS,
            f"{who} cannot listen on {host}:{number}: {error.socketError}; {_hint(error, advice, address)}",
        ) from error


def _hint(error: CannotListenError, advice: str, address: str) -> str:
    """What can be done about it."""
    cause = error.socketError
    if isinstance(cause, socket.gaierror) or getattr(cause, "errno", None) == errno.EADDRNOTAVAIL:
        return f"{address} must be an address of this machine"
    if getattr(cause, "errno", None) == errno.EACCES:
        return "ports below 1024 need a permission of the system"
    return f"another program may use it{advice}"
