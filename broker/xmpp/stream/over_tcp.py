"""A client's stream over TCP, put together (RFC 6120)."""

from __future__ import annotations

from broker.xmpp.service import XmppService
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.negotiation import Negotiation
from broker.xmpp.stream.tcp_framing import TcpFraming
from broker.xmpp.stream.transport import StreamTransport


def client_over_tcp(service: XmppService, transport: StreamTransport, host: str, *, loopback: bool) -> StreamConnection:
    """The server's side of a client's stream.

    Args:
        service: that it belongs to.
        transport: the connection.
        host: address of the client.
        loopback: the listener can be reached from this machine only.
    """
    settings = service.settings
    framing = TcpFraming(settings.domain, settings.max_stanza_before_login)
    return StreamConnection(
        service, transport, framing, host, lambda stream: Negotiation(service, stream, loopback=loopback)
    )
