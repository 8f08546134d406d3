"""Where updates for a client of XML-RPC go, by its connect (spec doors §1.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos
from broker.native.callback_types import XMLRPC, check_type


class PolledCallbacks:
    """The client asks for its updates: the single channel."""

    def prepare(self, qos: ConnectQos, peer: str) -> Callable[[Session], Deferred[Any]] | None:
        """See :meth:`broker.native.service.Dialer.prepare`.

        Raises:
            BrokerError: ``resource.configuration.pluginFailed`` for a callback of another protocol.
        """
        check_type(qos, XMLRPC)
        return None


class ServerCallbacks:
    """The client has a server of its own for its updates, which is not called: it is refused, and told what to do."""

    def prepare(self, qos: ConnectQos, peer: str) -> Callable[[Session], Deferred[Any]] | None:
        """See :meth:`broker.native.service.Dialer.prepare`.

        Raises:
            BrokerError: ``resource.configuration.address`` where the connect names a server, ``….pluginFailed`` for a
                callback of another protocol.
        """
        check_type(qos, XMLRPC)
        if qos.callback is not None:
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION_ADDRESS,
                "the broker calls no servers of clients over XML-RPC: connect with connectSingleChannel, and ask for"
                " updates with updateRequest",
            )
        return None
