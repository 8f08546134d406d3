"""The plugin that listens for clients of the native protocol (requirement ``protocol.socket``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from broker.config.kinds import BOOLEAN, TEXT, duration, integer, size
from broker.native.callback import CallbackDialer
from broker.native.connection import Limits
from broker.native.listener import NativeFactory
from broker.net.tls import server_context
from broker.plugins.ports import Attributes, Ports
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
    - ``maxConnections`` (100000), ``maxPendingLogins`` (1000, per address), ``maxPendingRequests`` (1000, of one
      connection).
    - ``callbackHosts``: comma list of hosts beside the client's own that callback servers may be on; ``*`` any.

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
        "SSL",
        "certificate",
        "privateKey",
        "clientCertificates",
        "maxFrame",
        "maxFrameBeforeLogin",
        "loginTimeout",
        "idleTimeout",
        "maxConnections",
        "maxPendingLogins",
        "maxPendingRequests",
        "callbackHosts",
    )

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._get = self._attributes.get
        self._ports = Ports(plugin_id, context)
        self._factory: NativeFactory | None = None
        self._tls: Any = None

    async def start(self) -> None:
        """Read the attributes; the port opens when the broker is up (:meth:`listen`).

        Raises:
            BrokerError: ``resource.configuration`` for an attribute that can not be used.
        """
        limits = Limits(
            max_frame=self._get("maxFrame", size(1024), 64 << 20),
            max_frame_before_login=self._get("maxFrameBeforeLogin", size(1024), 64 << 10),
            login_timeout=self._get("loginTimeout", duration(1), 30_000) / 1000,
            idle_timeout=self._get("idleTimeout", duration(0), 0) / 1000,
            max_pending=self._get("maxPendingRequests", integer(1), 1000),
            max_connections=self._get("maxConnections", integer(1), 100_000),
            max_pending_logins=self._get("maxPendingLogins", integer(1), 1000),
        )
        compress = self._get("compress/type", TEXT, "").strip()
        if compress not in ("", ZLIB_STREAM):
            raise self._attributes.error(f"compress/type '{compress}' is not supported, only '{ZLIB_STREAM}' is")
        if self._get("SSL", BOOLEAN, False):
            self._tls = self._server_context()
        self._get("port", integer(0, 65535), 7607)
        hosts = [each.strip() for each in self._get("callbackHosts", TEXT, "").split(",") if each.strip()]
        context = self._context
        dialer = CallbackDialer(context.reactor, context.broker, limits, hosts)
        dialer.adopt(context.broker.node.sessions.values())
        self._factory = NativeFactory(
            context.broker,
            context.native_login,
            dialer,
            limits,
            compress=compress == ZLIB_STREAM,
            run_level=lambda: str(context.run_levels.name),
        )

    async def listen(self) -> None:
        """Open the port.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        host = self._get("hostname", TEXT, "127.0.0.1").strip() or "127.0.0.1"
        factory: Any = self._factory
        if self._tls is not None:
            factory = TLSMemoryBIOFactory(self._tls, False, factory, self._context.reactor)
        backlog = self._get("backlog", integer(1), 50)
        await self._ports.listen(self._id, host, self._get("port", integer(0, 65535), 7607), backlog, factory)

    async def unlisten(self) -> None:
        """Close the port and all its connections."""
        await self._ports.close()
        if self._factory is not None:
            self._factory.close_all()

    async def stop(self) -> None:
        """Let go of everything."""
        await self.unlisten()
        self._factory = None

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """The listening port."""
        return self._ports.addresses()

    def _server_context(self) -> Any:
        certificate = self._get("certificate", TEXT, "")
        if not certificate:
            raise self._attributes.error("SSL needs the attribute certificate, a PEM file")
        key, authorities = self._get("privateKey", TEXT, ""), self._get("clientCertificates", TEXT, "")
        return server_context(Path(certificate), Path(key) if key else None, Path(authorities) if authorities else None)
