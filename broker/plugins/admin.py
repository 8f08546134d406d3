"""The plugin of administration over HTTP: health, what there is to see as JSON, and the console for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from broker.admin.api.events import write_event
from broker.admin.api.gate import Gate
from broker.admin.api.operations import Operation, routes_of
from broker.admin.api.rates import RequestRates
from broker.admin.api.table import Parts, all_operations, public_operations
from broker.admin.census import Census
from broker.admin.console import console_routes
from broker.admin.disk_reads import DiskReads
from broker.admin.event_followers import EventFollowers
from broker.admin.event_log import EventLog, LoggedEvents
from broker.admin.findings.alarms import Alarms, tell_alarm
from broker.admin.findings.watch import Watch
from broker.admin.followers import Followers
from broker.admin.health import Health
from broker.admin.history import History
from broker.admin.history_series import HISTORY_SERIES
from broker.admin.http_counts import HttpCounts
from broker.admin.metrics.sources import Sources
from broker.admin.metrics.table import METRICS
from broker.admin.roles import SocketRole
from broker.admin.store_files import StoreFiles
from broker.admin.streams import Streams
from broker.admin.tails import Tails
from broker.admin.works import Works
from broker.config.kinds import BOOLEAN, TEXT, choice, integer
from broker.exposition.reactor_lag import ReactorLag
from broker.exposition.text import Exposition
from broker.logs.counts import LineCounts
from broker.model.host import network_of
from broker.net.http.exchange import Call, Credentials
from broker.net.http.routes import Cost, Router
from broker.net.http.site import Site
from broker.net.tls import Alpn, ServerContext, server_context
from broker.net.unix_socket import credentials_of, open_unix_socket
from broker.plugins.ports import Attributes, Ports, is_loopback
from broker.ports import IPlugin
from broker.xmpp.settings import CERTIFICATE, PRIVATE_KEY

log = Logger()

NONE = -1
"""In the place of a port's number."""
SOCKET_FILE = "admin.sock"
BACKLOG = 50
ALPN = Alpn((b"http/1.1",))


@implementer(IPlugin)
class AdminPlugin:
    """A Unix socket and ports for administration, which are open from run level 1 on: a recovery can be watched.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``socket`` (``admin.sock`` in the data directory): file of the Unix socket. Root and the user of the broker are
      administrators there.
    - ``socketGroup`` (none): group whose members may use it, too, with the role ``socketRole`` (monitoring).
    - ``hostname`` (127.0.0.1), ``port`` (7609): of HTTP; ``0`` for any free port, ``-1`` for none.
    - ``certificate``, ``privateKey``: PEM files for TLS. On an address that others can reach TLS is required; where
      none are given those of XMPP are used. ``plainBehindProxy`` (false) lets it be without, behind what speaks TLS.
    - ``hosts`` (none): comma list of more names by which the ports may be asked, beside ``hostname`` and those of this
      machine.
    - ``metricsHostname`` (127.0.0.1), ``metricsPort`` (-1): of a second port with ``/health/…`` and ``/metrics`` only,
      for everybody who reaches it.

    Args:
        context: the application.
        plugin_id: as in the plugin file; the name of the port.
        attributes: texts of the plugin file.
    """

    known_attributes = (
        "socket",
        "socketGroup",
        "socketRole",
        "hostname",
        "port",
        "certificate",
        "privateKey",
        "plainBehindProxy",
        "hosts",
        "metricsHostname",
        "metricsPort",
    )

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._get = self._attributes.get
        self._ports = Ports(plugin_id, context)
        self._census = Census(context)
        self._lag = ReactorLag(context.reactor)
        self._rates = RequestRates(context.reactor, lambda: self._lag.latest)
        self._lines = LineCounts()
        self._answers = HttpCounts()
        health, files = Health(context), StoreFiles(context.properties, context.data)
        self._followers = Followers(context.reactor)
        sources = Sources(context, health, self._census, self._lag, self._answers, self._lines, files, self._followers)
        watch = Watch(sources)
        self._alarms = Alarms(watch, context.reactor)
        self._alarms.on_change.append(partial(tell_alarm, context.events))
        self._event_log = EventLog(context.events)
        self._event_followers = EventFollowers(self._event_log, self._followers, write_event)
        self._tails = Tails(context, self._followers)
        self._logged = LoggedEvents(context.events, context.reactor)
        self._history = History(HISTORY_SERIES, sources, context.reactor)
        self._streams = Streams(context.reactor, self._followers)
        self._parts = Parts(
            instance=context,
            access=context.access,
            health=health,
            census=self._census,
            files=files,
            exposition=Exposition(METRICS, sources),
            history=self._history,
            streams=self._streams,
            reads=DiskReads(context),
            works=Works(),
            alarms=self._alarms,
            watch=watch,
            event_log=self._event_log,
            followers=self._event_followers,
            tails=self._tails,
        )
        self._sites: list[Site] = []
        self._socket: Any = None
        self._tls: ServerContext | None = None

    async def start(self) -> None:
        """Open the Unix socket and the ports.

        Raises:
            BrokerError: ``resource.configuration`` for an attribute or a port that cannot be used.
        """
        get, host = self._get, self._attributes.host
        group, role = get("socketGroup", TEXT, "").strip(), get("socketRole", choice(SocketRole), SocketRole.MONITORING)
        number = get("port", integer(NONE, 65535), 7609)
        metrics_host = get("metricsHostname", TEXT, "").strip() or "127.0.0.1"
        metrics_number = get("metricsPort", integer(NONE, 65535), NONE)
        named = self._attributes.listed("hosts")
        self._tls = self._server_context(host) if number != NONE else None
        behind_proxy = get("plainBehindProxy", BOOLEAN, False)
        gate = Gate(self._context.access, role, behind_proxy=behind_proxy)
        try:
            self._open_socket(self._site(all_operations(self._parts, gate), gate, named, over_socket=True), group)
            if number != NONE:
                site = self._site(all_operations(self._parts, gate), gate, [host, *named], console=True)
                await self._ports.listen(self._id, host, number, BACKLOG, self._secured(site))
            if metrics_number != NONE:
                public = Gate(public=True)
                site = self._site(public_operations(self._parts, public), public, [metrics_host, *named])
                await self._ports.listen(f"{self._id}-METRICS", metrics_host, metrics_number, BACKLOG, site)
        except Exception:
            await self.stop()
            raise
        globalLogPublisher.addObserver(self._lines)
        globalLogPublisher.addObserver(self._logged)
        self._event_log.start()
        self._lag.start()
        self._census.start()
        self._history.start()
        self._alarms.start()

    async def stop(self) -> None:
        """Close everything; what is being served is answered."""
        self._alarms.stop()
        self._history.stop()
        self._census.stop()
        self._lag.stop()
        globalLogPublisher.removeObserver(self._lines)
        globalLogPublisher.removeObserver(self._logged)
        self._event_log.stop()
        self._tails.stop()
        self._followers.stop()
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.stopListening()
        await self._ports.close()
        sites, self._sites = self._sites, []
        for closing in [site.close_all() for site in sites]:
            await closing

    def reload(self) -> None:
        """Read the certificate again, for new connections.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used; the old one stays in use.
        """
        if self._tls is not None:
            self._tls.reload(time.time())

    @property
    def tls(self) -> ServerContext | None:
        """What its ports show; ``None`` for those without TLS."""
        return self._tls

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening ports."""
        return self._ports.addresses()

    def _site(
        self,
        operations: Sequence[Operation],
        gate: Gate,
        hosts: Sequence[str],
        *,
        over_socket: bool = False,
        console: bool = False,
    ) -> Site:
        page = console_routes() if console else []
        rates = self._rates

        def turn(call: Call, cost: Cost) -> AbstractAsyncContextManager[None]:
            return rates.turn(gate.actor(call).name or network_of(call.peer.host), cost)

        router = Router([*routes_of(operations, self._context, turn), *page])
        credentials = _credentials if over_socket else None
        site = Site(
            router,
            gate,
            self._context.reactor,
            hosts=hosts,
            credentials=credentials,
            observer=self._answers,
            folder=self._context.data,
        )
        self._sites.append(site)
        return site

    def _secured(self, site: Site) -> IProtocolFactory:
        return site if self._tls is None else TLSMemoryBIOFactory(self._tls, False, site, self._context.reactor)

    def _open_socket(self, site: Site, group: str) -> None:
        given = self._get("socket", TEXT, "").strip()
        path = Path(given).absolute() if given else self._context.data / SOCKET_FILE
        self._socket = open_unix_socket(
            self._context.reactor,
            path,
            site,
            group=group,
            who=f"plugin {self._id}",
            advice=f"set plugin/{self._id.lower()}/socket to a shorter one, such as /run/broker/admin.sock",
        )
        log.info("administration over {path}", path=path)

    def _server_context(self, host: str) -> ServerContext | None:
        certificate, key = self._get("certificate", TEXT, "").strip(), self._get("privateKey", TEXT, "").strip()
        reachable = not is_loopback(host)
        plain = self._get("plainBehindProxy", BOOLEAN, False)
        if not certificate and reachable and not plain:
            properties = self._context.properties
            certificate, key = CERTIFICATE.get(properties), PRIVATE_KEY.get(properties)
            if not certificate:
                raise self._attributes.error(
                    f"others can reach {host}, so TLS is required: set certificate (or xmpp.certificate), or"
                    " plainBehindProxy where something in front of it speaks TLS"
                )
        return server_context(Path(certificate), Path(key) if key else None, alpn=ALPN) if certificate else None


def _credentials(transport: Any) -> Credentials:
    return Credentials(*credentials_of(transport))
