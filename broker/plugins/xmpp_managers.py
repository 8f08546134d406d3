"""The plugin that listens for connection managers, which carry the streams of many XMPP clients over a few links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from broker.xmpp.managers.frame_link import FrameLink
from broker.xmpp.managers.link import LinkTransport, ManagerLink
from broker.xmpp.managers.manager_process import FramedSessions, FrameSettings
from broker.xmpp.managers.managers import Managers
from broker.xmpp.managers.settings import AUTHORITIES, secrets_of, settings_of
from broker.xmpp.settings import TlsPolicy


@implementer(IPlugin)
class XmppManagersPlugin:
    """A listener for connection managers, with a port for STARTTLS and one for direct TLS.

    It opens no port until a secret is configured (``xmpp.managers.secret`` and the like). What it does is set by the
    properties ``xmpp.managers.*``; clients are served as those of the plugin ``XMPP``.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``hostname`` (127.0.0.1): address to listen on; ``0.0.0.0`` or ``::`` for all.
    - ``port`` (5262): of managers that start TLS themselves, or do without; ``0`` for any free one, ``-1`` for none.
    - ``directTlsPort`` (5263): of managers that begin with TLS; none where ``xmpp.managers.tls`` is off.
    - ``backlog`` (50): connections that may wait to be accepted.
    - ``proxyProtocol`` (none), see :attr:`broker.plugins.ports.Attributes.proxies`.
    - the limits of all listeners, here of links, see :func:`broker.plugins.ports.limits_of`.

    Args:
        context: the application.
        plugin_id: as in the plugin file; the name of the port.
        attributes: texts of the plugin file.
    """

    requires = ("sessions",)
    known_attributes = XmppPorts.ATTRIBUTES
    property_prefixes = (*XMPP_PREFIXES, "xmpp.managers.")

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._certificate = Certificate(context, "connection managers")
        self._ports: XmppPorts | None = None
        self._managers: Managers | None = None
        self._frames: FramedSessions | None = None

    async def start(self) -> None:
        """Make use of the service, if there is a secret; the ports open when the broker is up (:meth:`listen`).

        Raises:
            BrokerError: ``resource.configuration`` for an attribute, property, file or certificate that cannot be used.
        """
        context = self._context
        settings = settings_of(context.properties)
        secrets = secrets_of(context.properties)
        limits = limits_of(self._attributes)
        ports = XmppPorts(self._id, context, self._attributes, (5262, 5263), backlog=50)
        if not secrets:
            return
        self._ports = ports
        loopback = is_loopback(self._attributes.host)
        tls_on = settings.tls is not TlsPolicy.OFF
        required = settings.tls is TlsPolicy.REQUIRED or (settings.tls is TlsPolicy.AUTO and not loopback)
        required = required or bool(settings.authorities)
        authorities = settings.authorities
        contexts = (
            self._certificate.contexts(
                Alpn(),
                Alpn(),
                loopback=loopback,
                authorities=authorities,
                authorities_name=AUTHORITIES.name,
                require=bool(authorities),
            )
            if tls_on
            else None
        )
        service = context.xmpp.acquire(self)
        pressure = StorePressure(context.broker.node.store)
        self._frames = frames = FramedSessions(
            FrameSettings(
                service,
                context.reactor,
                context.turns,
                pressure,
                replace(
                    limits,
                    max_connections=settings.max_sessions,
                    max_strangers=settings.max_pending,
                    max_pending=settings.max_pending_address,
                ),
                service.refusals.tell,
                grace=settings.grace,
                idle=settings.idle,
                certificates=settings.certificates,
            )
        )

        def make_frames(transport: LinkTransport, name: str) -> FrameLink:
            return FrameLink(frames, transport, name, transport.peer)

        self._managers = managers = Managers(
            service, settings, secrets, context.reactor, context.turns, pressure=pressure, make_frames=make_frames
        )

        def make_stream(connection: Connection, host: str) -> ManagerLink:
            return ManagerLink(managers, connection, host, tls=tls_on, tls_required=required)

        terms = TransportSettings(context.reactor, context.turns, limits)
        ports.add(make_stream, terms, contexts, service.refusals.tell)

    async def listen(self) -> None:
        """Open the ports.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        if self._ports is not None:
            await self._ports.open()

    async def unlisten(self) -> None:
        """Close the ports and all links; clients get what is on its way to them, and managers are told."""
        if self._ports is not None:
            await self._ports.close()
        if self._managers is not None:
            self._managers.stop()
        if self._frames is not None:
            self._frames.stop()

    async def stop(self) -> None:
        """Let go of everything."""
        await self.unlisten()
        self._ports = None
        if self._managers is not None:
            self._managers = self._frames = None
            self._context.xmpp.release(self)

    def reload(self) -> None:
        """Read secrets and the certificate again, for new links, and tell managers what has changed for their clients.

        Raises:
            BrokerError: ``resource.configuration`` where a file cannot be used; what was read before stays in use.
        """
        if self._managers is not None:
            self._managers.reload(secrets_of(self._context.properties))
            self._certificate.reload()

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening ports."""
        return () if self._ports is None else self._ports.addresses()

    def listeners(self) -> Sequence[tuple[str, Listener]]:
        """The listeners, by their names."""
        return () if self._ports is None else self._ports.listeners()
