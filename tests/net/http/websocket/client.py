"""The client's side of WebSocket, without I/O."""

from __future__ import annotations

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import Opcode


class ClientSide:
    """Writes frames, and reads those of the server.

    Attributes:
        pings: that have come.
        pongs: that have come.
        closed: code that the server has closed with; ``None`` while it has not.
    """

    def __init__(self) -> None:
        self._connection = Connection(ConnectionType.CLIENT)
        self.pings = self.pongs = 0
        self.closed: int | None = None

    def text(self, text: str, *, last: bool = True) -> bytes:
        """A text message, or a part of one."""
        return self._connection.send(TextMessage(text, message_finished=last))

    def binary(self, data: bytes) -> bytes:
        """A binary message."""
        return self._connection.send(BytesMessage(data))

    def ping(self) -> bytes:
        """A ping."""
        return self._connection.send(Ping(b"there?"))

    def pong(self) -> bytes:
        """A pong."""
        return self._connection.send(Pong())

    def close(self, code: int = 1000) -> bytes:
        """The frame that closes."""
        return self._connection.send(CloseConnection(code))

    def answer_close(self) -> bytes:
        """The frame that answers that of the server."""
        assert self.closed is not None
        return self._connection.send(CloseConnection(self.closed))

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that the bytes of the server complete."""
        if self.closed is not None:
            assert not data, "something comes behind the frame that closes"
            return []
        self._connection.receive_data(data)
        messages = []
        for event in self._connection.events():
            match event:
                case TextMessage(data=text):
                    assert event.message_finished
                    messages.append(text.encode())
                case Ping():
                    self.pings += 1
                case Pong():
                    self.pongs += 1
                case CloseConnection(code=code):
                    self.closed = code
        return messages


def frame(opcode: Opcode, payload: bytes, *, last: bool = True, mask: bool = True, reserved: int = 0) -> bytes:
    """Any frame, whether it may be sent or not."""
    size = len(payload)
    length = bytes([size | mask << 7]) if size < 126 else bytes([126 | mask << 7]) + size.to_bytes(2, "big")
    return bytes([opcode | reserved | last << 7]) + length + (b"\0\0\0\0" if mask else b"") + payload
