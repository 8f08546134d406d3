"""zlib on a link (spec §2.2): a stream of RFC 1950 in each direction, whose writes the other side can read at once."""

from __future__ import annotations

import zlib

MAX_INFLATED = 4 << 20
"""Bytes that one piece of input, which is at most some 64 KiB, may become."""
MAX_RATIO = 100
"""Bytes for each byte of input in the long run, once there are more than :data:`MAX_INFLATED`."""
LEVEL = 6


class CompressionError(Exception):
    """What came is no zlib stream, or expands beyond the bounds."""


class Inflater:
    """What the manager sends."""

    __slots__ = ("_given", "_inflater", "_taken")

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj()
        self._taken = 0
        self._given = 0

    def inflate(self, data: bytes) -> bytes:
        """The next bytes.

        Raises:
            CompressionError: see there; nothing more can be read.
        """
        try:
            plain = self._inflater.decompress(data, MAX_INFLATED + 1)
        except zlib.error as error:
            raise CompressionError(f"what is compressed cannot be read: {error}") from None
        self._taken += len(data)
        self._given += len(plain)
        if len(plain) > MAX_INFLATED or self._given > MAX_INFLATED + MAX_RATIO * self._taken:
            raise CompressionError("what is compressed becomes too long")
        if self._inflater.eof:
            raise CompressionError("the compressed stream has ended")
        return plain


class Deflater:
    """What the server sends."""

    __slots__ = ("_deflater",)

    def __init__(self) -> None:
        self._deflater = zlib.compressobj(LEVEL)

    def deflate(self, data: bytes) -> bytes:
        """Compress bytes so that the peer can read them to the end."""
        return self._deflater.compress(data) + self._deflater.flush(zlib.Z_PARTIAL_FLUSH)
