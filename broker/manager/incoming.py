"""What the server sends to a client: pieces with offsets become whole elements again."""

from __future__ import annotations

from collections.abc import Iterator

from broker.manager.outgoing import OutOfStep
from broker.manager.settings import MAX_ELEMENT
from broker.xml.stanza import StreamEnd
from broker.xml.stream import Event, StreamReader


class Incoming:
    """The bytes of a session from the server, of which the client is given whole elements.

    So where a server goes away and the stream goes on with another, it does so between two elements. Only an element
    longer than half of the window is given in parts, as the server sends no more of it before these are acknowledged.

    Args:
        window: bytes that the server may have under way.

    Attributes:
        expected: offset of the next byte.
        given: offset behind what the client was given.
        in_element: the client was given a part of an element only.
    """

    __slots__ = ("_ended", "_held", "_reader", "_window", "expected", "given", "in_element")

    def __init__(self, window: int) -> None:
        self._window = window
        self._reader = StreamReader(MAX_ELEMENT)
        self._held = bytearray()
        self._ended = False
        self.expected = 0
        self.given = 0
        self.in_element = False

    def receive(self, offset: int, data: bytes) -> Iterator[Event]:
        """Take bytes, and go through what has become whole; :meth:`give` has the bytes.

        Args:
            offset: of the first byte; what has come before is passed over.
            data: bytes.

        Raises:
            OutOfStep: bytes are missing before these, more have come than may, or they are no XML stream.
        """
        known = self.expected - offset
        if known < 0:
            raise OutOfStep(f"what comes begins at {offset}, and {self.expected} is expected")
        data = data[known:]
        self.expected += len(data)
        if self.expected - self.given > 2 * self._window:
            raise OutOfStep("more has come than the window holds")
        self._held += data
        reader = self._reader
        events = reader.feed(data)
        while events:
            for event in events:
                self._ended = isinstance(event, StreamEnd)
                yield event
            events = reader.feed()
        if reader.error is not None:
            raise OutOfStep(f"what comes for a client is no XML stream: {reader.error}")

    def give(self) -> bytes:
        """What the client is to be given now; empty while nothing more is whole."""
        held = self._held
        reader = self._reader
        incomplete = 0 if self._ended else reader.incomplete + len(reader.unread)  # with what was given of it
        whole = len(held) - incomplete
        if self.in_element and whole >= 0:
            self.in_element = False
        if self.in_element or incomplete > self._window // 2:
            self.in_element = True
            whole = len(held)
        data = bytes(held[:whole])
        del held[:whole]
        self.given += whole
        return data

    def restart(self) -> None:
        """A new stream follows the last event."""
        self._ended = False
        self._reader.restart()

    def read_ahead(self) -> None:
        """No new stream follows from here on."""
        self._reader.stepwise = False

    def rest(self) -> None:
        """Nothing may come for a while: take less memory."""
        self._reader.rest()

    def begin_anew(self) -> None:
        """The stream goes on at offset 0, behind the last whole element."""
        self._held.clear()
        self._reader.drop_incomplete()
        self.expected = self.given = 0
