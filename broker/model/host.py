"""Addresses of peers, as those who count and trust them see them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from broker.model.cache import cached_if_short

_KEPT = 1024
"""Addresses that are remembered: each login and each connection asks several times."""


@cached_if_short(_KEPT)
def is_loopback(host: str) -> bool:
    """Whether a peer address is of this machine; not a name, and not an empty one."""
    address = address_of(host)
    return address is not None and address.is_loopback


@cached_if_short(_KEPT)
def network_of(host: str) -> str:
    """What stands for one peer: an IPv4 address, or the /64 network of an IPv6 address.

    One machine commonly owns a whole /64, and so could be as many peers as it liked.
    """
    address = address_of(host)
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(IPv6Network((int(address), 64), strict=False))
    return plain(host)


def plain(host: str) -> str:
    """An address in the one form in which addresses are compared; a name as it is."""
    address = address_of(host)
    return host if address is None else str(address)


def addresses_in(texts: Iterable[str]) -> frozenset[str]:
    """Addresses that somebody has listed, each as :func:`plain` has it.

    Raises:
        ValueError: one is no address.
    """
    found = set()
    for each in texts:
        address = address_of(each)
        if address is None:
            raise ValueError(f"'{each}' is not an address")
        found.add(str(address))
    return frozenset(found)


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, an IPv4-mapped one as what it stands for; ``None`` for a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
