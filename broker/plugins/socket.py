"""The plugin that listens for clients of the native protocol (requirement ``protocol.socket``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from broker.config.kinds import TEXT, duration, integer, size
from broker.native.callback import CallbackDialer
from broker.native.limits import NativeLimits
from broker.native.server import NativeServer
from broker.native.service import NativeService
from broker.net.listener import Listener
from broker.net.store_pressure import StorePressure
from broker.net.transport import Connection, TransportSettings
from broker.plugins.native_listener import TLS_ATTRIBUTES, ListenerTls, callback_hosts_of
from broker.plugins.ports import LIMITS, PROXY_PROTOCOL, Attributes, Ports, limits_of
from broker.ports import IPlugin

ZLIB_STREAM = "zlib:stream"


@implementer(IPlugin)
class SocketPlugin:
    """One listener. Several may stand in the plugin file under different ids.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``hostname`` (127.0.0.1): address to listen on; ``0.0.0.0`` or ``::`` for all.
    - ``port`` (7607): ``0`` for any free one.
    - ``backlog`` (50): connections that may wait to be accepted.
    - ``compress/type``: ``zlib:stream`` for one zlib stream in each direction; all clients of the port must use it.
    - ``SSL`` (false), ``certificate``, ``privateKey``: TLS 1.2 and up, PEM files; ``clientCertificates``: PEM file of
      the authorities whose certificates clients must show.
    - ``maxFrame`` (64M), ``maxFrameBeforeLogin`` (64k): longest frame in bytes.
    - ``loginTimeout`` (30s): until a connection must have logged in.
    - ``idleTimeout`` (0): of a connection that sends nothing at all; 0 never.
    - ``maxPendingRequests`` (1000): requests of one connection that may wait before it is not read from.
    - ``proxyProtocol`` (none), see :attr:`broker.plugins.ports.Attributes.proxies`.
    - the limits of all listeners, see :func:`broker.plugins.ports.limits_of`.
    - ``callbackHosts`` (none): comma list of hosts, or ``host:port``, whose callback servers the broker dials;
      ``client`` is the address that a client has connected from, ``*`` any that is given by its number. Loopback
      addresses must be named, and ports of the broker itself with their host.

    Args:
        context: the application.
        plugin_id: as in the plugin file; the name of the port.
        attributes: texts of the plugin file.
    """

    requires = ("sessions",)
    known_attributes = (
        "hostname",
        "port",
        "backlog",
        "compress/type",
        *TLS_ATTRIBUTES,
        "maxFrame",
        "maxFrameBeforeLogin",
        "loginTimeout",
        "idleTimeout",
        "maxPendingRequests",
        "callbackHosts",
        PROXY_PROTOCOL,
        *LIMITS,
    )

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._get = self._attributes.get
        self._ports = Ports(plugin_id, context)
        self._listener: Listener | None = None
        self._tls = ListenerTls(self._attributes, plugin_id)

    async def start(self) -> None:
        """Read the attributes; the port opens when the broker is up (:meth:`listen`).

        Raises:
            BrokerError: ``resource.configuration`` for an attribute that cannot be used.
        """
        limits = NativeLimits(
            max_frame=self._get("maxFrame", size(1024), 64 << 20),
            max_frame_before_login=self._get("maxFrameBeforeLogin", size(1024), 64 << 10),
            login_timeout=self._get("loginTimeout", duration(1), 30_000) / 1000,
            idle_timeout=self._get("idleTimeout", duration(0), 0) / 1000,
            max_pending=self._get("maxPendingRequests", integer(1), 1000),
        )
        type = self._get("compress/type", TEXT, "").strip()
        if type not in ("", ZLIB_STREAM):
            raise self._attributes.error(f"compress/type '{type}' is not supported, only '{ZLIB_STREAM}' is")
        compress = type == ZLIB_STREAM
        self._get("port", integer(0, 65535), 7607)
        self._ports.proxies = self._attributes.proxies
        context = self._context
        broker = context.broker
        # An answer may be long, so none is made while the buffer is full.
        outgoing = TransportSettings(context.reactor, context.turns, replace(limits_of(self._attributes), room=0))
        hosts = callback_hosts_of(self._attributes, context)
        dialer = CallbackDialer(context.reactor, broker, limits, outgoing, hosts)
        dialer.adopt(broker.node.sessions.values())
        service = NativeService(broker, context.native_login, dialer, run_level=lambda: str(context.run_levels.name))

        def make_stream(connection: Connection, host: str) -> NativeServer:
            return NativeServer(service, connection, host, limits, compress=compress)

        self._tls.read()
        tls = self._tls.context
        incoming = replace(outgoing, pressure=StorePressure(broker.node.store), tls=tls, direct_tls=tls is not None)
        self._listener = Listener(make_stream, incoming, service.refusals.tell)

    async def listen(self) -> None:
        """Open the port.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        listener = self._listener
        assert listener is not None
        backlog = self._get("backlog", integer(1), 50)
        port = self._get("port", integer(0, 65535), 7607)
        await self._ports.listen(self._id, self._attributes.host, port, backlog, listener.factory)

    async def unlisten(self) -> None:
        """Close the port and all its connections; what has come over them is served and answered."""
        await self._ports.close()
        if self._listener is not None:
            await self._listener.close_all()

    async def stop(self) -> None:
        """Let go of everything."""
        await self.unlisten()
        self._listener = None

    def reload(self) -> None:
        """Read the certificate again, for new connections.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used; the old one stays in use.
        """
        self._tls.reload()

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening port."""
        return self._ports.addresses()

    def listeners(self) -> Sequence[tuple[str, Listener]]:
        """The listener, by its name."""
        return () if self._listener is None else ((self._id, self._listener),)
