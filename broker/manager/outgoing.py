"""What a client has sent, until the server has it: offsets, the window, and stanzas that are sent again."""

from __future__ import annotations

from collections import deque

from broker.xmpp.wire.sm import MODULUS, serial_distance


class OutOfStep(Exception):
    """The server takes offsets for what they cannot be: the link is of no use."""


class Outgoing:
    """The bytes of a session to the server that it has not acknowledged, in order.

    Args:
        window: bytes that may be under way; the rest waits.

    Attributes:
        base: offset of the first byte that is kept.
        sent: offset of the next byte to send.
        window: may be changed at any time.
    """

    __slots__ = ("_begun", "_data", "_ends", "base", "sent", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.base = 0
        self.sent = 0
        self._begun = 0  # offset behind the negotiation of the stream
        self._data = bytearray()
        self._ends: deque[tuple[int, int]] = deque()  # of stanzas that are counted: offset of the end, number

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self.base + len(self._data)

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return len(self._data)

    @property
    def has_more(self) -> bool:
        """Whether bytes may be sent now."""
        return self.sent < min(self.end, self.base + self.window)

    @property
    def is_full(self) -> bool:
        """Whether as much waits as may be under way."""
        return len(self._data) >= self.window

    def add(self, data: bytes, number: int | None = None) -> None:
        """Send bytes.

        Args:
            data: one or more whole elements.
            number: of the stanza that they are, as stream management counts; ``None`` for what it does not count.
        """
        self._data += data
        if number is not None:
            self._ends.append((self.end, number))

    def take(self, size: int) -> bytes:
        """The next bytes to send, from :attr:`sent` on, which are sent then; empty where nothing may be sent now.

        Args:
            size: no more than so many.
        """
        start = self.sent - self.base
        data = bytes(self._data[start : min(start + size, self.window)])
        self.sent += len(data)
        return data

    def acknowledge(self, offset: int) -> None:
        """The server has all bytes before an offset.

        Raises:
            OutOfStep: it cannot have so many.
        """
        if offset > self.sent:
            raise OutOfStep(f"{offset} bytes are acknowledged, and {self.sent} were sent")
        if offset > self.base:
            self._drop(offset)

    def send_from(self, offset: int) -> None:
        """The server expects what comes from an offset on, over another link.

        Raises:
            OutOfStep: that is not here.
        """
        if not self.base <= offset <= self.sent:
            raise OutOfStep(f"the server expects offset {offset}, and has it from {self.base} to {self.sent} only")
        self._drop(offset)
        self.sent = offset

    def skip(self) -> None:
        """What came so far counts no more: it has its end in the beginning of TLS."""
        self.sent = self.end
        self._drop(self.end)

    def begin(self) -> None:
        """What came so far is negotiation: no other server is told it (see :meth:`begin_anew`)."""
        self._begun = self.end

    def count_from(self, number: int) -> None:
        """Stanzas were counted from 1 on, and have so much higher numbers: the stream goes on from before.

        Args:
            number: of the last stanza before them, modulo 2^32.
        """
        self._ends = deque((end, (each + number) % MODULUS) for end, each in self._ends)

    def begin_anew(self, handled: int) -> None:
        """The stream goes on at offset 0, behind its negotiation and the stanzas that were handled.

        Args:
            handled: number of the last of them, modulo 2^32.
        """
        if self._begun > self.base:
            self._drop(self._begun)
        self._begun = 0
        ends = self._ends
        while ends and serial_distance(ends[0][1], handled) <= 0:
            self._drop(ends[0][0])
        base = self.base
        self._ends = deque((end - base, number) for end, number in ends)
        self.base = self.sent = 0

    def _drop(self, offset: int) -> None:
        del self._data[: offset - self.base]
        self.base = offset
        ends = self._ends
        while ends and ends[0][0] <= offset:
            ends.popleft()
