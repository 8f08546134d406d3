"""What has come over a connection and is not handled yet."""

from __future__ import annotations

from broker.xml.stream import Event
from broker.xmpp.stream.framing import Framing

MAX_UNREAD = 65_536
"""Bytes that may wait while a stanza is being handled; then nothing is read."""


class Inbox:
    """Events in their order, and behind them the bytes that are to be cut into events when these are handled.

    Args:
        framing: cuts them.

    Attributes:
        events: that wait, the next one last (an empty deque would take 700 bytes of each stream).
        later: bytes that came behind them. Where there are any, or any events, what comes now has to wait as well.
    """

    __slots__ = ("_framing", "_size", "events", "later")

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self.events: list[Event] = []
        self.later: list[bytes] = []
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """Whether all that came is handled, but for the beginning of a stanza."""
        return not (self.events or self.later or self._framing.unread)

    def keep(self, data: bytes) -> bool:
        """Let bytes wait.

        Returns:
            Whether so many wait that no more should come.
        """
        self.later.append(data)
        self._size += len(data)
        return self._size > MAX_UNREAD

    def read(self, data: bytes) -> None:
        """Cut bytes into events; only where nothing waits.

        Raises:
            StreamError: the stream was found broken earlier.
        """
        events = self._framing.feed(data)
        if events:
            if len(events) > 1:
                events.reverse()
            self.events = events

    def read_more(self) -> bool:
        """Cut what waits into events.

        Returns:
            Whether that has changed anything.

        Raises:
            StreamError: the stream was found broken earlier.
        """
        data = b"".join(self.later)
        self.drop_bytes()
        before = self._framing.unread
        self.read(data)
        return bool(self.events or data or self._framing.unread != before)

    def drop_bytes(self) -> None:
        """Forget the bytes that no event was made of."""
        self.later.clear()
        self._size = 0

    def clear(self) -> None:
        """Forget everything."""
        self.events.clear()
        self.drop_bytes()
