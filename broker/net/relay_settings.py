"""Properties of what a broker that stands by passes on."""

from __future__ import annotations

from dataclasses import dataclass

from broker.config.kinds import TEXT, Kind, listed
from broker.config.options import declare
from broker.config.properties import Properties
from broker.model.number import whole_or_none


@dataclass(frozen=True, slots=True)
class RelayedPort:
    """One port.

    Args:
        own: number that clients connect to here.
        other: number that the broker has there.
    """

    own: int
    other: int


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """What is passed on.

    Args:
        host: address to listen on.
        targets: addresses of the brokers that may have the database, in the order in which they are tried.
        ports: that clients connect to.
    """

    host: str
    targets: tuple[str, ...]
    ports: tuple[RelayedPort, ...]


def _parse_ports(text: str) -> tuple[RelayedPort, ...]:
    found = []
    for each in listed(text):
        first, colon, second = each.partition(":")
        own = whole_or_none(first, 1, 65535)
        other = whole_or_none(second, 1, 65535) if colon else own
        if own is None or other is None:
            raise ValueError(f"'{each}' is neither a port nor two of them, such as 5222 or 15222:5222")
        found.append(RelayedPort(own, other))
    return tuple(found)


def _write_ports(ports: tuple[RelayedPort, ...]) -> str:
    return ",".join(str(each.own) if each.own == each.other else f"{each.own}:{each.other}" for each in ports)


HOSTS: Kind[tuple[str, ...]] = Kind("comma list of names or addresses", lambda text: tuple(listed(text)), ",".join)
PORTS: Kind[tuple[RelayedPort, ...]] = Kind("comma list of PORT or PORT:PORT", _parse_ports, _write_ports)

RELAY_TO = declare(
    "standby.relayTo",
    HOSTS,
    (),
    "The other brokers of the database: while this one stands by, what connects to it is passed on to the first of them"
    " that answers. Each needs this one's address in proxyProtocol of its listeners.",
)
RELAY_PORTS = declare(
    "standby.relayPorts",
    PORTS,
    (RelayedPort(7607, 7607), RelayedPort(5222, 5222), RelayedPort(5223, 5223)),
    "Ports that are passed on, each as it is here or as HERE:THERE.",
)
RELAY_HOSTNAME = declare(
    "standby.relayHostname", TEXT, "127.0.0.1", "Address that a broker that stands by listens on for the others."
)


def relay_settings_of(properties: Properties) -> RelaySettings:
    """The values of the properties.

    Raises:
        BrokerError: ``resource.configuration`` for one that cannot be used.
    """
    return RelaySettings(RELAY_HOSTNAME.get(properties), RELAY_TO.get(properties), RELAY_PORTS.get(properties))
