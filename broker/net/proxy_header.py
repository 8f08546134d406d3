"""The header by which a proxy tells whose connection it passes on (the PROXY protocol of HAProxy, versions 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from broker.model.host import address_of
from broker.model.number import whole_or_none

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
"""Begins a header of version 2 (§2.2)."""
MAX_LINE = 107
"""Bytes of the longest header of version 1 (§2.1)."""
MAX_BODY = 2048
"""Bytes behind the fixed part of version 2 that are read; what is beyond the addresses is not needed."""

_FIXED = len(SIGNATURE) + 4
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_SIZES = {_TCP4: 4, _TCP6: 16}


class ProxyHeaderError(Exception):
    """What came is no such header."""


@dataclass(frozen=True, slots=True)
class Proxied:
    """What a header says.

    Args:
        host: address of the client; empty where the connection is the proxy's own, as for its health checks.
        port: of the client.
        size: bytes of the header.
    """

    host: str
    port: int
    size: int


def encode(client: str, client_port: int, server: str, server_port: int) -> bytes:
    """A header of version 2.

    Args:
        client: address of the client.
        client_port: its port.
        server: address that it has connected to.
        server_port: and the port.

    Raises:
        ValueError: ``client`` is not an address.
    """
    source, destination = address_of(client), address_of(server)
    if source is None:
        raise ValueError(f"'{client}' is not an address")
    if isinstance(source, IPv4Address) and isinstance(destination, IPv4Address):
        family, addresses = _TCP4, source.packed + destination.packed
    else:
        family, addresses = _TCP6, _as_ipv6(source) + _as_ipv6(destination or IPv6Address(0))
    body = addresses + client_port.to_bytes(2, "big") + server_port.to_bytes(2, "big")
    return SIGNATURE + bytes((_PROXY, family)) + len(body).to_bytes(2, "big") + body


def decode(data: bytes) -> Proxied | None:
    """The header at the beginning of what came; ``None`` while it is not complete.

    Raises:
        ProxyHeaderError: it begins with something else.
    """
    if data.startswith(SIGNATURE[: len(data)]):
        return _version_2(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _version_1(data)
    raise ProxyHeaderError("the connection does not begin with a PROXY header")


def _version_1(data: bytes) -> Proxied | None:
    end = data.find(b"\r\n", 0, MAX_LINE)
    if end < 0:
        if len(data) >= MAX_LINE:
            raise ProxyHeaderError("the line of the PROXY header does not end")
        return None
    words = data[:end].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        return Proxied("", 0, end + 2)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise ProxyHeaderError("the line of the PROXY header has other words")
    port = whole_or_none(words[4])
    return _proxied(words[2], -1 if port is None else port, end + 2)


def _version_2(data: bytes) -> Proxied | None:
    if len(data) < _FIXED:
        return None
    command, family = data[len(SIGNATURE)], data[len(SIGNATURE) + 1]
    size = int.from_bytes(data[_FIXED - 2 : _FIXED], "big")
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"the PROXY header has version and command 0x{command:02x}")
    if size > MAX_BODY:
        raise ProxyHeaderError(f"the PROXY header has {size} bytes")
    if len(data) < _FIXED + size:
        return None
    width = _SIZES.get(family)
    if command == _LOCAL or width is None:
        return Proxied("", 0, _FIXED + size)
    if size < 2 * width + 4:
        raise ProxyHeaderError(f"the PROXY header has {size} bytes, too few for its addresses")
    body = data[_FIXED : _FIXED + size]
    address = (IPv4Address if width == 4 else IPv6Address)(body[:width])
    return _proxied(str(address), int.from_bytes(body[2 * width : 2 * width + 2], "big"), _FIXED + size)


def _proxied(host: str, port: int, size: int) -> Proxied:
    address = address_of(host)
    if address is None or not 0 <= port <= 0xFFFF:
        raise ProxyHeaderError("the PROXY header has no address and port of a client")
    return Proxied(str(address), port, size)


def _as_ipv6(address: IPv4Address | IPv6Address) -> bytes:
    return (b"\x00" * 10 + b"\xff\xff" if isinstance(address, IPv4Address) else b"") + address.packed
