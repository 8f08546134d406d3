"""What plugins that listen have in common: attributes, limits, and ports that open when the broker is up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from broker.config.kinds import TEXT, Kind, duration, integer, listed, size
from broker.errors import BrokerError, Code
from broker.model.host import addresses_in
from broker.model.host import is_loopback as host_is_loopback
from broker.net.limits import Limits
from broker.net.port import open_port
from broker.net.proxied import ProxiedFactory

T = TypeVar("T")

LIMITS = (
    "maxConnections",
    "maxPendingLoginsTotal",
    "maxPendingLogins",
    "connectionRate",
    "connectionBurst",
    "handshakeTimeout",
    "writeTimeout",
    "maxUnread",
)
"""Attributes of every plugin that listens for clients, see :func:`limits_of`."""
PROXY_PROTOCOL = "proxyProtocol"
"""Attribute of the same plugins, see :attr:`Attributes.proxies`."""


def is_loopback(host: str) -> bool:
    """Whether what listens on an address can be reached from this machine only."""
    return host == "localhost" or host_is_loopback(host)


def listeners_reading(plugins: Sequence[Any], name: str) -> list[str]:
    """The listeners that read a property when they are made.

    Args:
        plugins: that listen. Those with ``property_prefixes`` read the properties that begin like this; of several
            beginnings the longest counts.
        name: of the property.
    """
    prefixes = {each: tuple(getattr(each, "property_prefixes", ())) for each in plugins}
    longest = max(
        (prefix for each in prefixes.values() for prefix in each if name.startswith(prefix)), key=len, default=""
    )
    readers = [each for each, known in prefixes.items() if longest and longest in known]
    return sorted(listener for plugin in readers for listener, _ in plugin.listeners())


class Ports:
    """The open ports of one plugin.

    Args:
        plugin_id: for error texts.
        context: the application.

    Attributes:
        proxies: addresses whose connections begin with a PROXY header.
    """

    def __init__(self, plugin_id: str, context: Any) -> None:
        self.proxies: frozenset[str] = frozenset()
        self._plugin_id = plugin_id
        self._context = context
        self._open: dict[str, Any] = {}

    async def listen(self, name: str, host: str, number: int, backlog: int, factory: Any) -> None:
        """Open a port.

        Args:
            name: of the port, as the ready line has it.
            host: address to listen on.
            number: of the port; 0 for any free one, which is kept when the run level goes down and up again.
            backlog: connections that may wait to be accepted.
            factory: makes the connections.

        Raises:
            BrokerError: ``resource.configuration.address`` where that is not possible.
        """
        reactor = self._context.reactor
        if self.proxies:
            factory = ProxiedFactory(factory, self.proxies, reactor)
        port = self._open[name] = await open_port(
            reactor,
            host,
            self._context.chosen_ports.get(name) or number,
            backlog,
            factory,
            who=f"plugin {self._plugin_id}",
            advice=": stop it, or choose other ports for the plugin",
            address=f"plugin/{self._plugin_id}/hostname",
        )
        self._context.chosen_ports[name] = port.getHost().port

    async def close(self) -> None:
        """Close all of them."""
        ports, self._open = self._open, {}
        for port in ports.values():
            await port.stopListening()

    def addresses(self) -> Sequence[tuple[str, str, int]]:
        """``(name, host, port)`` of those that are open."""
        found: list[tuple[str, str, int]] = []
        for name, port in self._open.items():
            address = port.getHost()
            found.append((name, address.host, address.port))
        return found


class Attributes:
    """A plugin's attributes, read by kind.

    Args:
        plugin_id: for error texts.
        texts: of the plugin file.
        known: names of all that the plugin takes; others are told to whoever gives them, so none may be missing.
    """

    def __init__(self, plugin_id: str, texts: dict[str, str], known: Sequence[str]) -> None:
        self._plugin_id = plugin_id
        self._texts = texts
        self._known = known

    def get(self, name: str, kind: Kind[T], default: T) -> T:
        """The value of an attribute.

        Raises:
            BrokerError: ``resource.configuration`` where it cannot be one.
        """
        assert name in self._known, name
        text = self._texts.get(name)
        if text is None:
            return default
        try:
            return kind.parse(text)
        except ValueError as error:
            raise self.error(f"{name}='{text}': {error}") from error

    @property
    def host(self) -> str:
        """The address that a listener is to be bound to."""
        return self.get("hostname", TEXT, "127.0.0.1").strip() or "127.0.0.1"

    def listed(self, name: str) -> list[str]:
        """The parts of a comma list."""
        return listed(self.get(name, TEXT, ""))

    def addresses(self, name: str) -> frozenset[str]:
        """The addresses in a comma list.

        Raises:
            BrokerError: ``resource.configuration`` where one is no address.
        """
        try:
            return addresses_in(self.listed(name))
        except ValueError as error:
            raise self.error(f"{name}: {error}") from error

    @property
    def proxies(self) -> frozenset[str]:
        """Whose connections begin with a header of the PROXY protocol that says who the client is.

        ``proxyProtocol`` (none): comma list of the addresses of proxies, and of brokers that stand by.

        Raises:
            BrokerError: ``resource.configuration`` where one is no address.
        """
        return self.addresses(PROXY_PROTOCOL)

    def error(self, reason: str) -> BrokerError:
        """What is wrong with the attributes."""
        return BrokerError(Code.RESOURCE_CONFIGURATION, f"plugin {self._plugin_id}: {reason}")


def limits_of(attributes: Attributes) -> Limits:
    """What peers of a listener may do, by the attributes that all listeners have.

    - ``maxConnections`` (100000), ``maxPendingLoginsTotal`` (20000): connections, and those of them that have not
      logged in.
    - ``maxPendingLogins`` (1000), ``connectionRate`` (100, 0 for any), ``connectionBurst`` (1000): connections of one
      address that have not logged in, new ones a second, and at once. An IPv6 address counts as its /64 network; this
      machine's own addresses have no such limits, as a proxy may stand for many.
    - ``handshakeTimeout`` (15s): until a TLS handshake must be over.
    - ``writeTimeout`` (30s), ``maxUnread`` (128M): a client that reads nothing for so long, or leaves so many bytes
      unread, is let go of.

    Args:
        attributes: of the plugin, which knows :data:`LIMITS`.

    Raises:
        BrokerError: ``resource.configuration`` for one that cannot be used.
    """
    get = attributes.get
    return Limits(
        handshake_timeout=get("handshakeTimeout", duration(1), 15_000) / 1000,
        write_timeout=get("writeTimeout", duration(1), 30_000) / 1000,
        max_unread=get("maxUnread", size(1 << 20), 128 << 20),
        max_connections=get("maxConnections", integer(1), 100_000),
        max_strangers=get("maxPendingLoginsTotal", integer(1), 20_000),
        max_pending=get("maxPendingLogins", integer(1), 1000),
        rate=get("connectionRate", integer(0), 100),
        burst=get("connectionBurst", integer(1), 1000),
    )
