"""How a transport carries an XML stream: what is read of it, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from broker.xml.stream import Event, StreamError


class Framing(Protocol):
    """Bytes of one connection to events and back; it knows neither sockets nor sessions.

    Over TCP it is a :class:`broker.xmpp.stream.tcp_framing.TcpFraming`. A framing without stream headers (RFC 7395
    §3.3) makes :class:`broker.xml.stanza.StreamStart` of its ``<open/>``, and :class:`broker.xml.stanza.StreamEnd` of
    its ``<close/>``.
    """

    @property
    def error(self) -> StreamError | None:
        """What the peer has broken the stream with, behind the events that :meth:`feed` has returned."""

    @property
    def has_more(self) -> bool:
        """Whether another :meth:`feed` may tell something without more bytes: an event, or :attr:`error`."""

    @property
    def unread(self) -> int:
        """Bytes that came behind the last event and wait for the next :meth:`feed`."""

    @property
    def is_open(self) -> bool:
        """Whether this side has opened the present stream."""

    def feed(self, data: bytes = b"") -> list[Event]:
        """Take the next bytes and return the events that they complete; until :meth:`read_ahead` one at a time.

        The list is the caller's.

        Raises:
            StreamError: the stream was found broken by an earlier call.
        """

    def restart(self, *, discard: bool = False) -> None:
        """Expect a new stream behind the last event (RFC 6120 §4.3.3).

        Args:
            discard: forget what is unread: it came before TLS, so it could be from anybody.
        """

    def allow(self, max_stanza: int) -> None:
        """Let stanzas be as long as this, in bytes, from the next :meth:`feed` on."""

    def read_ahead(self) -> None:
        """No other stream follows on this one: all events of some bytes may be read at once."""

    def open(self, to: str = "") -> bytes:
        """What opens this side of the stream.

        Args:
            to: who the peer says that it is, if it does.
        """

    def features(self, content: bytes) -> bytes:
        """The stream features.

        Args:
            content: the features, as elements.
        """

    def sender(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """What sends elements: one or several complete ones, in a stream whose default namespace is ``jabber:client``.

        Args:
            write: of the transport.
        """

    def fail(self, condition: str, text: str, extra: bytes = b"") -> bytes:
        """A stream error, behind what opens this side where that was not written yet (RFC 6120 §4.9.1.2).

        Args:
            condition: of RFC 6120 §4.9.3.
            text: for people.
            extra: an application's own condition, as an element.
        """

    def close(self) -> bytes:
        """What closes this side of the stream; nothing where it is not open."""
