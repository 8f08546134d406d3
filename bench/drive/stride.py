"""Messages that all have one length on the wire."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bench.drive.lane import MARKER, Counter
from bench.drive.loop import Link


class StrideReceiver(ABC):
    """Takes messages of one length; acknowledges all of one read at once, or none.

    Args:
        link: of the receiver.
        stride: bytes of a message on the wire.
        acknowledges: whether it does.
        rest: bytes that have come already.
    """

    def __init__(self, link: Link, stride: int, *, acknowledges: bool, rest: bytes = b"") -> None:
        self.link = link
        self.got = 0
        self._stride = stride
        self._buffer = bytearray()
        self._counter = Counter(MARKER)
        link.on_data = self._acknowledge if acknowledges else self._count
        if rest:
            link.on_data(rest)

    @abstractmethod
    def answer(self, whole: bytearray, count: int) -> bytes:
        """What acknowledges so many messages.

        Args:
            whole: the messages, and perhaps a part of another behind them.
            count: of the messages.

        Raises:
            DriveError: they are something else.
        """

    def _count(self, data: bytes) -> None:
        self.got += self._counter.feed(data)

    def _acknowledge(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        count = len(buffer) // self._stride
        if not count:
            return
        answer = self.answer(buffer, count)
        del buffer[: count * self._stride]
        self.got += count
        self.link.send(answer)
