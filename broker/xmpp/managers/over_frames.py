"""A client's stream in the frames of its connection manager, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.xmpp.managers.channel import Channel
from broker.xmpp.managers.resumption import Resumption
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.negotiation import Negotiation
from broker.xmpp.stream.phase import Phase
from broker.xmpp.stream.tcp_framing import TcpFraming
from broker.xmpp.wire.frame_values import Open

if TYPE_CHECKING:
    from broker.xmpp.managers.manager_process import ManagerProcess


def client_over_frames(process: ManagerProcess, number: int, host: str, wanted: Open) -> Channel:
    """The server's side of a client's stream.

    Args:
        process: of the manager.
        number: of the session.
        host: address of the client; empty where it is not known.
        wanted: what the manager says of the client.
    """
    service, resume = process.settings.service, wanted.resume
    framing = TcpFraming(service.settings.domain, service.settings.max_stanza_before_login)

    def make_stream(channel: Channel) -> StreamConnection:
        def first(stream: StreamConnection) -> Phase:
            if resume is not None:
                return Resumption(service, stream, channel, resume, process.manager.name)
            return Negotiation(service, stream, loopback=False)

        return StreamConnection(service, channel, framing, host, first)

    return Channel(process, number, host, wanted.tls, framing, make_stream)
