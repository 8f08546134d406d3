"""The two ports of a plugin that speaks XMPP: for peers that start TLS themselves, and for those that begin with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from broker.config.kinds import integer
from broker.net.listener import Listener, TellRefusal
from broker.net.tls import ServerContext
from broker.net.transport import MakeStream, TransportSettings
from broker.plugins.ports import LIMITS, PROXY_PROTOCOL, Attributes, Ports

NONE = -1
"""In the place of a port's number."""

XMPP_PREFIXES = ("idle.", "modules.mod_stream_management.", "sm.", "xmpp.")
"""Of the properties of the one XMPP service, which is made anew when all its listeners are."""


class XmppPorts:
    """The ports of a plugin, and their listeners.

    Args:
        plugin_id: as in the plugin file; the name of the first port.
        context: the application.
        attributes: of the plugin, which knows :data:`ATTRIBUTES`.
        defaults: numbers of the port for STARTTLS and of that for direct TLS.
        backlog: connections that may wait to be accepted, by default.

    Raises:
        BrokerError: ``resource.configuration`` for an attribute that cannot be used.
    """

    ATTRIBUTES = ("hostname", "port", "directTlsPort", "backlog", PROXY_PROTOCOL, *LIMITS)

    def __init__(
        self, plugin_id: str, context: Any, attributes: Attributes, defaults: tuple[int, int], backlog: int
    ) -> None:
        self._host = attributes.host
        self._backlog = attributes.get("backlog", integer(1), backlog)
        self._numbers = {
            plugin_id: attributes.get("port", integer(NONE, 65535), defaults[0]),
            f"{plugin_id}-TLS": attributes.get("directTlsPort", integer(NONE, 65535), defaults[1]),
        }
        self._ports = Ports(plugin_id, context)
        self._ports.proxies = attributes.proxies
        self._listeners: list[tuple[str, int, Listener]] = []

    def add(
        self,
        make_stream: MakeStream,
        settings: TransportSettings,
        contexts: Sequence[ServerContext] | None,
        tell: TellRefusal,
    ) -> None:
        """Make the listeners.

        Args:
            make_stream: makes what is spoken over a connection.
            settings: of the connections, without TLS.
            contexts: TLS of either port; ``None`` where there is none, and so no second port.
            tell: the log, of what became of strangers.
        """
        for direct, (name, number) in enumerate(self._numbers.items()):
            if number != NONE and not (direct and contexts is None):
                tls = None if contexts is None else contexts[direct]
                terms = replace(settings, tls=tls, direct_tls=bool(direct))
                self._listeners.append((name, number, Listener(make_stream, terms, tell)))

    async def open(self) -> None:
        """Open the ports.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        for name, number, listener in self._listeners:
            await self._ports.listen(name, self._host, number, self._backlog, listener.factory)

    async def close(self) -> None:
        """Close the ports and all their connections; peers get what is on its way to them."""
        await self._ports.close()
        for closing in [listener.close_all() for _, _, listener in self._listeners]:
            await closing

    def addresses(self) -> Sequence[tuple[str, str, int]]:
        """``(name, host, port)`` of the ports that are open."""
        return self._ports.addresses()

    def listeners(self) -> Sequence[tuple[str, Listener]]:
        """The listeners, by their names."""
        return [(name, listener) for name, _, listener in self._listeners]
