"""Addresses of peers, as those who count and trust them see them."""

from __future__ import annotations

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
    return host if address is None else str(address)


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, an IPv4-mapped one as what it stands for; ``None`` for a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
