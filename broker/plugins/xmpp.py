"""The plugin that listens for XMPP clients (RFC 6120, XEP-0368)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from broker.config.kinds import TEXT, duration, integer, size
from broker.net.certificate import self_signed
from broker.net.tls import server_context
from broker.plugins.ports import Attributes, Ports, is_loopback
from broker.ports import IPlugin
from broker.xmpp.settings import CERTIFICATE, CLIENT_CA, PRIVATE_KEY, TlsPolicy, settings_of
from broker.xmpp.stream.tcp import Limits, XmppFactory

log = Logger()

ALPN = b"xmpp-client"
NONE = -1


@implementer(IPlugin)
class XmppPlugin:
    """A listener for XMPP clients, with a port for STARTTLS and one for direct TLS; all of them serve the same domain.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``hostname`` (127.0.0.1): address to listen on; ``0.0.0.0`` or ``::`` for all.
    - ``port`` (5222): of clients that start TLS themselves; ``0`` for any free one, ``-1`` for none.
    - ``directTlsPort`` (5223): of clients that begin with TLS; none where ``xmpp.tls`` is off.
    - ``backlog`` (200): connections that may wait to be accepted.
    - ``maxConnections`` (100000), ``maxPendingLoginsTotal`` (20000): connections, and those of them that have not
      logged in.
    - ``maxPendingLogins`` (1000), ``connectionRate`` (100, 0 for any), ``connectionBurst`` (1000): connections of one
      address that have not logged in, new ones a second, and at once. This machine's own address has no such limits,
      as a proxy may stand for many.
    - ``handshakeTimeout`` (15s): until a TLS handshake must be over.
    - ``writeTimeout`` (30s), ``maxUnread`` (128M): a client that reads nothing for so long, or leaves so many bytes
      unread, is let go of.

    What the service does is set by the properties ``xmpp.*``, ``sm.*``, ``idle.*`` and
    ``modules.mod_stream_management.*``.

    Args:
        context: the application.
        plugin_id: as in the plugin file; the name of the port.
        attributes: texts of the plugin file.
    """

    requires = ("sessions",)
    known_attributes = (
        "hostname",
        "port",
        "directTlsPort",
        "backlog",
        "maxConnections",
        "maxPendingLoginsTotal",
        "maxPendingLogins",
        "connectionRate",
        "connectionBurst",
        "handshakeTimeout",
        "writeTimeout",
        "maxUnread",
    )

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._get = Attributes(plugin_id, attributes, self.known_attributes).get
        self._ports = Ports(plugin_id, context)
        self._factories: list[tuple[str, int, XmppFactory]] = []

    async def start(self) -> None:
        """Make use of the service; the ports open when the broker is up (:meth:`listen`).

        Raises:
            BrokerError: ``resource.configuration`` for an attribute, property or certificate that can not be used.
        """
        context = self._context
        settings = settings_of(context.properties)
        limits = Limits(
            handshake_timeout=self._get("handshakeTimeout", duration(1), 15_000) / 1000,
            write_timeout=self._get("writeTimeout", duration(1), 30_000) / 1000,
            max_unread=self._get("maxUnread", size(1 << 20), 128 << 20),
            max_connections=self._get("maxConnections", integer(1), 100_000),
            max_strangers=self._get("maxPendingLoginsTotal", integer(1), 20_000),
            max_pending=self._get("maxPendingLogins", integer(1), 1000),
            rate=self._get("connectionRate", integer(0), 100),
            burst=self._get("connectionBurst", integer(1), 1000),
        )
        self._get("backlog", integer(1), 200)
        loopback = is_loopback(self._host)
        tls_on = settings.tls is not TlsPolicy.OFF
        authorities = CLIENT_CA.get(context.properties)
        contexts = self._tls_contexts(settings.domain, authorities, loopback=loopback) if tls_on else None
        service = context.xmpp.acquire(self)
        for name, default, direct in ((self._id, 5222, False), (f"{self._id}-TLS", 5223, True)):
            number = self._get("directTlsPort" if direct else "port", integer(NONE, 65535), default)
            if number == NONE or (direct and contexts is None):
                continue
            factory = XmppFactory(
                service,
                limits,
                context.reactor,
                tls=contexts[direct] if contexts is not None else None,
                direct_tls=direct,
                loopback=loopback,
                verifies=bool(authorities),
            )
            self._factories.append((name, number, factory))

    async def listen(self) -> None:
        """Open the ports.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        backlog = self._get("backlog", integer(1), 200)
        for name, number, factory in self._factories:
            wrapped: Any = factory
            if factory.direct_tls:
                wrapped = TLSMemoryBIOFactory(factory.tls, False, factory, self._context.reactor)
            await self._ports.listen(name, self._host, number, backlog, wrapped)

    async def unlisten(self) -> None:
        """Close the ports and all their connections; clients get what is on its way to them."""
        await self._ports.close()
        for closing in [factory.close_all() for _, _, factory in self._factories]:
            await closing

    async def stop(self) -> None:
        """Let go of everything."""
        await self.unlisten()
        self._factories.clear()
        self._context.xmpp.release(self)

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening ports."""
        return self._ports.addresses()

    @property
    def _host(self) -> str:
        return self._get("hostname", TEXT, "127.0.0.1").strip() or "127.0.0.1"

    def _tls_contexts(self, domain: str, authorities: str, *, loopback: bool) -> tuple[Any, Any]:
        """Contexts for STARTTLS and for direct TLS."""
        properties = self._context.properties
        given = CERTIFICATE.get(properties)
        if given:
            certificate = Path(given)
        else:
            certificate = self_signed(self._context.data, domain, time.time())
            if not loopback:
                log.warn("XMPP clients from elsewhere get a self-signed certificate; set xmpp.certificate")
            else:
                log.info("XMPP uses the self-signed certificate {path}", path=certificate)
        key = PRIVATE_KEY.get(properties)
        private_key = Path(key) if given and key else None
        client_ca = Path(authorities) if authorities else None

        def context(protocols: Sequence[bytes]) -> Any:
            return server_context(certificate, private_key, client_ca, require_client=False, protocols=protocols)

        return context(()), context((ALPN,))
