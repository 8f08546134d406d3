"""Who carries a client's stream to the server, as the client's connection sees it."""

from __future__ import annotations

from typing import Protocol

from broker.xml.stanza import Stanza, StreamStart


class Carrier(Protocol):
    """Carries one client's stream to the server."""

    def start(self, header: StreamStart) -> None:
        """The client begins its stream, for the first time, or anew after TLS or its login."""

    def element(self, element: Stanza) -> None:
        """The client has sent a stanza, or an element of negotiation."""

    def blank(self) -> None:
        """The client has sent white space to show that it is alive."""

    def end(self, tag: bytes) -> None:
        """The client has ended its stream.

        Args:
            tag: as it came.
        """

    def secured(self) -> None:
        """TLS is on."""

    def set_writable(self, writable: bool) -> None:
        """The client has taken all that it was given, or its buffer is full."""

    def rest(self) -> None:
        """Nothing happens for a while: take less memory."""

    def lost(self, reason: str) -> None:
        """The client's connection is gone.

        Args:
            reason: for people.
        """


class Unavailable(Exception):
    """A stream cannot be carried.

    Args:
        condition: of the stream error that the client gets (RFC 6120 §4.9.3).
        text: for people.
    """

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text
