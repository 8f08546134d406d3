"""What is below the stream of a client over BOSH: it speaks stream management for the client (XEP-0198)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from twisted.logger import Logger

from broker.errors import BrokerError
from broker.net.input_turns import InputTurns
from broker.net.store_pressure import StorePressure
from broker.net.tls_details import TlsDetails
from broker.net.turns import Turns
from broker.net.unread import Unread, UnreadTotal
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.service import XmppService
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.message_framing import CLOSE, END_OF_MESSAGE, MessageCutter, MessageFraming
from broker.xmpp.stream.negotiation import Negotiation
from broker.xmpp.stream.transitions import STANZAS
from broker.xmpp.wire import ns, sm

log = Logger()

NEVER = -1
_MANAGEMENT = f" xmlns='{ns.SM}'".encode()
_STREAM_ERROR = b"<stream:error"
_NOT_XML = b"\1"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session comes from.

    Args:
        host: address of the client.
        secure: it has TLS, here or up to a proxy that is trusted.
        loopback: the listener can be reached from this machine only.
    """

    host: str
    secure: bool
    loopback: bool


class Output(Protocol):
    """Takes what the stream writes."""

    def written(self, element: bytes, number: int) -> None:
        """An element for the client.

        Args:
            element: that stands alone.
            number: of the last stanza so far.
        """

    def closed(self, *, ended: bool, error: bytes) -> None:
        """The stream lets go of its connection.

        Args:
            ended: for good; else the client could resume.
            error: the content of the stream error, if there was one.
        """


class BoshChannel:
    """The :class:`broker.xmpp.stream.transport.StreamTransport` of one session.

    Args:
        service: that the stream belongs to.
        turns: that it takes.
        pressure: of the store.
        origin: where the session comes from.
        output: takes what is written.
        window: seconds for which the stream may be resumed.

    Attributes:
        host: address of the client.
        secure: the client has TLS.
        stream: the stream.
        is_bound: the client has logged in and has a resource.
    """

    __slots__ = (
        "_closed",
        "_cutter",
        "_ended",
        "_error",
        "_excess",
        "_feeding",
        "_input",
        "_items",
        "_number",
        "_output",
        "_pressure",
        "_resuming",
        "_service",
        "_window",
        "host",
        "is_bound",
        "secure",
        "stream",
    )

    can_start_tls = False
    """TLS is below HTTP."""

    def __init__(
        self,
        service: XmppService,
        turns: Turns,
        pressure: StorePressure | None,
        origin: Origin,
        output: Output,
        window: int,
    ) -> None:
        settings = service.settings
        self.host = origin.host
        self.secure = origin.secure
        self.is_bound = False
        self._service = service
        self._pressure = pressure
        self._output = output
        self._window = window
        self._cutter = MessageCutter()
        self._items: deque[bytes | Callable[[], None]] = deque()
        self._feeding = False
        self._number: int | None = None  # of the last stanza to the client; None while they are not counted
        self._resuming: int | None = None  # stanzas that the client has of the stream that it resumes
        self._excess = Unread()
        self._closed = self._ended = False
        self._error = b""
        framing = MessageFraming(settings.domain, settings.max_stanza_before_login, lambda limit: None)
        loopback = origin.loopback
        self.stream = StreamConnection(
            service,
            self,
            framing,
            origin.host,
            lambda stream: Negotiation(service, stream, loopback=loopback),
            idle=NEVER,
            asks=False,
        )
        self.stream.on_rest = self._feed
        self._input = InputTurns(turns, self, self)
        self.stream.connected()

    # What the session says

    def feed(self, message: bytes | Callable[[], None]) -> None:
        """Have the stream handle a message, behind all others.

        Args:
            message: one element that stands alone; or what is called once all before it is handled and on disk.
        """
        if not self._closed:
            self._items.append(message)
            self._feed()

    def payload(self, element: bytes) -> None:
        """Have the stream handle an element of the client.

        Its acknowledgements are left out: its requests say the same, and an id of its own it cannot have.
        """
        if _MANAGEMENT in element[:200] and (management := _parsed(element)) is not None:
            if management.namespace == ns.SM and management.name != "resume":
                return
            if management.name == "resume":
                self._resuming = sm.counter_of(management)
        self.feed(element)

    def acknowledge(self, number: int) -> None:
        """The client has got all stanzas up to a number."""
        if self._number is not None:
            self.feed(sm.ack(number % sm.MODULUS))

    def lose(self, reason: str) -> None:
        """The client is gone: the stream may be resumed, if it was bound."""
        if not self._closed:
            self._closed = True
            self._items.clear()
            self._input.lost()
            self.stream.lost(reason)

    def shut_down(self) -> None:
        """The listener closes."""
        self.stream.shut_down()

    # What the turns say: see :class:`broker.net.input_turns.Receiver`.

    def received(self, data: bytes) -> None:
        """It is the account's turn: the stream sees what has come."""
        self.stream.received(data)

    def turn(self) -> None:
        """The stream goes on with what waits."""
        self.stream.turn()

    # What the stream says: see :class:`broker.xmpp.stream.transport.StreamTransport`.

    @property
    def turn_is_over(self) -> bool:
        """Whether the stream has worked for so long that others should have their turn."""
        return self._input.is_over

    def ask_for_turn(self) -> None:
        """The stream has work left."""
        self._input.ask()

    def hold(self, reason: str) -> None:
        """Nothing is to be held: no more comes than the window of requests allows, before these are answered."""

    def release(self, reason: str) -> None:
        """See :meth:`hold`."""

    def probe(self) -> bool:
        """The client must ask again before long; nobody asks it."""
        return True

    def write(self, data: bytes) -> None:
        """Have elements sent."""
        for element in self._cutter.cut(data):
            self._write(element)

    def start_tls(self) -> None:
        """Nobody asks for it."""
        self.abort()

    def close(self) -> None:
        """The stream is over, or may be resumed elsewhere."""
        if not self._closed:
            self._closed = True
            self._items.clear()
            self._input.lost()
            self._output.closed(ended=self._ended, error=self._error)
            self._service.domain.node.clock.callLater(0, self.stream.lost, "the session over BOSH has ended")

    def abort(self) -> None:
        """Close now."""
        self.close()

    def logged_in(self, account: str, unread: UnreadTotal | None = None) -> None:
        """The client has a resource: count stanzas from here on, or go on counting."""
        self.is_bound = True
        self._excess.belong(unread)
        self._input.logged_in(account, self._pressure)
        if self._resuming is not None:
            self._number = self._resuming
        elif self._number is None and self._service.settings.sm_enabled:
            self._items.appendleft(f"<enable xmlns='{ns.SM}' resume='true' max='{self._window}'/>".encode())

    def channel_bindings(self) -> Mapping[str, bytes]:
        """There are none: requests may come over many connections."""
        return {}

    def tls_details(self) -> TlsDetails | None:
        """That differs from request to request."""
        return None

    def client_certificate(self) -> x509.Certificate | None:
        """That is not asked for here."""
        return None

    # Between both

    def _feed(self) -> None:
        """Show the stream what waits, one message at a time."""
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._items and not self._closed and not self._is_busy:
                item = self._items.popleft()
                if isinstance(item, bytes):
                    self._input.received(item.replace(END_OF_MESSAGE, _NOT_XML) + END_OF_MESSAGE)
                else:
                    self._when_stored(item)
        except Exception:  # noqa: BLE001 - it is logged, and costs this client alone its session
            log.failure("{host}: what a client has sent could not be handled", host=self.host)
            self.close()
        finally:
            self._feeding = False

    @property
    def _is_busy(self) -> bool:
        return self._input.has_unseen or self.stream.has_unhandled

    def _when_stored(self, then: Callable[[], None]) -> None:
        client, store = self.stream.client, self._service.domain.node.store
        if client is not None:
            client.dispatch.save_handled()
        store.when_committed(store.position, then)

    def _write(self, element: bytes) -> None:
        if element == CLOSE:
            self._ended = True
        elif element.startswith(b"<open "):
            return
        elif element.startswith(_STREAM_ERROR):
            self._error = element[element.index(b">") + 1 : element.rindex(b"<")]
        elif element.startswith(b"<stream:features"):
            self._output.written(element.replace(sm.FEATURE, b""), 0)
        elif _MANAGEMENT in element[:200] and (management := _parsed(element)) is not None:
            self._manage(management, element)
        else:
            if self._number is not None and element[1 : element.index(b" ")].decode() in STANZAS:
                self._number += 1
            self._output.written(element, self._number or 0)

    def _manage(self, management: Tree, element: bytes) -> None:
        if management.name == "enabled":
            self._number = 0
        elif self._resuming is not None and management.name in ("resumed", "failed"):
            if management.name == "failed":
                self._resuming = None
            self._output.written(element, self._number or 0)


def _parsed(element: bytes) -> Tree | None:
    try:
        return parse_tree(element, ns.CLIENT, limit=len(element))
    except BrokerError:
        return None
