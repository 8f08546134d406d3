"""The plugin that listens for clients of the native protocol over XML-RPC (requirement ``protocol.xmlrpc``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from broker.config.kinds import BOOLEAN, integer
from broker.native.service import NativeService
from broker.native.xmlrpc.callbacks import ServerCallbacks
from broker.native.xmlrpc.caller import Caller
from broker.native.xmlrpc.calls import Calls
from broker.native.xmlrpc.door import XmlRpcDoor
from broker.native.xmlrpc.settings import MAX_BODY, MAX_POLLS
from broker.net.http.exchange import refusal_without_body
from broker.net.http.limits import HttpLimits
from broker.net.http.site import Site, admit_all
from broker.net.tls import Alpn, ServerContext
from broker.plugins.native_listener import TLS_ATTRIBUTES, ListenerTls, callback_hosts_of
from broker.plugins.ports import PROXY_PROTOCOL, Attributes, Ports
from broker.ports import IPlugin

NONE = -1
"""In the place of the port's number."""
MAX_STRANGER_BODY = 64 << 10
MAX_BODIES = 256 << 20
"""Bytes of calls that are not complete yet, in memory."""
ALPN = Alpn((b"http/1.1",))


@implementer(IPlugin)
class XmlRpcPlugin:
    """One port of HTTP, whose every path takes calls. It opens only where it is given a number.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``hostname`` (127.0.0.1): address to listen on; ``0.0.0.0`` or ``::`` for all.
    - ``port`` (-1, none; 8080 by custom): ``0`` for any free one.
    - ``hosts`` (none): comma list of more names by which the port may be asked, beside ``hostname`` and those of this
      machine.
    - ``backlog`` (50): connections that may wait to be accepted.
    - ``SSL`` (false), ``certificate``, ``privateKey``, ``clientCertificates``: as of the plugin SOCKET.
    - ``callbackServer`` (false): clients may name a server of their own that takes their updates.
    - ``callbackHosts`` (none): comma list of hosts, or ``host:port``, whose servers the broker calls, as of the plugin
      SOCKET.
    - ``maxConnections`` (10000), ``maxConnectionsOfAddress`` (200): connections, and those of one address.
    - ``proxyProtocol`` (none), see :attr:`broker.plugins.ports.Attributes.proxies`.

    Args:
        context: the application.
        plugin_id: as in the plugin file; the name of the port.
        attributes: texts of the plugin file.
    """

    requires = ("sessions",)
    known_attributes = (
        "hostname",
        "port",
        "hosts",
        "backlog",
        *TLS_ATTRIBUTES,
        "callbackServer",
        "callbackHosts",
        "maxConnections",
        "maxConnectionsOfAddress",
        PROXY_PROTOCOL,
    )
    property_prefixes = ("xmlrpc.",)

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._get = self._attributes.get
        self._ports = Ports(plugin_id, context)
        self._calls: Calls | None = None
        self._site: Site | None = None
        self._tls = ListenerTls(self._attributes, plugin_id, ALPN)

    async def start(self) -> None:
        """Read the attributes; the port opens when the broker is up (:meth:`listen`).

        Raises:
            BrokerError: ``resource.configuration`` for an attribute that cannot be used.
        """
        get, context = self._get, self._context
        self._ports.proxies = self._attributes.proxies
        if get("port", integer(NONE, 65535), NONE) == NONE:
            return
        self._tls.read()
        broker = context.broker
        caller = Caller(context.reactor) if get("callbackServer", BOOLEAN, False) else None
        callbacks = ServerCallbacks(broker.node, caller, callback_hosts_of(self._attributes, context))
        callbacks.adopt(broker.node.sessions.values())
        service = NativeService(broker, context.native_login, callbacks, run_level=lambda: str(context.run_levels.name))
        self._calls = Calls(service, callbacks, MAX_POLLS.get(context.properties))
        door = XmlRpcDoor(broker.node, self._calls, MAX_BODY.get(context.properties))
        limits = HttpLimits(
            max_connections=get("maxConnections", integer(1), 10_000),
            max_of_address=get("maxConnectionsOfAddress", integer(1), 200),
            max_body=MAX_STRANGER_BODY,
            max_bodies=MAX_BODIES,
            request_timeout=60.0,
        )
        self._site = Site(
            door.router(),
            admit_all,
            context.reactor,
            hosts=[self._attributes.host, *self._attributes.listed("hosts")],
            limits=limits,
            refuse=refusal_without_body,
            folder=context.data,
        )

    async def listen(self) -> None:
        """Open the port.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        site = self._site
        if site is not None:
            tls = self._tls.context
            factory = site if tls is None else TLSMemoryBIOFactory(tls, False, site, self._context.reactor)
            number, backlog = self._get("port", integer(NONE, 65535), NONE), self._get("backlog", integer(1), 50)
            await self._ports.listen(self._id, self._attributes.host, number, backlog, factory)

    async def unlisten(self) -> None:
        """Close the port and all its connections; what is being served is answered, who waits for updates gets none."""
        await self._ports.close()
        if self._calls is not None:
            self._calls.shut_down()
        if self._site is not None:
            await self._site.close_all()

    async def stop(self) -> None:
        """Let go of everything."""
        await self.unlisten()
        self._site = self._calls = None

    def reload(self) -> None:
        """Read the certificate again, for new connections.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used; the old one stays in use.
        """
        self._tls.reload()

    @property
    def tls(self) -> ServerContext | None:
        """What its port shows; ``None`` without TLS."""
        return self._tls.context

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening port."""
        return self._ports.addresses()
