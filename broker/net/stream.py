"""What a transport asks of the protocol that it carries."""

from __future__ import annotations

from typing import Protocol


class Stream(Protocol):
    """The protocol's side of one connection, as :class:`broker.net.transport.Connection` sees it."""

    def connected(self) -> None:
        """The connection is there; one that begins with TLS has finished its handshake."""

    def secured(self) -> None:
        """The handshake of TLS that the stream has started is over."""

    def received(self, data: bytes) -> None:
        """Bytes have come. Where they are work for longer than a turn, the stream asks for another one."""

    def turn(self) -> None:
        """It is this stream's turn to go on with what waits, as it asked for; also after :meth:`lost`."""

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again."""

    def shut_down(self) -> None:
        """The listener closes: finish what was begun, and close the connection."""

    def lost(self, reason: str) -> None:
        """The connection is gone.

        Args:
            reason: for people.
        """
