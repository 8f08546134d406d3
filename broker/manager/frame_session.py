"""One client's stream, carried in frames (manager-links.md)."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.failpoints import ARMED, reach
from broker.manager.client import Client
from broker.manager.incoming import Incoming
from broker.manager.links import Links
from broker.manager.management import BEGINNINGS, Management
from broker.manager.outgoing import Outgoing, OutOfStep
from broker.net.tls_details import TlsDetails
from broker.timers import cancel
from broker.xml.stanza import Stanza, StreamStart
from broker.xml.stream import Event
from broker.xmpp.wire import ns
from broker.xmpp.wire.frame_values import Closed, LoggedIn, Open, Opened, Refused, Resume, Secured, Tls
from broker.xmpp.wire.frames import Frame, Type
from broker.xmpp.wire.sm import REQUEST, ack, counter_of

if TYPE_CHECKING:
    from broker.manager.frame_link import FrameLink

WINDOW = "the server has not taken what the client sent"
ANSWER_TIME = 30.0
"""Seconds in which a client must tell how many stanzas it has, before its stream goes on with a new server."""
MEANWHILE = 4 << 20
"""Bytes that may come of a client in that time."""


class Standing(Enum):
    """What the server knows of a session."""

    OPEN = auto()  # it has it, or will have read of it before anything else
    ATTACHING = auto()
    DETACHED = auto()  # there is no link
    ASKING = auto()  # another server does not know it; the client is asked for what it has
    RESUMING = auto()
    OVER = auto()


class FrameSession:
    """A client's session with the server, which goes on over another link, or with another server.

    Args:
        client: whose it is.
        owner: keeps it.
        clock: of its deadlines.
        link: that it begins on.

    Attributes:
        number: of the session, while the server has it.
        link: that it is on; ``None`` while it has none.
        run: of the server that it was opened with.
    """

    __slots__ = (
        "_account",
        "_answered",
        "_asking",
        "_client",
        "_clock",
        "_close_at",
        "_closed_told",
        "_gone",
        "_incoming",
        "_management",
        "_outgoing",
        "_owner",
        "_restarted",
        "_restarting",
        "_secured",
        "_standing",
        "_state",
        "_tls_at",
        "link",
        "number",
        "run",
    )

    def __init__(self, client: Client, owner: Links, clock: IReactorTime, link: FrameLink) -> None:
        self.number = owner.next_number()
        self.link: FrameLink | None = link
        self.run = link.run
        self._client = client
        self._owner = owner
        self._clock = clock
        self._outgoing = Outgoing(link.window)
        self._incoming = Incoming(link.window)
        self._management = Management()
        self._standing = Standing.OPEN
        self._account = ""
        self._state = b""  # the last that the client has said of being active or not
        self._secured: Secured | None = None  # until the server surely knows
        self._tls_at: int | None = None
        self._close_at: int | None = None
        self._gone: str | None = None  # why the client's connection is
        self._closed_told = False  # over this link
        self._answered = False  # what the client waits for
        self._restarted = False  # the client has logged in
        self._restarting = False  # and is not told yet
        self._asking: IDelayedCall | None = None
        owner.began(self)
        link.add(self)
        self._send(Type.OPEN, self._opening().encode())
        reach("client taken on")

    # What the client says

    def start(self, header: StreamStart) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        if self._restarted:
            self._client.read_ahead()
        self._add(header.raw)

    def element(self, element: Stanza) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        namespace, name = element.namespace, element.name
        if namespace == ns.SM and name == "a" and self._standing is Standing.ASKING:
            self._answer(element)
            return
        if namespace in (ns.SASL, ns.TLS):
            self._client.wait()  # what follows may be for another stream
        elif namespace == ns.CSI:
            self._state = element.raw
        self._add(element.raw, self._management.from_client(element))
        if namespace == ns.SM and name in BEGINNINGS and not self._management.is_on:
            self._outgoing.begin()

    def blank(self) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        if self._standing is Standing.OPEN:
            self._add(b" ")

    def end(self, tag: bytes) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        self._management.id = ""  # nothing is left to resume
        self._add(tag)

    def secured(self) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        self._outgoing.skip()
        self._secured = Secured(self._outgoing.end, self._tls())
        if self._standing is Standing.OPEN:
            self._send(Type.SECURED, self._secured.encode())

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        if writable and self.link is not None and self._standing is Standing.OPEN:
            self.link.acknowledge(self.number, self._incoming.given)

    def rest(self) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        self._incoming.rest()

    def lost(self, reason: str) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        self._gone = reason
        if self._standing is Standing.ASKING:  # no server has the session
            self._end()
        else:
            self._flush()

    # What its link says

    def frame(self, frame: Frame) -> None:
        """A frame of this session has come.

        Raises:
            OutOfStep: it does not go with those before.
            FrameError: it cannot be read.
        """
        match frame.type:
            case Type.DATA:
                self._receive(frame.offset, frame.data)
            case Type.ACK:
                self._acknowledged(frame.offset)
            case Type.OPENED:
                self._opened(Opened.read(frame.payload))
            case Type.REFUSED:
                refused = Refused.read(frame.payload)
                self._refuse(refused.condition, refused.text)
            case Type.START_TLS:
                if not self._client.transport.secure and self._secured is None:
                    self._tls_at = frame.offset
                    self._reach()
            case Type.LOGGED_IN:
                self._account = LoggedIn.read(frame.payload).account
                self._client.admit(self._account)
            case Type.CLOSE:
                self._close_at = frame.offset
                self._reach()
            case Type.ABORT:
                self._client.abort()
            case Type.ATTACHED:
                self._attached(frame.offset)
            case Type.UNKNOWN:
                self._unknown()

    def send(self, size: int) -> bool:
        """Send no more bytes than so many; returns whether there is more to send."""
        link = self.link
        if link is None or self._standing is not Standing.OPEN:
            return False
        outgoing = self._outgoing
        offset = outgoing.sent
        data = outgoing.take(size)
        if data:
            link.data(self.number, offset, data)
        if self._gone is not None and outgoing.sent == outgoing.end and not self._closed_told:
            self._closed_told = True
            self._send(Type.CLOSED, Closed(self._gone).encode())
        return outgoing.has_more

    def link_lost(self) -> None:
        """The link is gone."""
        self.link = None
        if self._standing is Standing.RESUMING:
            self.run = ""  # the client is asked again
        if self._standing is not Standing.ASKING:
            self._standing = Standing.DETACHED
        self._owner.detached(self)

    def attach(self, link: FrameLink) -> None:
        """There is a link."""
        self.link = link
        self._outgoing.window = link.window
        self._closed_told = False
        if self._standing is Standing.ASKING:
            link.expect(self)
        elif self.run == link.run:
            link.add(self)
            self._standing = Standing.ATTACHING
            link.offset(Type.ATTACH, self.number, self._incoming.expected)
        else:
            self._ask(link)

    def give_up(self, condition: str, text: str) -> None:
        """No server is reached any more."""
        self._refuse(condition, text)

    # To the server

    def _add(self, data: bytes, number: int | None = None) -> None:
        self._outgoing.add(data, number)
        self._flush()
        if self._standing in (Standing.ASKING, Standing.RESUMING):
            if self._outgoing.size > self._outgoing.window + MEANWHILE:
                self._client.abort()
        elif self._outgoing.is_full:
            self._client.transport.hold(WINDOW)

    def _flush(self) -> None:
        if self.link is not None and self._standing is Standing.OPEN:
            self.link.schedule(self)

    def _send(self, type: Type, payload: bytes = b"") -> None:
        assert self.link is not None
        self.link.send(type, self.number, payload)

    def _acknowledged(self, offset: int) -> None:
        outgoing = self._outgoing
        outgoing.acknowledge(offset)
        if self._closed_told and offset == outgoing.end:
            self._end()
            return
        if self._secured is not None and offset > self._secured.offset:
            self._secured = None
        if not outgoing.is_full:
            self._client.transport.release(WINDOW)
        self._flush()

    def _attached(self, offset: int) -> None:
        if self._secured is not None:
            self._send(Type.SECURED, self._secured.encode())
            offset = max(offset, self._secured.offset)
        self._outgoing.send_from(offset)
        self._standing = Standing.OPEN
        reach("session attached again")
        self._acknowledge()
        if not self._outgoing.is_full:
            self._client.transport.release(WINDOW)
        self._flush()

    # To the client

    def _receive(self, offset: int, data: bytes) -> None:
        if self._gone is not None:
            return
        for event in self._incoming.receive(offset, data):
            self._from_server(event)
        self._give()

    def _from_server(self, event: Event) -> None:
        if isinstance(event, StreamStart):
            self._client.opened = True
            if self._restarted:
                self._incoming.read_ahead()
        elif isinstance(event, Stanza):
            namespace, name = event.namespace, event.name
            if namespace == ns.SASL:
                self._answered = True
                if name == "success":
                    self._restarted = self._restarting = True
                    self._incoming.restart()
            elif namespace == ns.TLS:
                if name == "proceed":
                    self._incoming.restart()
            else:
                before = self._management.sent
                self._management.from_server(event)
                if self._management.sent != before:
                    self._outgoing.count_from(self._management.sent - before)

    def _give(self) -> None:
        data = self._incoming.give()
        if not data:
            return
        client = self._client
        client.write(data, in_element=self._incoming.in_element)
        if ARMED:
            reach("client given data")
        self._acknowledge()
        if self._answered:
            self._answered = False
            if self._restarting:
                self._restarting = False
                client.restart()
            client.go_on()
        self._reach()

    def _acknowledge(self) -> None:
        if self._client.writable and self.link is not None:
            self.link.acknowledge(self.number, self._incoming.given)

    def _reach(self) -> None:
        """Do what was to be done when the client has all bytes before an offset."""
        given = self._incoming.given
        if self._tls_at is not None and given >= self._tls_at:
            self._tls_at = None
            self._client.transport.start_tls()
        if self._close_at is not None and given >= self._close_at:
            self._close_at = None
            self._client.close()

    # Another server

    def _unknown(self) -> None:
        """The server has no such session: it was restarted, or has ended it."""
        assert self.link is not None
        self.link.remove(self)
        self._ask(self.link)

    def _ask(self, link: FrameLink) -> None:
        """Go on with a server that does not know the session: where the client stands says the client itself."""
        if self._gone is not None:
            self._end()
        elif self._incoming.in_element:
            self._client.abort()  # half an element cannot be completed: it resumes its stream itself
        elif not (self._management.id and self._account):
            self._refuse("system-shutdown", "the server was restarted")
        else:
            self._standing = Standing.ASKING
            link.expect(self)
            self._incoming.begin_anew()
            self._client.transport.release(WINDOW)
            cancel(self._asking)
            self._asking = self._clock.callLater(ANSWER_TIME, self._client.abort)
            self._client.write(REQUEST)
            reach("client asked for its counter")

    def _answer(self, element: Stanza) -> None:
        """The client tells how many stanzas it has; while these are not all, it answers what was asked before."""
        if counter_of(element) != self._management.given:
            return
        cancel(self._asking)
        link = self.link
        if link is None:
            self._standing = Standing.DETACHED
            return
        self.number = self._owner.next_number()
        self.run = link.run
        self._standing = Standing.RESUMING
        link.add(self)
        self._send(Type.OPEN, self._opening(resume=True).encode())

    def _opened(self, opened: Opened) -> None:
        if self._standing is not Standing.RESUMING:
            return
        if opened.handled is None:
            raise OutOfStep("a stream was resumed, and its counter is missing")
        self._outgoing.begin_anew(opened.handled)
        self._standing = Standing.OPEN
        reach("stream resumed for its client")
        if self._management.unanswered:  # the answer was lost with the old server, or comes once more
            self._client.write(ack(opened.handled))
        if self._state:
            self._outgoing.add(self._state)
        if self._outgoing.is_full:
            self._client.transport.hold(WINDOW)
        self._flush()

    # The end

    def _refuse(self, condition: str, text: str) -> None:
        client, gone = self._client, self._gone is not None
        self._end()
        if not gone:
            client.fail(condition, text)

    def _end(self) -> None:
        cancel(self._asking)
        if self._standing is Standing.OVER:
            return
        self._standing = Standing.OVER
        link, self.link = self.link, None
        if link is not None:
            link.remove(self)
        self._owner.ended(self)

    # Values

    def _opening(self, *, resume: bool = False) -> Open:
        transport, management = self._client.transport, self._management
        stream = Resume(self._account, management.id, management.given, self._client.header.decode())
        return Open(
            transport.host,
            transport.port,
            transport.local_port,
            self._tls() if transport.secure else None,
            stream if resume else None,
        )

    def _tls(self) -> Tls:
        transport = self._client.transport
        certificate = transport.client_certificate()
        der = b"" if certificate is None else certificate.public_bytes(Encoding.DER)
        details = transport.tls_details() or TlsDetails()
        return Tls(details.version, details.cipher, details.sni, transport.channel_bindings(), der)
