"""A socket over which a client speaks the XML stream of TCP, while WebSocket is on the wire (RFC 7395)."""

from __future__ import annotations

import socket
import struct

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, RejectConnection, Request, TextMessage
from wsproto.utilities import LocalProtocolError

from tests.xmpp.web.translation import from_message, to_messages


class WebSocketSocket:
    """As much of a socket as :class:`tests.system.stream_client.StreamClient` uses.

    Args:
        connection: to the broker, with TLS where there is any.
        host: that is asked.
        path: of the door.

    Raises:
        OSError: the broker lets nobody in.
    """

    def __init__(self, connection: socket.socket, host: str = "localhost", path: str = "/ws") -> None:
        self.connection = connection
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._came = b""
        self._message = ""  # what has come of one that is not complete
        connection.sendall(self._websocket.send(Request(host=host, target=path, subprotocols=["xmpp"])))
        while not self._is_accepted():
            data = connection.recv(1 << 16)
            if not data:
                raise ConnectionResetError("no answer to the handshake")
            self._websocket.receive_data(data)

    def sendall(self, data: bytes) -> None:
        """Send a header, an end or elements, each in a message of its own."""
        for message in to_messages(data):
            try:
                frame = self._websocket.send(TextMessage(message.decode()))
            except LocalProtocolError as error:  # the broker has closed
                raise ConnectionAbortedError(str(error)) from error
            self.connection.sendall(frame)

    def recv(self, size: int) -> bytes:
        """What has come, as a stream over TCP has it; empty where the connection is closed."""
        while not self._came:
            data = self.connection.recv(size)
            if not data:
                return b""
            self._websocket.receive_data(data)
            if not self._read():
                return b""
        came, self._came = self._came, b""
        return came

    def settimeout(self, seconds: float) -> None:
        """See :meth:`socket.socket.settimeout`."""
        self.connection.settimeout(seconds)

    def abort(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def close(self) -> None:
        """Lose the connection."""
        self.connection.close()

    def _is_accepted(self) -> bool:
        for event in self._websocket.events():
            if isinstance(event, AcceptConnection):
                assert event.subprotocol == "xmpp"
                return True
            if isinstance(event, RejectConnection):
                raise ConnectionRefusedError(f"the answer is {event.status_code}")
        return False

    def _read(self) -> bool:
        """Take what has come; ``False`` where the connection is closed."""
        for event in self._websocket.events():
            match event:
                case TextMessage(data=text):
                    self._message += text
                    if event.message_finished:
                        self._came += from_message(self._message.encode())
                        self._message = ""
                case Ping():
                    self.connection.sendall(self._websocket.send(event.response()))
                case CloseConnection():
                    return bool(self._came)
        return True
