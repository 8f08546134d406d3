"""Compression of the native protocol: ``zlib:stream``, one zlib stream for each direction (spec xmlblaster §20.1).

The bytes are RFC 1950; each frame ends with a partial flush, so the receiver can read it at once. Nobody negotiates:
all clients of a port that is configured so have to speak it.
"""

from __future__ import annotations

import zlib

from broker.native.wire.frames import FrameError

MAX_DEFLATE_RATIO = 1032
"""Bytes that one byte of a zlib stream becomes at most."""


class ZlibStreamReader:
    """Inflates what a peer sends, within bounds.

    Args:
        max_output: bytes that one :meth:`feed` may give. Input of up to ``max_output // MAX_DEFLATE_RATIO`` bytes can
            not exceed it, so a caller that feeds slices of that size refuses nobody and still bounds its memory.
        max_ratio: bytes of output for each byte of input that the stream may give in the long run, once it has given
            ``max_output`` bytes; ``None`` where only ``max_output`` counts.

    Raises:
        ValueError: ``max_output`` is not positive.
    """

    __slots__ = ("_inflater", "_max_output", "_max_ratio", "_received", "_returned")

    def __init__(self, max_output: int, max_ratio: int | None = None) -> None:
        if max_output < 1:
            raise ValueError("max_output must be positive")
        self._inflater = zlib.decompressobj()
        self._max_output = max_output
        self._max_ratio = max_ratio
        self._received = 0
        self._returned = 0

    def feed(self, data: bytes) -> bytes:
        """Inflate the next bytes.

        Raises:
            FrameError: they are no zlib stream, come after its end, or expand beyond the bounds. The stream is of no
                more use then.
        """
        offset = self._received
        self._received += len(data)
        if self._inflater.eof and data:
            raise FrameError("data after the end of the zlib stream", offset)
        try:
            # One byte more than allowed: if zlib has room left, it holds nothing back for the next call.
            plain = self._inflater.decompress(data, self._max_output + 1)
        except zlib.error as error:
            raise FrameError(f"broken zlib stream: {error}", offset) from None
        if len(plain) > self._max_output:
            raise FrameError(f"compressed data expands beyond {self._max_output} bytes", offset)
        if self._inflater.unused_data:
            raise FrameError("data after the end of the zlib stream", self._received - len(self._inflater.unused_data))
        self._returned += len(plain)
        if self._max_ratio is not None and self._returned > self._max_output + self._max_ratio * self._received:
            raise FrameError(f"compressed data expands more than {self._max_ratio} times", offset)
        return plain


class ZlibStreamWriter:
    """Deflates what goes to a peer.

    Args:
        level: 0 (none) to 9 (best) as zlib counts; the reference servers and clients use 9.
    """

    __slots__ = ("_deflater",)

    def __init__(self, level: int = 9) -> None:
        self._deflater = zlib.compressobj(level)

    def write(self, frame: bytes) -> bytes:
        """Deflate one or more whole frames so that the peer can read them to the end."""
        return self._deflater.compress(frame) + self._deflater.flush(zlib.Z_PARTIAL_FLUSH)
