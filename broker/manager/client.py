"""One client of the manager: its stream is cut into elements here, and carried to the server by somebody else."""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography import x509
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.manager.carrier import Carrier
from broker.manager.settings import ManagerSettings
from broker.net.tls_details import TlsDetails
from broker.timers import cancel
from broker.xml.stanza import Stanza, StreamStart
from broker.xml.stream import Event, StreamReader
from broker.xml.write import escape_attribute
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import stream_error
from broker.xmpp.wire.stanza import STREAM_END

WAITS = "the client waits for an answer"
MAX_UNREAD = 16 * 1024
"""Bytes that may come of a client that waits for an answer, before it is not read from any more."""
_ROOT = re.compile(rb"<([^\s/>]+)")


class Transport(Protocol):
    """A client's connection, as :class:`broker.net.transport.Connection` is."""

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""

    @property
    def host(self) -> str:
        """Address of the client."""

    @property
    def port(self) -> int:
        """Port of the client."""

    @property
    def local_port(self) -> int:
        """Port of this side."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def start_tls(self) -> None:
        """Begin the TLS handshake."""

    def close(self) -> None:
        """Send what was written, then close."""

    def abort(self) -> None:
        """Close now."""

    def hold(self, reason: str) -> None:
        """Read nothing until every reason is released."""

    def release(self, reason: str) -> None:
        """A reason is gone."""

    def logged_in(self, account: str) -> None:
        """The client has logged in."""

    def channel_bindings(self) -> Mapping[str, bytes]:
        """Channel binding data by type."""

    def tls_details(self) -> TlsDetails | None:
        """How the connection is secured; ``None`` without TLS."""

    def client_certificate(self) -> x509.Certificate | None:
        """The verified certificate of the client."""


class Client:
    """A client's stream; a :class:`broker.net.stream.Stream`.

    Args:
        transport: its connection.
        settings: of the manager.
        clock: of its deadlines.
        come: told of a client that has sent its stream's header; calls :meth:`carry` or :meth:`fail`, at once or later.
        gone: told of a client whose connection is gone, or that was never carried.

    Attributes:
        transport: as above.
        header: the stream's header as it came the last time.
        opened: the client has got a header.
        writable: the client has taken all that it was given.
    """

    __slots__ = (
        "_carrier",
        "_clock",
        "_come",
        "_deadline",
        "_early",
        "_ended",
        "_events",
        "_gone",
        "_in_element",
        "_reader",
        "_rested",
        "_settings",
        "_waits",
        "header",
        "opened",
        "transport",
        "writable",
    )

    def __init__(
        self,
        transport: Transport,
        settings: ManagerSettings,
        clock: IReactorTime,
        come: Callable[[Client, StreamStart], None],
        gone: Callable[[Client], None],
    ) -> None:
        self.transport = transport
        self.header = b""
        self.opened = False
        self.writable = True
        self._settings = settings
        self._clock = clock
        self._come = come
        self._gone = gone
        self._reader = StreamReader(settings.max_stanza_before_login)
        self._carrier: Carrier | None = None
        self._early: StreamStart | None = None  # a header that nobody carries yet
        self._events: deque[Event] = deque()  # that are read, and wait
        self._waits = False  # nothing is read before the server has answered, or somebody carries the stream
        self._ended = False
        self._in_element = False
        self._rested = False  # nothing has happened since it was asked to
        self._deadline: IDelayedCall | None = None

    # What the connection says

    def connected(self) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self._deadline = self._clock.callLater(self._settings.header_timeout, self._overdue)

    def secured(self) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self._events.clear()
        self._reader.restart(discard=True)
        self.opened = False
        if self._carrier is not None:
            self._carrier.secured()
        self.go_on()

    def received(self, data: bytes) -> None:
        """See :class:`broker.net.stream.Stream`."""
        if self._ended:
            return
        self._rested = False
        if self._waits:
            self._reader.unread += data
            if len(self._reader.unread) > MAX_UNREAD:
                self.transport.hold(WAITS)
            return
        self._read(data)

    def turn(self) -> None:
        """See :class:`broker.net.stream.Stream`; none is asked for."""

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self.writable = writable
        if self._carrier is not None:
            self._carrier.set_writable(writable)

    def rest(self) -> None:
        """Take less memory, where nothing has happened since the last call; what comes next costs a little more."""
        if self._rested and not self._events:
            self._reader.rest()
            if self._carrier is not None:
                self._carrier.rest()
        self._rested = True

    def shut_down(self) -> None:
        """See :class:`broker.net.stream.Stream`: the client may resume its stream elsewhere, or is sent there."""
        other = self._settings.other_host
        if other:
            self.fail("see-other-host", "the connection manager stops", content=other)
        else:
            self.leave()

    def lost(self, reason: str) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self._ended = True
        self._stop_deadline()
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.lost(reason)
        self._gone(self)

    # What the carrier says

    @property
    def is_over(self) -> bool:
        """Whether nothing of the client is read any more."""
        return self._ended

    def carry(self, carrier: Carrier) -> None:
        """Somebody carries the stream from now on."""
        self._carrier = carrier
        header, self._early = self._early, None
        assert header is not None
        self._waits = False
        carrier.start(header)  # which may wait, too
        if not (self._waits or self._ended):
            self.transport.release(WAITS)
            self._read(b"")

    def wait(self) -> None:
        """Read nothing more before :meth:`go_on`."""
        self._waits = True

    def go_on(self) -> None:
        """Read on."""
        if self._waits and not self._ended:
            self._waits = False
            self.transport.release(WAITS)
            self._read(b"")

    def restart(self) -> None:
        """The client has logged in, and begins its stream anew; call :meth:`go_on` then."""
        self.opened = False
        self._reader.restart()

    def admit(self, account: str) -> None:
        """The client has logged in.

        Args:
            account: with whose other connections it takes turns.
        """
        self._reader.max_stanza = self._settings.max_stanza
        self.transport.logged_in(account)

    def read_ahead(self) -> None:
        """The client begins its stream anew no more."""
        self._reader.stepwise = False

    def write(self, data: bytes, *, in_element: bool = False) -> None:
        """Give the client bytes.

        Args:
            data: bytes.
            in_element: they end within an element.
        """
        self._in_element = in_element
        self._rested = False
        self.transport.write(data)

    def fail(self, condition: str, text: str, *, content: str = "") -> None:
        """End the stream with an error (RFC 6120 §4.9), behind a header where there was none yet.

        A client that has a part of an element only cannot be told.

        Args:
            condition: of RFC 6120 §4.9.3.
            text: for people.
            content: of the condition's element.
        """
        if self._ended:
            return
        self._ended = True
        if not self._in_element:
            header = b"" if self.opened else opening(self._settings.domain)
            self.transport.write(header + stream_error(condition, text, content=content) + STREAM_END)
        self._close()

    def leave(self) -> None:
        """Close the connection without ending the stream, so that the client may resume it."""
        if not self._ended:
            self._ended = True
            self._close()

    def close(self) -> None:
        """Close the connection; the stream is over."""
        self._ended = True
        self._close()

    def abort(self) -> None:
        """Close the connection now; the client may resume its stream."""
        self._ended = True
        self.transport.abort()

    # Reading

    def _read(self, data: bytes) -> None:
        reader = self._reader
        idle = not reader.incomplete
        if reader.error is None:  # else what was broken came behind events that had to wait
            self._events.extend(reader.feed(data))
        if data and idle and not (self._events or reader.incomplete or reader.error) and self._carrier is not None:
            self._carrier.blank()
        while self._events:
            while self._events:
                self._handle(self._events.popleft())
                if self._waits or self._ended:
                    return
            if reader.error is None:
                self._events.extend(reader.feed())
        if reader.error is not None:
            self.fail(reader.error.condition, reader.error.text)

    def _handle(self, event: Event) -> None:
        carrier = self._carrier
        if isinstance(event, StreamStart):
            self.header = event.raw
            if carrier is None:
                self._stop_deadline()
                self._early = event
                self._waits = True
                self._come(self, event)
            else:
                carrier.start(event)
            return
        assert carrier is not None  # who answers the header comes first
        if isinstance(event, Stanza):
            carrier.element(event)
        else:
            root = _ROOT.match(self.header)
            assert root is not None
            carrier.end(b"</%b>" % root[1])

    def _overdue(self) -> None:
        self._deadline = None
        self.fail("connection-timeout", "no stream was begun in time")

    def _close(self) -> None:
        self._stop_deadline()
        self.transport.close()

    def _stop_deadline(self) -> None:
        call, self._deadline = self._deadline, None
        cancel(call)


def opening(domain: str, id: str = "", language: str = "en") -> bytes:
    """The header of a stream that the manager answers itself (RFC 6120 §4.7).

    Args:
        domain: that the server serves.
        id: of the stream; one is made where none is given.
        language: of texts for people.
    """
    return (
        f"<?xml version='1.0'?><stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}' version='1.0'"
        f" xml:lang='{escape_attribute(language)}' id='{escape_attribute(id or secrets.token_hex(16))}'"
        f" from='{escape_attribute(domain)}'>"
    ).encode()
