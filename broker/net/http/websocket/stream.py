"""A stream of text messages over one connection: pings, the closing handshake, and peers that keep no measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.net.http.websocket.codec import (
    CloseCode,
    CloseReceived,
    Message,
    PingReceived,
    PongReceived,
    Violation,
    WebSocketCodec,
)
from broker.net.rate import Rate
from broker.timers import cancel

CLOSE_TIMEOUT = 5.0
"""Seconds that the peer may take to answer the frame that closes the connection (RFC 6455 §7.1.1)."""
MESSAGE_TIMEOUT = 30.0
"""Seconds from the first byte of a message to its last."""
PINGS_A_SECOND, PINGS_AT_ONCE = 10, 50


class Messages(Protocol):
    """What is spoken in the messages of one connection."""

    def connected(self) -> None:
        """The connection is there."""

    def message(self, text: bytes) -> None:
        """A message has come."""

    def alive(self) -> None:
        """The peer is there: it has answered a ping."""

    def turn(self) -> None:
        """See :class:`broker.net.stream.Stream`."""

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.net.stream.Stream`."""

    def shut_down(self) -> None:
        """See :class:`broker.net.stream.Stream`."""

    def lost(self, reason: str) -> None:
        """See :class:`broker.net.stream.Stream`."""


class Carrier(Protocol):
    """What carries the frames: a :class:`broker.net.transport.Connection`."""

    @property
    def pauses(self) -> Mapping[str, float]:
        """Why nothing is read of the peer; empty where it is."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Send what was written, then close."""


class WebSocketStream:
    """The :class:`broker.net.stream.Stream` of a connection that was upgraded.

    Args:
        connection: that it comes over.
        clock: of its deadlines.
        max_message: longest message in bytes, for the time being.
        max_fragments: frames that a message may come in, for the time being.

    Attributes:
        codec: its frames.
        messages: what is spoken over it; set before anything comes.
    """

    __slots__ = ("_clock", "_connection", "_overdue", "_pings", "codec", "messages")

    messages: Messages

    def __init__(self, connection: Carrier, clock: IReactorTime, max_message: int, max_fragments: int) -> None:
        self.codec = WebSocketCodec(max_message, max_fragments)
        self._connection = connection
        self._clock = clock
        self._pings = Rate(clock, PINGS_A_SECOND, PINGS_AT_ONCE)
        self._overdue: IDelayedCall | None = None  # what is under way: a message, or the end

    def connected(self) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self.messages.connected()

    def secured(self) -> None:
        """See :class:`broker.net.stream.Stream`; TLS begins before HTTP does."""

    def received(self, data: bytes) -> None:
        """See :class:`broker.net.stream.Stream`."""
        is_idle = False
        for event in self.codec.feed(data):
            match event:
                case Message(text):
                    is_idle = True
                    if not self.codec.is_closing:
                        self.messages.message(text)
                case PingReceived(answer):
                    is_idle = not self.codec.is_within_message
                    if not self._pings.takes(""):
                        self.leave(CloseCode.POLICY_VIOLATION, "too many pings")
                        return
                    self._connection.write(answer)
                case PongReceived():
                    is_idle = not self.codec.is_within_message
                    self.messages.alive()
                case CloseReceived(answer):
                    self._end(answer)
                    return
                case Violation(code, reason):
                    self.leave(code, reason)
                    return
        self._watch_message(is_idle=is_idle and not self.codec.is_within_message)

    def turn(self) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self.messages.turn()

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self.messages.set_writable(writable)

    def shut_down(self) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self.messages.shut_down()

    def lost(self, reason: str) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self._stop_timer()
        self.messages.lost(reason)

    def send(self, text: bytes) -> None:
        """Send a message.

        Args:
            text: in UTF-8.
        """
        self._connection.write(self.codec.message(text))

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        self._connection.write(self.codec.ping())

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close the connection, once the peer has answered, or has not for too long (RFC 6455 §7.1.2).

        Args:
            code: why.
            reason: for people, in ASCII.
        """
        frame = self.codec.close(code, reason)
        if frame:
            self._connection.write(frame)
            self._stop_timer()
            self._overdue = self._clock.callLater(CLOSE_TIMEOUT, self._end, b"")

    def leave(self, code: CloseCode, reason: str = "") -> None:
        """Close the connection without waiting for the peer's frame; what else comes is not looked at.

        Args:
            code: why.
            reason: for people, in ASCII.
        """
        self._end(self.codec.close(code, reason))

    def _end(self, last: bytes) -> None:
        self._stop_timer()
        if last:
            self._connection.write(last)
        self._connection.close()

    def _watch_message(self, *, is_idle: bool) -> None:
        if self.codec.is_closing:
            return
        if is_idle:
            self._stop_timer()
        elif self._overdue is None:
            self._overdue = self._clock.callLater(MESSAGE_TIMEOUT, self._message_overdue)

    def _message_overdue(self) -> None:
        self._overdue = None
        if self._connection.pauses:  # nothing is read of it, so the peer is not to blame
            self._watch_message(is_idle=False)
            return
        self.leave(CloseCode.POLICY_VIOLATION, "a message takes too long")

    def _stop_timer(self) -> None:
        timer, self._overdue = self._overdue, None
        cancel(timer)
