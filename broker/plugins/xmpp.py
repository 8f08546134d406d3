"""The plugin that listens for XMPP clients (RFC 6120, XEP-0368)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from broker.net.listener import Listener
from broker.net.store_pressure import StorePressure
from broker.net.tls import Alpn
from broker.net.transport import Connection, TransportSettings
from broker.plugins.certificate import Certificate
from broker.plugins.ports import Attributes, is_loopback, limits_of
from broker.plugins.xmpp_ports import XMPP_PREFIXES, XmppPorts
from broker.ports import IPlugin
from broker.xmpp.settings import CLIENT_CA, TlsPolicy, settings_of
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.over_tcp import client_over_tcp

ALPN = (Alpn((b"xmpp-client",)), Alpn((b"xmpp-client",), required=True))
"""For STARTTLS and for direct TLS: a port for the latter is found by it (XEP-0368 §4)."""


@implementer(IPlugin)
class XmppPlugin:
    """A listener for XMPP clients, with a port for STARTTLS and one for direct TLS; all of them serve the same domain.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``hostname`` (127.0.0.1): address to listen on; ``0.0.0.0`` or ``::`` for all.
    - ``port`` (5222): of clients that start TLS themselves; ``0`` for any free one, ``-1`` for none.
    - ``directTlsPort`` (5223): of clients that begin with TLS; none where ``xmpp.tls`` is off.
    - ``backlog`` (200): connections that may wait to be accepted.
    - ``proxyProtocol`` (none), see :attr:`broker.plugins.ports.Attributes.proxies`.
    - the limits of all listeners, see :func:`broker.plugins.ports.limits_of`.

    What the service does is set by the properties ``xmpp.*``, ``sm.*``, ``idle.*`` and
    ``modules.mod_stream_management.*``.

    Args:
        context: the application.
        plugin_id: as in the plugin file; the name of the port.
        attributes: texts of the plugin file.
    """

    requires = ("sessions",)
    known_attributes = XmppPorts.ATTRIBUTES
    property_prefixes = XMPP_PREFIXES

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._certificate = Certificate(context, "XMPP clients")
        self._ports: XmppPorts | None = None

    async def start(self) -> None:
        """Make use of the service; the ports open when the broker is up (:meth:`listen`).

        Raises:
            BrokerError: ``resource.configuration`` for an attribute, property or certificate that cannot be used.
        """
        context = self._context
        settings = settings_of(context.properties)
        limits = limits_of(self._attributes)
        self._ports = ports = XmppPorts(self._id, context, self._attributes, (5222, 5223), backlog=200)
        loopback = is_loopback(self._attributes.host)
        tls_on = settings.tls is not TlsPolicy.OFF
        authorities = CLIENT_CA.get(context.properties)
        contexts = self._certificate.contexts(*ALPN, loopback=loopback, authorities=authorities) if tls_on else None
        service = context.xmpp.acquire(self)

        def make_stream(connection: Connection, host: str) -> StreamConnection:
            return client_over_tcp(service, connection, host, loopback=loopback)

        pressure = StorePressure(context.broker.node.store)
        terms = TransportSettings(context.reactor, context.turns, limits, pressure)
        ports.add(make_stream, terms, contexts, service.refusals.tell)

    async def listen(self) -> None:
        """Open the ports.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        if self._ports is not None:
            await self._ports.open()

    async def unlisten(self) -> None:
        """Close the ports and all their connections; clients get what is on its way to them."""
        if self._ports is not None:
            await self._ports.close()

    async def stop(self) -> None:
        """Let go of everything."""
        await self.unlisten()
        self._ports = None
        self._context.xmpp.release(self)

    def reload(self) -> None:
        """Read the certificate again, for new connections; one that the broker made is made anew in time.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used; the old one stays in use.
        """
        self._certificate.reload()

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening ports."""
        return () if self._ports is None else self._ports.addresses()

    def listeners(self) -> Sequence[tuple[str, Listener]]:
        """The listeners, by their names."""
        return () if self._ports is None else self._ports.listeners()
