"""The frame of the native protocol: bytes in, frames out, and back (spec xmlblaster §20.1, ``protocol.socket``).

A frame is ``len10 flags6 requestId NUL method NUL session NUL lenUnzipped NUL *unit`` where ``len10`` counts the whole
frame and a unit is ``qos NUL key NUL contentLen NUL content``. Nothing here knows a transport or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

LENGTH_SIZE = 10
"""Bytes of the length field, and the length of the bare ping, which has nothing else."""
PREFIX_SIZE = 16
"""Bytes before the request id: length field and flags."""
MIN_FRAME = PREFIX_SIZE + 4
"""Bytes of the shortest frame other than the bare ping: a prefix and four empty header fields."""
MAX_HEADER = 8 * 1024
"""Bytes that request id, method and session may have together."""
MAX_UNITS = 65_536
"""Units that one frame may carry, unless the caller says otherwise; an empty unit takes three bytes on the wire."""
_MAX_DIGITS = 19
_TYPE_OFFSET = 12
_new = tuple.__new__


class FrameError(Exception):
    """The peer broke the framing. There is no way to find the next frame: the connection has to be closed.

    Args:
        message: what was wrong.
        offset: where, in bytes: from the beginning of the stream, or of the body where a unit is wrong.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, offset)
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.message} (at byte {self.offset})"


class FrameTooLong(FrameError):
    """A frame is longer than the reader takes.

    Args:
        message: as of :class:`FrameError`.
        offset: as of :class:`FrameError`.

    Attributes:
        header: kind, request id, method and session, with an empty body, as far as they came in the same piece as the
            length; ``None`` otherwise. With it the peer can be told which request it was.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, offset)
        self.header: Frame | None = None


class Kind(bytes, Enum):
    """The type byte of a frame."""

    INVOKE = b"I"
    RESPONSE = b"R"
    EXCEPTION = b"E"


_KINDS = {kind.value[0]: kind for kind in Kind}


class Unit(NamedTuple):
    """A message unit as it is on the wire. ``qos`` and ``key`` have no NUL."""

    qos: bytes
    key: bytes = b""
    content: bytes = b""


class Frame(NamedTuple):
    """A frame with its header taken apart. ``body`` is the user data, which :meth:`units` takes apart."""

    kind: Kind
    request_id: bytes
    method: bytes
    session: bytes
    body: bytes

    def units(self, limit: int = MAX_UNITS) -> list[Unit]:
        """Take the body apart.

        An empty body has no unit. The last unit may end after its QoS, after its key, or with an empty content length.

        Args:
            limit: how many units there may be.

        Raises:
            FrameError: a content length is no number or does not fit, or there are too many units.
        """
        try:  # nearly always there is one complete unit
            qos, key, digits, content = self.body.split(b"\0", 3)
        except ValueError:
            return _split_units(self.body, limit)
        if digits == b"%d" % len(content):
            return [_new(Unit, (qos, key, content))]
        return _split_units(self.body, limit)


def _split_units(body: bytes, limit: int) -> list[Unit]:
    units: list[Unit] = []
    position, size = 0, len(body)
    while position < size:
        if len(units) >= limit:
            raise FrameError(f"more than {limit} units in a frame", position)
        qos, position = _take_text(body, position)
        key, position = _take_text(body, position)
        length_at = position
        digits, position = _take_text(body, position)
        end = position + _content_length(digits, length_at)
        if end > size:
            raise FrameError(f"content length {end - position} exceeds the {size - position} bytes left", length_at)
        units.append(Unit(qos, key, body[position:end]))
        position = end
    return units


def _take_text(body: bytes, start: int) -> tuple[bytes, int]:
    """The text from ``start`` to the next NUL or the end of the body, and where the next field begins."""
    end = body.find(b"\0", start)
    if end < 0:
        return body[start:], len(body)
    return body[start:end], end + 1


def _content_length(field: bytes, offset: int) -> int:
    digits = field.strip()
    if not digits:  # an incomplete last unit
        return 0
    if not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise FrameError(f"content length {field[: _MAX_DIGITS + 1]!r} is no number", offset)
    return int(digits)


_PING = Frame(Kind.INVOKE, b"", b"ping", b"", b"")


class FrameReader:
    """Cuts a byte stream into frames.

    Frames before a violation are never lost: :meth:`feed` returns them and sets :attr:`error`, so check it after every
    ``feed``. A reader with an error is of no more use.

    Args:
        max_frame: greatest length of a frame in bytes. A longer one is an error as soon as its length field is
            complete, before anything of it is kept. May be changed at any time (a peer deserves more after its login);
            the new value counts from the next length field on.

    Attributes:
        consumed: bytes of the stream that are cut into frames.
    """

    __slots__ = ("_buffer", "_expected", "consumed", "error", "max_frame")

    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self.error: FrameError | None = None
        self._buffer = bytearray()  # the incomplete frame; a bytearray grows without copying everything each time
        self._expected = 0  # length of the frame in the buffer; 0 as long as its length field is incomplete
        self.consumed = 0  # before the buffer, or before the chunk where the buffer is empty

    @property
    def unfinished(self) -> int:
        """Bytes of a frame whose end has not come."""
        return len(self._buffer)

    def discard(self) -> None:
        """Let go of a frame whose end has not come; the reader is of no more use."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream and return the frames that they complete, in order.

        Raises:
            FrameError: the stream was found broken by an earlier call (:attr:`error`).
        """
        if self.error is not None:
            raise self.error
        frames: list[Frame] = []
        try:
            position = 0
            if self._buffer:
                position = self._fill(data)
                if position < 0:
                    return frames
                buffer, self._buffer = self._buffer, bytearray()
                if len(buffer) > MAX_HEADER:
                    self._take_large(buffer, frames)
                else:
                    self._cut(bytes(buffer), 0, frames)
            self._cut(data, position, frames)
        except FrameError as error:
            self.error = error.with_traceback(None)
            self._buffer = bytearray()
        return frames

    def _fill(self, data: bytes) -> int:
        """Complete the buffered frame; returns how much of ``data`` it took, or -1 where all was not enough."""
        buffer = self._buffer
        taken = 0
        if not self._expected:
            taken = LENGTH_SIZE - len(buffer)
            buffer += data[:taken]
            if len(buffer) < LENGTH_SIZE:
                return -1
            try:
                self._expected = self._frame_length(bytes(buffer).strip(), self.consumed)
            except FrameTooLong as error:
                error.header = _header(bytes(buffer) + data[taken : taken + MAX_HEADER], 0)
                raise
        end = taken + self._expected - len(buffer)
        buffer += data[taken:end]
        if len(buffer) < self._expected:
            return -1
        self._expected = 0
        return end

    def _take_large(self, buffer: bytearray, frames: list[Frame]) -> None:
        """Append a frame without a copy of all of it, which of megabytes takes milliseconds."""
        try:
            kind = _KINDS[buffer[_TYPE_OFFSET]]
            request_id, method, session, body = _split_large(buffer, PREFIX_SIZE, len(buffer))
        except (KeyError, ValueError):
            raise _broken_header(bytes(buffer[:PREFIX_SIZE]), 0, self.consumed) from None
        frames.append(_new(Frame, (kind, request_id, method, session, body)))
        self.consumed += len(buffer)

    def _cut(self, data: bytes, position: int, frames: list[Frame]) -> None:
        """Append the frames of ``data`` from ``position`` on, where a frame begins, and buffer what is left."""
        size = len(data)
        last = size - LENGTH_SIZE  # where a length field may begin
        base = self.consumed - position
        max_frame = self.max_frame
        # The hot loop of the native protocol: inlined, and without Frame.__new__, which costs twice the time.
        while position <= last:
            field = data[position : position + LENGTH_SIZE].strip()
            length = int(field) if field.isdigit() else 0
            if not MIN_FRAME <= length <= max_frame:
                try:
                    length = self._frame_length(field, base + position)
                except FrameTooLong as error:
                    error.header = _header(data, position)
                    raise
            end = position + length
            if end > size:
                self._expected = length
                break
            if length == LENGTH_SIZE:
                frames.append(_PING)
                position = end
                continue
            try:
                kind = _KINDS[data[position + _TYPE_OFFSET]]
                if length <= MAX_HEADER:
                    request_id, method, session, _, body = data[position + PREFIX_SIZE : end].split(b"\0", 4)
                else:
                    request_id, method, session, body = _split_large(data, position + PREFIX_SIZE, end)
            except (KeyError, ValueError):
                raise _broken_header(data, position, base) from None
            frames.append(_new(Frame, (kind, request_id, method, session, body)))
            position = end
        self.consumed = base + position
        self._buffer += data[position:]

    def _frame_length(self, field: bytes, offset: int) -> int:
        """Read a length field without its padding; every frame of unusual length comes by here."""
        if not field.isdigit():
            raise FrameError(f"frame length {field!r} is no number", offset)
        length = int(field)
        if length < MIN_FRAME and length != LENGTH_SIZE:
            raise FrameError(f"frame length {length} is too small for a header", offset)
        if length > self.max_frame:
            raise FrameTooLong(f"frame length {length} exceeds the maximum of {self.max_frame}", offset)
        return length


def _split_large(data: bytes | bytearray, start: int, end: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Request id, method, session and body, with the header bounded and the body copied once."""
    limit = min(start + MAX_HEADER, end)
    request_id, method, session, _, rest = bytes(data[start:limit]).split(b"\0", 4)
    return request_id, method, session, bytes(memoryview(data)[limit - len(rest) : end])


def _header(data: bytes, position: int) -> Frame | None:
    """The header of the frame at ``position``, where all of it is there."""
    try:
        kind = _KINDS[data[position + _TYPE_OFFSET]]
        limit = position + MAX_HEADER
        request_id, method, session, _, _ = data[position + PREFIX_SIZE : limit].split(b"\0", 4)
    except (IndexError, KeyError, ValueError):
        return None
    return Frame(kind, request_id, method, session, b"")


def _broken_header(data: bytes, position: int, base: int) -> FrameError:
    at = position + _TYPE_OFFSET
    if data[at] not in _KINDS:
        return FrameError(f"frame type {data[at : at + 1]!r} is none of I, R, E", base + at)
    return FrameError(f"frame header lacks its NULs in the first {MAX_HEADER} bytes", base + position + PREFIX_SIZE)


def encode_frame(kind: Kind, request_id: bytes, method: bytes, session: bytes, body: bytes) -> bytes:
    """Write a frame.

    Args:
        kind: its type.
        request_id: as the peer gave it, or a new one.
        method: name of the method that is called or answered.
        session: secret session id, or empty.
        body: encoded units.

    Raises:
        ValueError: a header field has a NUL.
    """
    if 0 in request_id or 0 in method or 0 in session:
        raise ValueError("a header field must not have a NUL")
    length = MIN_FRAME + len(request_id) + len(method) + len(session) + len(body)
    # One join, so that a large body is copied once.
    return b"".join((b"%10d\0\0" % length, kind, b"\0\x001", request_id, b"\0", method, b"\0", session, b"\0\0", body))


def encode_invocations(method: bytes, prefix: bytes, first: int, session: bytes, bodies: Iterable[bytes]) -> bytes:
    """Write one frame for each body, that calls a method.

    Args:
        method: that is called.
        prefix: of their request ids; a number follows.
        first: number of the first.
        session: secret session id, or empty.
        bodies: encoded units.

    Raises:
        ValueError: a header field has a NUL.
    """
    if 0 in prefix or 0 in method or 0 in session:
        raise ValueError("a header field must not have a NUL")
    head = b"%%10d\0\0I\0\x001%b%%b\0%b\0%b\0\0%%b" % (
        prefix.replace(b"%", b"%%"),
        method.replace(b"%", b"%%"),
        session.replace(b"%", b"%%"),
    )
    length = MIN_FRAME + len(prefix) + len(method) + len(session)
    frames = []
    for number, body in enumerate(bodies, first):
        digits = b"%d" % number
        frames.append(head % (length + len(digits) + len(body), digits, body))
    return b"".join(frames)


def encode_unit(qos: bytes, key: bytes = b"", content: bytes = b"") -> bytes:
    """Write a complete unit, also where key and content are empty.

    Raises:
        ValueError: the QoS or the key has a NUL.
    """
    if 0 in qos or 0 in key:
        raise ValueError("QoS and key must not have a NUL")
    return b"\0".join((qos, key, b"%d" % len(content), content))


def encode_units(units: Iterable[Unit]) -> bytes:
    """Write units one after the other; raises as :func:`encode_unit`."""
    return b"".join([encode_unit(*unit) for unit in units])
