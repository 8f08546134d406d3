"""The connection manager as a service of twistd."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, ensureDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from broker import __version__
from broker.config.properties import Properties
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.logs.audit import audit
from broker.logs.output import LogOutput
from broker.manager.client import Client
from broker.manager.dialer import Dialer
from broker.manager.frame_link import FrameLink
from broker.manager.link import LinkConnection, Terms
from broker.manager.links import Links
from broker.manager.route_link import RouteLink
from broker.manager.route_session import RouteSession
from broker.manager.server_tls import link_tls
from broker.manager.settings import (
    CERTIFICATE,
    CLIENT_CA,
    INTERFACE,
    LINK_CERTIFICATE,
    METRICS_HOSTNAME,
    METRICS_PORT,
    PLAIN_PORT,
    PRIVATE_KEY,
    REGISTRY,
    SECRET_FILE,
    TLS_PORT,
    Address,
    ManagerSettings,
    settings_of,
)
from broker.net.certificate import self_signed
from broker.net.listener import Listener
from broker.net.port import open_port
from broker.net.tls import Alpn, Names, ServerContext, server_context
from broker.net.transport import Connection, TransportSettings
from broker.net.turns import Turns
from broker.private_files import warn_of_readers
from broker.ready import announce, bracketed, start_failed
from broker.timers import cancel

if TYPE_CHECKING:
    from broker.manager.monitoring import Monitoring

log = Logger()

PROTOCOLS = (b"xmpp-client",)
"""By ALPN; a port for direct TLS is found by it (XEP-0368 §4), one for STARTTLS is not."""
CONNECT_TIMEOUT = 10
"""Seconds until a server must have accepted a connection."""

REST = 15.0
"""Seconds without anything to do, after which a client takes less memory; twice as long at most."""
LAST_WORDS = 2.0
"""Seconds in which the server must have read that the manager stops."""


class Manager(Service):
    """The connection manager.

    Args:
        data: directory of a certificate that is made where none is given.
        properties: the configuration.
        reactor: the reactor.
        log_output: where the log goes; ``None`` where twistd sees to that.
        on_started: called when the ports are open.

    Attributes:
        failure: why it could not start.
    """

    def __init__(
        self,
        data: Path,
        properties: Properties,
        reactor: Any,
        *,
        log_output: LogOutput | None = None,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        self.failure: BrokerError | None = None
        self._data = data
        self._properties = properties
        self._reactor = reactor
        self._log_output = log_output
        self._on_started = on_started
        self._settings: ManagerSettings
        self._instance = secrets.token_hex(16)
        self._links: Links
        self._routed: dict[str, RouteSession] = {}
        self._dialers: list[Dialer] = []
        self._listeners: list[Listener] = []
        self._ports: dict[str, Any] = {}
        self._tls: list[ServerContext] = []
        self._made = 0  # links, which have numbers
        self._drained: Deferred[None] | None = None
        self._rest: IDelayedCall | None = None
        self._monitoring: Monitoring | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Join twistd's application, and be asked for its log."""
        if self._log_output is not None:
            parent.setComponent(ILogObserver, self._log_output.observer)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Open the ports and dial, once the reactor runs."""
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """Let clients go on elsewhere, and see to it that the server has all that they have sent.

        Fires when that is done, or has taken too long.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        if self.failure is None:
            audit("stop", {"via": "signal"})
        return ensureDeferred(self._end())

    def stop_now(self) -> None:
        """Stop without waiting for anybody, whoever waits already."""
        if self._drained is not None:
            self._drained.cancel()
        for listener in self._listeners:
            for connection in list(listener.connections):
                connection.abort()
        for dialer in self._dialers:
            dialer.abort()

    def reload(self) -> None:
        """Open the log file anew, and read certificates again, for new connections."""
        self.reopen_log()
        done = True
        for each in self._tls:
            try:
                each.reload(time.time())
            except BrokerError as error:
                log.error("{error}; what was read before stays in use", error=error.message)
                done = False
        audit("reload", {"via": "signal", "outcome": "done" if done else "failed"})

    def reopen_log(self) -> None:
        """Open the log file anew."""
        if self._log_output is not None:
            self._log_output.reopen()

    def rotate_log(self) -> None:
        """Begin a new log file and keep the old one."""
        if self._log_output is not None:
            self._log_output.rotate()

    # Start

    def _begin(self) -> None:
        if self.running:
            ensureDeferred(self._start()).addErrback(self._failed)

    async def _start(self) -> None:
        REGISTRY.validate(self._properties)
        REGISTRY.report(self._properties)
        settings = self._settings = settings_of(self._properties)
        self._links = Links(self._reactor, settings.grace, settings.patience)
        server_tls = link_tls(settings)
        self._look_at_secrets()
        log.info(
            "connection manager {version}, {name} of {domain}",
            version=__version__,
            name=settings.name,
            domain=settings.domain,
        )
        await self._listen()
        if settings.metrics_port is not None:
            await self._listen_for_monitoring(settings.metrics_port)
        for _ in range(settings.connections):
            dialer = Dialer(settings.servers, self._connect, self._maker(server_tls), self._reactor)
            self._dialers.append(dialer)
            dialer.start()
        self._rest = self._reactor.callLater(REST, self._let_rest)
        ports = [f"{name} {bracketed(port.getHost().host)}:{port.getHost().port}" for name, port in self._ports.items()]
        announce(", ".join([f"ready: manager {settings.name}", *ports]))
        self._on_started()

    def _look_at_secrets(self) -> None:
        """Warn of files with secrets that others can read."""
        properties, settings = self._properties, self._settings
        given, key = CERTIFICATE.get(properties), PRIVATE_KEY.get(properties)
        files = {
            SECRET_FILE.name: settings.secret_file,
            LINK_CERTIFICATE.name: settings.link_certificate,
            CERTIFICATE.name: Path(given) if given and not key else None,
            PRIVATE_KEY.name: Path(key) if given and key else None,
        }
        for name, path in files.items():
            if path is not None:
                warn_of_readers(path, name)

    def _failed(self, failure: Failure) -> None:
        if not self.running:
            return
        self.failure = start_failed("manager", failure, log)
        if self._reactor.running:
            self._reactor.stop()

    async def _listen(self) -> None:
        settings = self._settings
        turns = Turns(self._reactor)
        for name, number, option, alpn, direct in (
            ("XMPP", settings.plain_port, PLAIN_PORT, Alpn(PROTOCOLS), False),
            ("XMPP-TLS", settings.tls_port, TLS_PORT, Alpn(PROTOCOLS, required=True), True),
        ):
            if number is None:
                continue
            context = self._context(alpn)
            self._tls.append(context)
            terms = TransportSettings(self._reactor, turns, settings.limits, tls=context, direct_tls=direct)
            listener = Listener(self._make_client, terms)
            self._listeners.append(listener)
            self._ports[name] = await open_port(
                self._reactor,
                settings.interface,
                number,
                settings.backlog,
                listener.factory,
                who="the manager",
                advice=f", such as the broker: set {option.name}",
                address=INTERFACE.name,
            )

    async def _listen_for_monitoring(self, number: int) -> None:
        from broker.manager.monitoring import Monitoring  # most managers do without, and so without its memory

        listeners = list(zip(self._ports, self._listeners, strict=True))
        monitoring = self._monitoring = Monitoring(self._reactor, self._settings, self._links, listeners)
        self._ports["METRICS"] = await open_port(
            self._reactor,
            self._settings.metrics_hostname,
            number,
            50,
            monitoring.site,
            who="the manager",
            advice=f": set {METRICS_PORT.name}",
            address=METRICS_HOSTNAME.name,
        )
        monitoring.lag.start()

    def _context(self, alpn: Alpn) -> ServerContext:
        properties = self._properties
        given, key, authorities = CERTIFICATE.get(properties), PRIVATE_KEY.get(properties), CLIENT_CA.get(properties)
        if not given:
            self._make_directory()
        return server_context(
            Path(given) if given else self_signed(self._data, self._settings.domain, time.time()),
            Path(key) if given and key else None,
            Path(authorities) if authorities else None,
            require_client=False,
            alpn=alpn,
            names=Names(CERTIFICATE.name, PRIVATE_KEY.name, CLIENT_CA.name),
        )

    def _make_directory(self) -> None:
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = f"--data: {self._data}: {error.strerror or error}; no directory is needed with {CERTIFICATE.name}"
            raise BrokerError(Code.RESOURCE_FILE_IO, reason) from error

    def _make_client(self, connection: Connection, host: str) -> Client:
        return Client(connection, self._settings, self._reactor, self._links.come, self._links.gone)

    def _let_rest(self) -> None:
        for listener in self._listeners:
            for connection in listener.connections:
                if isinstance(connection.stream, Client):
                    connection.stream.rest()
        self._rest = self._reactor.callLater(REST, self._let_rest)

    # Links

    def _connect(self, server: Address, make: Callable[[], LinkConnection]) -> Deferred[Any]:
        factory: Any = Factory.forProtocol(make)
        factory.noisy = False
        endpoint: Any = HostnameEndpoint(self._reactor, server.host, server.port, timeout=CONNECT_TIMEOUT)
        connected: Deferred[Any] = endpoint.connect(factory)
        return connected

    def _maker(self, server_tls: Callable[[], Any]) -> Callable[[Address, Dialer], LinkConnection]:
        settings = self._settings

        frames = self._frames if settings.frames else None

        def make(server: Address, dialer: Dialer) -> LinkConnection:
            self._made += 1
            jid = f"{settings.name}/link-{self._made}"
            terms = Terms(server, jid, settings.secret, settings.link_tls(server), server_tls)
            return LinkConnection(terms, self._reactor, frames, self._routes, dialer.lost)

        return make

    def _frames(self, connection: LinkConnection) -> FrameLink:
        return FrameLink(connection, self._instance, self._settings.domain, self._links, self._reactor)

    def _routes(self, connection: LinkConnection, header: bytes) -> RouteLink:
        return RouteLink(connection, header, self._links, self._routed, self._settings, self._reactor)

    # End

    async def _end(self) -> None:
        cancel(self._rest)
        monitoring = self._monitoring
        if monitoring is not None:
            monitoring.stopping = True
        ports, self._ports = self._ports, {}
        watched = ports.pop("METRICS", None)
        for port in ports.values():
            await port.stopListening()
        if not hasattr(self, "_links"):
            return
        closing = [listener.close_all() for listener in self._listeners]
        drained = self._drained = self._links.drain()
        overdue = self._reactor.callLater(self._settings.stop_timeout, drained.cancel)
        try:
            await drained
        except CancelledError:
            log.warn("the server has not taken all that clients have sent")
        self._drained = None
        cancel(overdue)
        reach("sessions drained")
        closing += [dialer.stop() for dialer in self._dialers]
        self._links.close()
        overdue = self._reactor.callLater(LAST_WORDS, self.stop_now)
        await DeferredList(closing)
        cancel(overdue)
        if watched is not None and monitoring is not None:
            monitoring.lag.stop()
            await watched.stopListening()
            await monitoring.site.close_all()
