"""Frames of WebSocket to messages and back, within limits and without I/O (RFC 6455 §5).

The frames are those of ``wsproto``. Extensions are not negotiated: a message that is compressed could be of any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.events import Pong as WsprotoPong
from wsproto.utilities import LocalProtocolError

MAX_FRAGMENTS = 1024
"""Frames that one message may come in."""

_PEER_CLOSED = (ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED)


class CloseCode(IntEnum):
    """Why a connection is closed (RFC 6455 §7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003
    NO_STATUS = 1005
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009


@dataclass(frozen=True, slots=True)
class Message:
    """A text message that is complete.

    Args:
        text: in UTF-8.
    """

    text: bytes


@dataclass(frozen=True, slots=True)
class PingReceived:
    """A ping.

    Args:
        answer: the pong, as it is to be written.
    """

    answer: bytes


@dataclass(frozen=True, slots=True)
class PongReceived:
    """A pong."""


@dataclass(frozen=True, slots=True)
class CloseReceived:
    """The peer closes the connection, or answers that this side does.

    Args:
        answer: the frame that answers it; empty where this side has closed before.
    """

    answer: bytes


@dataclass(frozen=True, slots=True)
class Violation:
    """What the peer may not do; nothing is read behind it.

    Args:
        code: to close the connection with.
        reason: for people, in ASCII.
    """

    code: CloseCode
    reason: str


Event = Message | PingReceived | PongReceived | CloseReceived | Violation


class WebSocketCodec:
    """The server's side of one connection.

    Args:
        max_message: longest message in bytes; may be changed at any time.
        max_fragments: frames that one message may come in; may be changed at any time.

    Attributes:
        is_within_message: whether a message has begun and is not complete.
        max_message: as above.
        max_fragments: as above.
    """

    __slots__ = ("_connection", "_failed", "_fragments", "_parts", "_size", "max_fragments", "max_message")

    def __init__(self, max_message: int, max_fragments: int = MAX_FRAGMENTS) -> None:
        self.max_message = max_message
        self.max_fragments = max_fragments
        self._connection = Connection(ConnectionType.SERVER)
        self._failed = False
        self._begin()

    @property
    def is_within_message(self) -> bool:
        """See above."""
        return bool(self._parts) or self._fragments > 0

    @property
    def is_closing(self) -> bool:
        """Whether one side has closed the connection."""
        return self._connection.state is not ConnectionState.OPEN

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes; tells what they complete, one after the other, so that limits may change in between."""
        if self._failed or self._connection.state in _PEER_CLOSED:
            return
        self._connection.receive_data(data)
        for event in self._connection.events():
            found: Event | None
            match event:
                case TextMessage(data=text):
                    found = self._add(text.encode(), frame=event.frame_finished, message=event.message_finished)
                case BytesMessage():
                    found = self._fail(CloseCode.UNSUPPORTED, "messages are text")
                case Ping():
                    answer = b"" if self.is_closing else self._connection.send(event.response())
                    found = PingReceived(answer)
                case WsprotoPong():
                    found = PongReceived()
                case CloseConnection() if self._connection.state in _PEER_CLOSED:
                    found = CloseReceived(self._close_answer(event))
                case CloseConnection(code=code):  # how `wsproto` tells that the frames cannot be read
                    found = self._fail(CloseCode(code), "the frames are not those of RFC 6455")
                case _:
                    continue
            if found is not None:
                yield found
            if isinstance(found, Violation):
                return

    def message(self, text: bytes) -> bytes:
        """A text message, as it is to be written; nothing once the connection is being closed.

        Args:
            text: in UTF-8.
        """
        return b"" if self.is_closing else self._connection.send(TextMessage(text.decode()))

    def ping(self) -> bytes:
        """A ping, as it is to be written; nothing once the connection is being closed."""
        return b"" if self.is_closing else self._connection.send(Ping())

    def close(self, code: CloseCode, reason: str = "") -> bytes:
        """What closes this side, as it is to be written; nothing where that was done before."""
        try:
            return self._connection.send(CloseConnection(code, reason))
        except LocalProtocolError:
            return b""

    def _begin(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._fragments = 0

    def _add(self, text: bytes, *, frame: bool, message: bool) -> Message | Violation | None:
        self._size += len(text)
        self._fragments += frame
        if self._size > self.max_message:
            return self._fail(CloseCode.TOO_BIG, f"a message has {self.max_message} bytes at most")
        if self._fragments > self.max_fragments:
            return self._fail(CloseCode.POLICY_VIOLATION, f"a message has {self.max_fragments} fragments at most")
        if text:
            self._parts.append(text)
        if not message:
            return None
        whole = b"".join(self._parts)
        self._begin()
        return Message(whole)

    def _fail(self, code: CloseCode, reason: str) -> Violation:
        self._failed = True
        self._begin()
        return Violation(code, reason)

    def _close_answer(self, event: CloseConnection) -> bytes:
        if self._connection.state is not ConnectionState.REMOTE_CLOSING:
            return b""
        return self._connection.send(event.response())
