"""Who a client is that comes over HTTP, and whether it may come in as it does."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from broker.errors import Code
from broker.model.host import address_of, plain
from broker.net.http.exchange import Call
from broker.net.http.problem import Refused
from broker.xmpp.bosh.channel import Origin
from broker.xmpp.service import XmppService


class Entrance:
    """Of all doors over HTTP.

    Args:
        service: that is behind them.
        proxies: addresses of those that are believed what they say of the client.
        loopback: the ports can be reached from this machine only.
    """

    __slots__ = ("_loopback", "_proxies", "_service")

    def __init__(self, service: XmppService, *, proxies: Collection[str], loopback: bool) -> None:
        self._service = service
        self._proxies = proxies
        self._loopback = loopback

    def admit(self, call: Call) -> Origin:
        """Let a client in.

        Args:
            call: its request.

        Returns:
            Where it comes from.

        Raises:
            Refused: it must come over TLS.
        """
        host, is_secure = client_of(call, self._proxies)
        if not is_secure and self._service.tls_required(loopback=self._loopback):
            raise Refused(HTTPStatus.FORBIDDEN, Code.USER_NOT_AUTHORIZED, "XMPP must come over TLS here")
        return Origin(host, is_secure, self._loopback)


def client_of(call: Call, proxies: Collection[str]) -> tuple[str, bool]:
    """The address of the client, and whether it has TLS all the way to the broker, or to a proxy that is believed.

    Of ``X-Forwarded-For`` the last address counts that is not of such a proxy; what stands before it anybody can write.

    Args:
        call: the request.
        proxies: addresses of those that are believed.
    """
    host, is_secure = call.peer.host, call.peer.secure
    if plain(host) not in proxies:
        return host, is_secure
    is_secure = is_secure or call.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower() == "https"
    for each in reversed(call.headers.get("x-forwarded-for", "").split(",")):
        address = address_of(each.strip())
        if address is None:
            break
        host = str(address)
        if host not in proxies:
            break
    return host, is_secure
