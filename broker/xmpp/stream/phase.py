"""What a stream is to its peer at the moment: one that negotiates, or a bound one."""

from __future__ import annotations

from typing import Protocol

from broker.xml.stanza import Stanza, StreamStart
from broker.xmpp.routing.domain import Client


class Phase(Protocol):
    """Handles what comes over a :class:`broker.xmpp.stream.connection.StreamConnection`, which has one at a time."""

    @property
    def client(self) -> Client | None:
        """Whose stream it is; ``None`` where nobody is bound."""

    @property
    def is_behind(self) -> bool:
        """Whether the peer has not read enough of its answers to get more: then what it has sent waits."""

    @property
    def finishes(self) -> bool:
        """Whether what came is handled to its end where the connection is lost."""

    def start(self) -> None:
        """It is this one's turn."""

    def secured(self) -> None:
        """The TLS handshake that it has begun is over."""

    def opened(self, start: StreamStart) -> None:
        """The peer has opened a stream."""

    def element(self, stanza: Stanza) -> None:
        """The peer has sent a stanza, or another element."""

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again."""

    def shut_down(self) -> None:
        """The listener closes."""

    def lost(self) -> None:
        """The connection is gone, and what came over it is still being handled."""

    def let_go(self, reason: str) -> None:
        """The connection is gone, and what came over it is handled.

        Args:
            reason: why it is gone.
        """

    def stop(self) -> None:
        """Cancel all timers: the stream ends, or another phase begins."""
