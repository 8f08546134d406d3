"""Where updates for a client of XML-RPC go, by its connect (spec doors §1.1, §1.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from broker.core.node import Node
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos
from broker.native.callback_hosts import CallbackHosts, DialPace
from broker.native.callback_types import XMLRPC, check_type, is_of_type
from broker.native.xmlrpc.caller import Caller
from broker.native.xmlrpc.remote import RemoteServer

log = Logger()

_PORTS = {"http": 80, "https": 443}


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
    """The client has a server of its own for its updates, which is called where the configuration lets it be.

    Args:
        node: of the core.
        caller: calls it; ``None`` where none is called.
        hosts: that may be called.
    """

    def __init__(self, node: Node, caller: Caller | None, hosts: CallbackHosts) -> None:
        self._node = node
        self._caller = caller
        self._hosts = hosts
        self._pace = DialPace()

    def prepare(self, qos: ConnectQos, peer: str) -> Callable[[Session], Deferred[Any]] | None:
        """See :meth:`broker.native.service.Dialer.prepare`.

        Raises:
            BrokerError: ``resource.configuration.address`` for an address that cannot be read or must not be called,
                ``….pluginFailed`` for one of another protocol.
        """
        check_type(qos, XMLRPC)
        if qos.callback is None:
            return None
        if self._caller is None:
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION_ADDRESS,
                "the broker calls no servers of clients over XML-RPC: connect with connectSingleChannel and ask for"
                " updates with updateRequest, or have callbackServer of the plugin set",
            )
        url = self._permitted(qos.callback.raw, peer)
        return partial(self._dial, self._caller, url)

    def adopt(self, sessions: Iterable[Session]) -> None:
        """Reach sessions from the store at the servers that their clients named, where that is still permitted."""
        for session in sessions:
            callback = session.qos.callback
            if self._caller is None or callback is None or not is_of_type(callback, XMLRPC):
                continue
            if not callback.raw.strip():  # it asks for its updates
                continue
            try:
                url = self._permitted(callback.raw, "")
            except BrokerError as error:  # the session waits for its client to come back by itself
                log.error("{name} is not called back: {reason}", name=session.name.relative, reason=str(error))
                continue
            session.dispatch.dial = partial(self._dial, self._caller, url, session)

    def _permitted(self, raw: str, peer: str) -> str:
        """The URL of a server that may be called."""
        url = raw.strip()
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        if parts.scheme not in _PORTS or not host or parts.username is not None or not url.isascii():
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION_ADDRESS,
                f"the callback address '{url[:256]}' is not of the form http://host:port/path",
            )
        self._hosts.check(host, port or _PORTS[parts.scheme], peer)
        return url

    async def _reach(self, caller: Caller, url: str, session: Session) -> RemoteServer:
        """The server, which is there: it has answered a ping, with whatever."""
        delay = self._pace.delay(session.subject.name, session.id, self._node.monotonic())
        if delay > 0:
            await deferLater(self._node.clock, delay)
        server = RemoteServer(self._node, session, caller, url)
        await server.greet()
        return server

    def _dial(self, caller: Caller, url: str, session: Session) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._reach(caller, url, session))
