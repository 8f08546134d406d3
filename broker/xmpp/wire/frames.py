"""Frames on a link between a connection manager and the broker: bytes in, frames out, and back (manager-links.md).

A frame is ``length4 type1 session8 payload``; the length is that of the payload, and numbers are unsigned in network
byte order. Nothing here knows a transport or a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

MAX_PAYLOAD = 1 << 20
"""Bytes that a payload may have."""
MAX_PING = 64
"""Bytes that the payload of a PING may have."""
LINK = 0
"""The session number of frames that are about the link itself."""
MOST = (1 << 64) - 1
"""The greatest session number, and the greatest offset."""
_HEADER = Struct("!IBQ")
_DATA = Struct("!IBQQ")
_OFFSET = Struct("!Q")
HEADER_SIZE = _HEADER.size
OFFSET_SIZE = _OFFSET.size
MAX_DATA = MAX_PAYLOAD - OFFSET_SIZE
"""Bytes of a stream that one frame can carry."""


class FrameError(Exception):
    """The peer broke the framing, or sent what cannot be read: the link has to be closed."""


class Type(IntEnum):
    """What a frame is for."""

    HELLO = 1
    PING = 2
    PONG = 3
    GOODBYE = 4
    OPEN = 16
    OPENED = 17
    REFUSED = 18
    DATA = 32
    ACK = 33
    START_TLS = 34
    SECURED = 35
    LOGGED_IN = 36
    CLOSE = 37
    ABORT = 38
    CLOSED = 39
    ATTACH = 48
    ATTACHED = 49
    UNKNOWN = 50


_OF_BOTH = frozenset({Type.HELLO, Type.PING, Type.PONG, Type.GOODBYE, Type.DATA, Type.ACK})
FROM_MANAGER = _OF_BOTH | {Type.OPEN, Type.SECURED, Type.CLOSED, Type.ATTACH}
"""What a manager may send."""
FROM_BROKER = frozenset(Type) - (FROM_MANAGER - _OF_BOTH)
"""What a broker may send."""
_OF_LINK = frozenset({Type.HELLO, Type.PING, Type.PONG, Type.GOODBYE})
_SIZES = {
    Type.PING: (0, MAX_PING),
    Type.PONG: (0, MAX_PING),
    Type.DATA: (OFFSET_SIZE, MAX_PAYLOAD),
    Type.ACK: (OFFSET_SIZE, OFFSET_SIZE),
    Type.START_TLS: (OFFSET_SIZE, OFFSET_SIZE),
    Type.CLOSE: (OFFSET_SIZE, OFFSET_SIZE),
    Type.ABORT: (0, 0),
    Type.ATTACH: (OFFSET_SIZE, OFFSET_SIZE),
    Type.ATTACHED: (OFFSET_SIZE, OFFSET_SIZE),
    Type.UNKNOWN: (0, 0),
}
"""Least and most bytes of a payload; of those that are not here, a payload is an object in JSON."""
_new = tuple.__new__


class Frame(NamedTuple):
    """A frame.

    Args:
        type: what it is for.
        session: that it belongs to; :data:`LINK` for the link itself.
        payload: as the type says.
    """

    type: Type
    session: int
    payload: bytes

    @property
    def offset(self) -> int:
        """The offset that the payload is or begins with."""
        offset: int = _OFFSET.unpack_from(self.payload)[0]
        return offset

    @property
    def data(self) -> bytes:
        """What of a stream a DATA frame carries."""
        return self.payload[OFFSET_SIZE:]


def encode(type: Type, session: int = LINK, payload: bytes = b"") -> bytes:
    """A frame as bytes.

    Args:
        type: what it is for.
        session: that it belongs to.
        payload: at most :data:`MAX_PAYLOAD` bytes.
    """
    return _HEADER.pack(len(payload), type, session) + payload


def encode_offset(type: Type, session: int, offset: int) -> bytes:
    """A frame whose payload is an offset, as bytes."""
    return _DATA.pack(OFFSET_SIZE, type, session, offset)


def encode_data(session: int, offset: int, data: bytes) -> bytes:
    """DATA as bytes; several frames where one could not carry it.

    Args:
        session: that it belongs to.
        offset: of its first byte in the session's stream.
        data: at least one byte.
    """
    if len(data) <= MAX_DATA:
        return _DATA.pack(OFFSET_SIZE + len(data), Type.DATA, session, offset) + data
    return b"".join(
        [
            encode_data(session, offset + first, data[first : first + MAX_DATA])
            for first in range(0, len(data), MAX_DATA)
        ]
    )


class FrameReader:
    """Cuts the bytes of one direction of a link into frames.

    Frames before a violation are never lost: :meth:`feed` gives them and sets :attr:`error`.

    Args:
        accepts: the types that the peer may send, :data:`FROM_MANAGER` or :data:`FROM_BROKER`.

    Attributes:
        error: what the peer has broken the link with.
    """

    __slots__ = ("_accepts", "_buffer", "error")

    def __init__(self, accepts: frozenset[Type]) -> None:
        self._accepts = {each.value: each for each in accepts}
        self._buffer = bytearray()
        self.error: FrameError | None = None

    @property
    def incomplete(self) -> int:
        """Bytes of a frame that has not come whole."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes, and return the frames that they complete.

        Raises:
            FrameError: the link was found broken by an earlier call.
        """
        if self.error is not None:
            raise self.error
        buffer = self._buffer
        source: bytes | bytearray = data
        if buffer:
            buffer += data
            source = buffer
        frames: list[Frame] = []
        done = 0
        try:
            for frame, end in self._cut(source):
                frames.append(frame)
                done = end
        except FrameError as error:
            self.error = error.with_traceback(None)
            buffer.clear()
            return frames
        if buffer:
            del buffer[:done]
        elif done < len(data):
            buffer += data[done:]
        return frames

    def _cut(self, source: bytes | bytearray) -> Iterator[tuple[Frame, int]]:
        """Frames, each with the place behind it."""
        position, size = 0, len(source)
        while size - position >= HEADER_SIZE:
            length, number, session = _HEADER.unpack_from(source, position)
            type = self._accepts.get(number)
            if type is None:
                raise FrameError(f"frames of type {number} are not for this direction")
            _check(type, session, length)
            start = position + HEADER_SIZE
            position = start + length
            if position > size:
                return
            yield _new(Frame, (type, session, bytes(source[start:position]))), position


def _check(type: Type, session: int, length: int) -> None:
    if (session == LINK) is not (type in _OF_LINK):
        raise FrameError(f"{type.name} of session {session}")
    least, most = _SIZES.get(type, (2, MAX_PAYLOAD))
    if not least <= length <= most:
        raise FrameError(f"{type.name} with {length} bytes")
