"""What a proxy in front says of a client, where it is believed."""

from __future__ import annotations

from collections.abc import Collection

from broker.model.host import address_of
from broker.net.http.exchange import Call


def client_of(call: Call, proxies: Collection[str]) -> tuple[str, bool]:
    """The address of the client, and whether it has TLS all the way to the broker, or to a proxy that is believed.

    Of ``X-Forwarded-For`` the last address counts that is not of such a proxy; what stands before it anybody can write.

    Args:
        call: the request.
        proxies: addresses of those that are believed.
    """
    host, is_secure = call.peer.host, call.peer.secure
    if not _is_of(host, proxies):
        return host, is_secure
    is_secure = is_secure or call.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower() == "https"
    for each in reversed(call.headers.get("x-forwarded-for", "").split(",")):
        address = address_of(each.strip())
        if address is None:
            break
        host = str(address)
        if not _is_of(host, proxies):
            break
    return host, is_secure


def _is_of(host: str, proxies: Collection[str]) -> bool:
    address = address_of(host)
    return address is not None and str(address) in proxies
