"""Compressed streams: bounded output, nothing but a framing error, and what was written comes back."""

from __future__ import annotations

from broker.native.wire.compress import MAX_DEFLATE_RATIO, ZlibStreamReader, ZlibStreamWriter
from broker.native.wire.frames import FrameError
from tests.fuzz.support import Choices, cuts, require

MOST = 64 * 1024
SLICE = MOST // MAX_DEFLATE_RATIO
TOKENS = (b"x\x9c", b"x\xda", b"\x00\x00\xff\xff", b"\xed\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf")


def target(data: bytes) -> None:
    """First byte: whether it is compressed here first, or is taken as compressed; then the size of the pieces."""
    choices = Choices(data)
    ours, size = choices.below(2), choices.byte()
    given = choices.rest()
    if ours:
        there_and_back(cuts(given, (size,)))
        return
    reader = ZlibStreamReader(MOST, max_ratio=MAX_DEFLATE_RATIO)
    for piece in cuts(given, (min(size, SLICE) or SLICE,)):
        try:
            plain = reader.feed(piece)
        except FrameError:
            return
        require(len(plain) <= MOST, "more came out than may")


def there_and_back(frames: list[bytes]) -> None:
    """What is written can be read at once, frame by frame."""
    writer, reader = ZlibStreamWriter(), ZlibStreamReader(1 << 20)
    for frame in frames:
        require(reader.feed(writer.write(frame)) == frame, "something else came back")
