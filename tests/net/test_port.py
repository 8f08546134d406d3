"""A port that cannot be opened is told with what can be done about it."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code
from broker.net.port import open_port


class Reactor(MemoryReactor):
    """Listens nowhere."""

    def __init__(self, cause: OSError) -> None:
        super().__init__()
        self._cause = cause

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """It cannot be."""
        raise CannotListenError(interface, port, self._cause)


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "another program may use it: stop it"),
        (
            OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
            "hostname must be an address of this machine",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "hostname must be an address of this machine",
        ),
        (PermissionError(errno.EACCES, "Permission denied"), "ports below 1024 need a permission of the system"),
    ],
)
def test_why_a_port_cannot_be_opened(cause: OSError, advice: str) -> None:
    failures: list[Failure] = []
    opening = open_port(
        Reactor(cause), "127.0.0.1", 80, 50, Factory(), who="it", advice=": stop it", address="hostname"
    )
    ensureDeferred(opening).addErrback(failures.append)
    error = failures[0].value
    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_CONFIGURATION_ADDRESS
    assert error.message == f"it cannot listen on 127.0.0.1:80: {cause}; {advice}"
