"""Native frames: the same frames and the same error however the bytes are cut, and units as they are on the wire."""

from __future__ import annotations

from broker.native.wire.frames import Frame, FrameError, FrameReader, Unit, _split_units, encode_frame, encode_units
from tests.fuzz.support import Choices, cuts, require

LIMITS = (64, 200, 1024, 1 << 20)
TOKENS = (b"        10", b"        36\0\0I\0\x001", b"**I**1", b"\0", b"connect", b"publish", b"ping")


def target(data: bytes) -> None:
    """First byte: the longest frame; next two: sizes of the pieces."""
    choices = Choices(data)
    limit = choices.pick(LIMITS)
    sizes = (choices.byte(), choices.byte())
    stream = choices.rest()
    whole = read([stream], limit)
    require(read(cuts(stream, (1,)), limit) == whole, "byte by byte it is something else")
    require(read(cuts(stream, sizes), limit) == whole, f"in pieces of {sizes} it is something else")
    for frame in whole[0]:
        check(frame)


def read(pieces: list[bytes], limit: int) -> tuple[list[Frame], str]:
    """The frames, and the error at the end."""
    reader = FrameReader(limit)
    frames: list[Frame] = []
    for piece in pieces:
        frames += reader.feed(piece)
        require(len(reader._buffer) <= limit, "it keeps more than a frame")
        if reader.error is not None:
            break
    return frames, str(reader.error or "")


def check(frame: Frame) -> None:
    """The quick way through the units and the long one agree; written again, all is the same."""
    units = taken(frame)
    require(units == split(frame.body), "the two ways through the units differ")
    if units is None:
        return
    body = encode_units(units)
    again = Frame(frame.kind, frame.request_id, frame.method, frame.session, body)
    require(taken(again) == units, "units are other ones when they are written again")
    written = encode_frame(*again)
    require(read([written], len(written))[0] == [again], "a frame is another one when it is written again")


def taken(frame: Frame) -> list[Unit] | None:
    """The units, ``None`` where they are broken."""
    try:
        return frame.units(100)
    except FrameError:
        return None


def split(body: bytes) -> list[Unit] | None:
    """The same the long way."""
    try:
        return _split_units(body, 100)
    except FrameError:
        return None
