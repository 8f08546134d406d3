"""The plugin that serves XMPP clients over HTTP: WebSocket, BOSH, and where they are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from broker.config.kinds import integer
from broker.net.http.exchange import refusal_without_body
from broker.net.http.limits import HttpLimits
from broker.net.http.routes import Route, Router
from broker.net.http.site import Site, admit_all
from broker.net.listener import Listener
from broker.net.store_pressure import StorePressure
from broker.net.tls import Alpn, ServerContext
from broker.net.transport import TransportSettings
from broker.plugins.certificate import Certificate
from broker.plugins.ports import LIMITS, PROXY_PROTOCOL, Attributes, Ports, is_loopback, limits_of
from broker.plugins.xmpp_ports import XMPP_PREFIXES
from broker.ports import IPlugin
from broker.xmpp.bosh.sessions import BoshSessions
from broker.xmpp.bosh.settings import bosh_settings_of
from broker.xmpp.settings import CLIENT_CA, TlsPolicy, settings_of
from broker.xmpp.web.bosh_door import BoshDoor
from broker.xmpp.web.entrance import Entrance
from broker.xmpp.web.host_meta import host_meta_routes, links_of
from broker.xmpp.web.settings import WebSettings, web_settings_of
from broker.xmpp.web.websocket_door import WebSocketDoor

NONE = -1
"""In the place of a port's number."""
MAX_BODIES = 64 << 20
"""Bytes of all requests that are not complete yet."""
ALPN = Alpn((b"http/1.1",))


@implementer(IPlugin)
class WebPlugin:
    """A site with ``/ws``, ``/http-bind`` and ``/.well-known/host-meta``, on a port without TLS and one with it.

    No port is open until one of them is given a number.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``hostname`` (127.0.0.1): address to listen on; ``0.0.0.0`` or ``::`` for all.
    - ``port`` (-1, by custom 5280): without TLS, for a proxy that has it; ``0`` for any free port, ``-1`` for none.
    - ``tlsPort`` (-1, by custom 5281): with TLS; none where ``xmpp.tls`` is off.
    - ``trustedProxies`` (none): comma list of addresses that are believed what they say in ``X-Forwarded-For`` and
      ``X-Forwarded-Proto``.
    - ``backlog`` (200): connections that may wait to be accepted.
    - ``proxyProtocol`` (none), see :attr:`broker.plugins.ports.Attributes.proxies`.
    - the limits of all listeners, see :func:`broker.plugins.ports.limits_of`.

    What the service does is set by the properties ``web.*``, ``websocket.*``, ``bosh.*``, ``xmpp.*``, ``sm.*`` and
    ``idle.ws``.

    Args:
        context: the application.
        plugin_id: as in the plugin file; the name of the port.
        attributes: texts of the plugin file.
    """

    requires = ("sessions",)
    known_attributes = ("hostname", "port", "tlsPort", "trustedProxies", "backlog", PROXY_PROTOCOL, *LIMITS)
    property_prefixes = XMPP_PREFIXES

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._certificate = Certificate(context, "XMPP clients over HTTP")
        self._ports = Ports(plugin_id, context)
        self._doors: list[tuple[str, int, ServerContext | None, Site, Listener]] = []
        self._sessions: BoshSessions | None = None
        self._is_user = False

    async def start(self) -> None:
        """Make use of the service; the ports open when the broker is up (:meth:`listen`).

        Raises:
            BrokerError: ``resource.configuration`` for an attribute, property or certificate that cannot be used.
        """
        get, context = self._attributes.get, self._context
        settings, web = settings_of(context.properties), web_settings_of(context.properties)
        bosh = bosh_settings_of(context.properties)
        limits = limits_of(self._attributes)
        numbers = {
            self._id: get("port", integer(NONE, 65535), NONE),
            f"{self._id}-TLS": get("tlsPort", integer(NONE, 65535), NONE),
        }
        proxies = self._attributes.addresses("trustedProxies")
        self._ports.proxies = self._attributes.proxies
        wanted = {name: number for name, number in numbers.items() if number != NONE}
        if not wanted:
            return
        loopback = is_loopback(self._attributes.host)
        tls = None
        if f"{self._id}-TLS" in wanted and settings.tls is not TlsPolicy.OFF:
            authorities = CLIENT_CA.get(context.properties)
            (tls,) = self._certificate.contexts(ALPN, loopback=loopback, authorities=authorities)
        service = context.xmpp.acquire(self)
        self._is_user = True
        terms = TransportSettings(context.reactor, context.turns, limits, StorePressure(context.broker.node.store))
        sessions = BoshSessions(service, bosh, context.turns, terms.pressure)
        await sessions.recover()
        self._sessions = sessions
        entrance = Entrance(service, proxies=proxies, loopback=loopback)
        for name, number in wanted.items():
            is_tls = name != self._id
            if is_tls and tls is None:
                continue
            terms_here = replace(terms, tls=tls, direct_tls=True) if is_tls else terms
            listener = Listener(None, terms_here, service.refusals.tell)
            door = WebSocketDoor(entrance, service, listener, origins=web.origins)
            over_bosh = BoshDoor(entrance, sessions, origins=bosh.origins)
            routes = [door.route(), *over_bosh.routes(), *host_meta_routes(links_of(web.public_url))]
            site = self._site(routes, web, settings.domain, bosh.max_body)
            self._doors.append((name, number, tls if is_tls else None, site, listener))

    async def listen(self) -> None:
        """Open the ports.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        backlog = self._attributes.get("backlog", integer(1), 200)
        for name, number, tls, site, _ in self._doors:
            factory = site if tls is None else TLSMemoryBIOFactory(tls, False, site, self._context.reactor)
            await self._ports.listen(name, self._attributes.host, number, backlog, factory)

    async def unlisten(self) -> None:
        """Close the ports and all their connections; clients get what is on its way to them."""
        await self._ports.close()
        if self._sessions is not None:
            self._sessions.shut_down()
        closing = [[site.close_all(), listener.close_all()] for _, _, _, site, listener in self._doors]
        for each in [each for pair in closing for each in pair]:
            await each

    async def stop(self) -> None:
        """Let go of everything."""
        await self.unlisten()
        self._doors = []
        if self._is_user:
            self._context.xmpp.release(self)
            self._is_user = False

    def reload(self) -> None:
        """Read the certificate again, for new connections; one that the broker made is made anew in time.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used; the old one stays in use.
        """
        self._certificate.reload()

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening ports."""
        return self._ports.addresses()

    def listeners(self) -> Sequence[tuple[str, Listener]]:
        """The listeners, by their names: of the connections that were upgraded."""
        return [(name, listener) for name, _, _, _, listener in self._doors]

    def _site(self, routes: Sequence[Route], web: WebSettings, domain: str, max_body: int) -> Site:
        return Site(
            Router(routes),
            admit_all,
            self._context.reactor,
            hosts=[domain, self._attributes.host, *web.hosts],
            limits=HttpLimits(max_connections=100_000, max_of_address=200, max_body=max_body, max_bodies=MAX_BODIES),
            refuse=refusal_without_body,
        )
