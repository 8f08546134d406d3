"""What a session sends, kept until the other side has taken it (manager-links.md)."""

from __future__ import annotations

from broker.xmpp.wire.frames import FrameError


class Outgoing:
    """The bytes of one direction of a session, from the last acknowledged one on.

    Attributes:
        acknowledged: offset of the first byte that is kept.
        sent: offset of the next byte to send over the present link.
        end: offset behind the last byte.
    """

    __slots__ = ("_chunks", "_first", "_index", "_index_at", "acknowledged", "end", "sent")

    def __init__(self) -> None:
        self.acknowledged = 0
        self.sent = 0
        self.end = 0
        self._chunks: list[bytes] = []
        self._first = 0  # offset of the first chunk
        self._index = 0  # of the chunk that is sent next
        self._index_at = 0  # its offset

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self.end - self.acknowledged

    def add(self, data: bytes) -> None:
        """Have bytes sent, behind all others.

        Args:
            data: at least one byte.
        """
        self._chunks.append(data)
        self.end += len(data)

    def take(self, most: int) -> bytes:
        """The next bytes to send; none where all are sent.

        Args:
            most: so many, at most.
        """
        parts: list[bytes] = []
        chunks = self._chunks
        while most > 0 and self._index < len(chunks):
            chunk = chunks[self._index]
            start = self.sent - self._index_at
            part = chunk if not start and len(chunk) <= most else chunk[start : start + most]
            parts.append(part)
            most -= len(part)
            self.sent += len(part)
            if start + len(part) == len(chunk):
                self._index += 1
                self._index_at = self.sent
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def acknowledge(self, offset: int) -> int:
        """The other side has taken all bytes before an offset.

        Returns:
            How many bytes more than before.

        Raises:
            FrameError: it cannot have.
        """
        if offset > self.sent:
            raise FrameError(f"{offset} bytes are acknowledged, and {self.sent} were sent")
        more = offset - self.acknowledged
        if more <= 0:
            return 0
        self.acknowledged = offset
        chunks, first, done = self._chunks, self._first, 0
        while done < len(chunks) and first + len(chunks[done]) <= offset:
            first += len(chunks[done])
            done += 1
        del chunks[:done]
        self._first = first
        self._index -= done
        return more

    def send_from(self, offset: int) -> None:
        """Send from an offset on, which the other side expects over a new link.

        Raises:
            FrameError: it cannot expect that.
        """
        if not self.acknowledged <= offset <= self.sent:
            raise FrameError(f"byte {offset} is expected of those from {self.acknowledged} to {self.sent}")
        self.sent = offset
        self._index, self._index_at = 0, self._first
        for chunk in self._chunks:
            if self._index_at + len(chunk) > offset:
                break
            self._index_at += len(chunk)
            self._index += 1
