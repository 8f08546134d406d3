"""What is below the stream of a client over BOSH: it speaks stream management for the client (XEP-0198)."""

from __future__ import annotations

import re
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
from broker.xmpp.managers.resumption import Resumption
from broker.xmpp.service import XmppService
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.message_framing import CLOSE, END_OF_MESSAGE, MessageCutter, MessageFraming
from broker.xmpp.stream.negotiation import Negotiation
from broker.xmpp.stream.phase import Phase
from broker.xmpp.wire import ns, sm
from broker.xmpp.wire.frame_values import Resume

log = Logger()

NEVER = -1
DOOR = "BOSH"
"""In the audit, of streams that go on after a crash."""
RESTORED_AT_LAST = 2.0
"""Seconds after which a stream that goes on is believed to have sent everything again."""
_STANZA = re.compile(rb"<(?:message|presence|iq)[\s/>]")
_MANAGEMENT = f" xmlns='{ns.SM}'".encode()
_STREAM_ERROR = b"<stream:error"
_NOT_XML = b"\1"


@dataclass(frozen=True, slots=True)
class Mark:
    """A point between two elements of the client.

    Args:
        call: called there.
        is_stored: not before the effects of everything in front of it are on disk.
    """

    call: Callable[[], None]
    is_stored: bool


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

    def counted(self) -> None:
        """Stanzas are counted from here on, and the stream can be resumed after a crash."""

    def restored(self, handled: int) -> None:
        """The stream goes on after a crash, and has sent again what the client has not acknowledged.

        Args:
            handled: how many stanzas of the client it had handled.
        """

    def refused(self) -> None:
        """The stream of before the crash is not there any more."""

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
        resume: the stream that goes on after a crash; ``None`` where one begins.

    Attributes:
        host: address of the client.
        secure: the client has TLS.
        stream: the stream.
        is_bound: the client has logged in and has a resource.
        id: of the stream, by which it can be resumed; empty where it cannot.
        inbound: stanzas of the client that the stream was given since they are counted.
    """

    __slots__ = (
        "_account",
        "_clock",
        "_closed",
        "_cutter",
        "_due",
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
        "id",
        "inbound",
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
        resume: Resume | None = None,
    ) -> None:
        settings = service.settings
        self._clock = service.domain.node.clock
        self.id = "" if resume is None else resume.previd
        self._account = "" if resume is None else resume.account
        self.inbound = 0
        self._due: int | None = None  # number of the last stanza that is sent again
        self.host = origin.host
        self.secure = origin.secure
        self.is_bound = False
        self._service = service
        self._pressure = pressure
        self._output = output
        self._window = window
        self._cutter = MessageCutter()
        self._items: deque[bytes | Mark] = deque()
        self._feeding = False
        self._number: int | None = None  # of the last stanza to the client; None while they are not counted
        self._resuming: int | None = None  # stanzas that the client has of the stream that it resumes
        self._excess = Unread()
        self._closed = self._ended = False
        self._error = b""
        framing = MessageFraming(settings.domain, settings.max_stanza_before_login, lambda limit: None)
        loopback = origin.loopback

        def first(stream: StreamConnection) -> Phase:
            if resume is None:
                return Negotiation(service, stream, loopback=loopback)
            self._resuming = self._number = resume.h
            return Resumption(service, stream, self, resume, DOOR)

        self.stream = StreamConnection(
            service,
            self,
            framing,
            origin.host,
            first,
            idle=NEVER,
            asks=False,
        )
        self.stream.on_rest = self._feed
        self._input = InputTurns(turns, self, self)

    # What the session says

    def begin(self) -> None:
        """Begin the stream, or look for the one that goes on."""
        self.stream.connected()

    def feed(self, message: bytes | Mark) -> None:
        """Have the stream handle a message, behind all others.

        Args:
            message: one element that stands alone, or a mark between two.
        """
        if not self._closed:
            self._items.append(message)
            self._feed()

    @property
    def number(self) -> int:
        """Of the last stanza to the client; 0 while they are not counted."""
        return self._number or 0

    @property
    def account(self) -> str:
        """The localpart of the client; empty where it has not logged in."""
        client = self.stream.client
        return "" if client is None else client.jid.local

    @property
    def is_durable(self) -> bool:
        """Whether the stream can be resumed after a crash."""
        client = self.stream.client
        return bool(self.id) and client is not None and client.dispatch.is_durable

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

    # What becomes of a resumption: see :class:`broker.xmpp.managers.resumption.Answer`.

    def opened(self, handled: int | None = None) -> None:
        """The stream goes on: wait until it has sent again what the client has not acknowledged."""
        streams, domain = self._service.domain.streams, self._service.domain
        self.inbound = handled or 0
        client = domain.client_of(streams.find(self._account, self.id))
        unacked = None if client is None else client.dispatch.unacked
        self._due = (self._number or 0) + (0 if unacked is None else len(unacked.items()))
        self._clock.callLater(0, self._check_sent_again)
        self._clock.callLater(RESTORED_AT_LAST, self._sent_again)

    def refuse(self, condition: str, text: str) -> None:
        """It cannot go on."""
        self._output.refused()
        self.close()

    def postpone(self, condition: str, text: str) -> None:
        """It cannot go on now: the client is to send its requests again."""
        self.close()

    def _check_sent_again(self) -> None:
        if self._due is not None and self._number is not None and self._number >= self._due:
            self._sent_again()

    def _sent_again(self) -> None:
        if self._due is not None and not self._closed:
            self._due = None
            self._output.restored(self.inbound)

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
                if isinstance(item, Mark):
                    self._pass(item)
                    continue
                if self._number is not None and is_stanza(item):
                    self.inbound += 1
                self._input.received(item.replace(END_OF_MESSAGE, _NOT_XML) + END_OF_MESSAGE)
        except Exception:  # noqa: BLE001 - it is logged, and costs this client alone its session
            log.failure("{host}: what a client has sent could not be handled", host=self.host)
            self.close()
        finally:
            self._feeding = False

    @property
    def _is_busy(self) -> bool:
        return self._input.has_unseen or self.stream.has_unhandled

    def _pass(self, mark: Mark) -> None:
        if mark.is_stored:
            self.when_stored(mark.call)
        else:
            mark.call()

    def when_stored(self, then: Callable[[], None]) -> None:
        """Call back when everything that was done so far is on disk."""
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
            if self._number is not None and is_stanza(element):
                self._number += 1
            self._output.written(element, self._number or 0)
            self._check_sent_again()

    def _manage(self, management: Tree, element: bytes) -> None:
        if management.name == "enabled":
            self._number = 0
            self.id = management.attributes.get("id", "")
            self._output.counted()
        elif self._resuming is not None and management.name in ("resumed", "failed"):
            if management.name == "failed":
                self._resuming = None
            else:
                self.id = management.attributes.get("previd", "")
                self.inbound = sm.counter_of(management) or 0
                self._output.counted()
            self._output.written(element, self._number or 0)


def _parsed(element: bytes) -> Tree | None:
    try:
        return parse_tree(element, ns.CLIENT, limit=len(element))
    except BrokerError:
        return None


def is_stanza(element: bytes) -> bool:
    """Whether an element is one that stream management counts (XEP-0198 §4)."""
    return _STANZA.match(element) is not None
