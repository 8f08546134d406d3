"""The path at which clients upgrade to WebSocket (RFC 7395 §3.1)."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from broker.errors import Code
from broker.net.http.exchange import Answer, Call
from broker.net.http.problem import Refused
from broker.net.http.routes import Route
from broker.net.http.websocket.handshake import accept, check_origin
from broker.net.http.websocket.stream import WebSocketStream
from broker.net.listener import Listener
from broker.net.transport import Connection
from broker.xmpp.service import XmppService
from broker.xmpp.stream.over_websocket import SUBPROTOCOL, client_over_websocket
from broker.xmpp.web.entrance import Entrance

PATH = "/ws"


class WebSocketDoor:
    """Lets clients in.

    Args:
        entrance: that they come in by.
        service: that their streams belong to.
        listener: has the connections once they are upgraded.
        origins: whose pages may connect, see :func:`broker.net.http.websocket.handshake.check_origin`.
    """

    def __init__(
        self, entrance: Entrance, service: XmppService, listener: Listener, *, origins: Collection[str]
    ) -> None:
        self._entrance = entrance
        self._service = service
        self._listener = listener
        self._origins = origins

    def route(self) -> Route:
        """The route."""
        return Route("GET", PATH, "anybody", self._upgrade, summary="XMPP over WebSocket.")

    async def _upgrade(self, call: Call) -> Answer:
        """Upgrade a connection.

        Raises:
            Refused: the handshake is not one, comes from a page of somebody else, or must come over TLS; or there are
                too many connections.
        """
        check_origin(call.headers, self._origins)
        headers = accept(call.headers, SUBPROTOCOL)
        origin = self._entrance.admit(call)

        def make_stream(connection: Connection, host: str) -> WebSocketStream:
            return client_over_websocket(
                self._service, connection, host, loopback=origin.loopback, secure=origin.secure
            )

        connection = self._listener.adopt(origin.host, make_stream, secure=call.peer.secure)
        if connection is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, Code.RESOURCE_EXHAUST, "there are too many connections")
        return Answer(b"", status=HTTPStatus.SWITCHING_PROTOCOLS, headers=tuple(headers), successor=connection)
