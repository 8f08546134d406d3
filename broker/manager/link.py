"""Opening a link to the server (``jabber:connectionmanager``): header, TLS, handshake; then frames, or routes."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.manager.settings import AUTHORITIES, DOMAIN, LINK_CERTIFICATE, MAX_ELEMENT, Address, LinkTls
from broker.timers import cancel
from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import Event, StreamReader
from broker.xml.write import escape_attribute
from broker.xmpp.wire import ns, routes

log = Logger()

SHOWN = 40
"""Characters of what is no XMPP, for the log."""
OPENING_TIME = 20.0
"""Seconds until a link must be open."""
START_TLS = f"<starttls xmlns='{ns.TLS}'/>".encode()
FRAMES = f"<frames xmlns='{routes.FRAMES}'/>".encode()


class Language(Protocol):
    """What is spoken over a link that is open."""

    def received(self, data: bytes) -> None:
        """Bytes have come."""

    def set_writable(self, writable: bool) -> None:
        """The connection has room, or its buffer is full."""

    def lost(self) -> None:
        """The connection is gone."""


class Step(Enum):
    """What the opening of a link waits for."""

    HEADER = auto()
    FEATURES = auto()
    PROCEED = auto()
    SECURED = auto()
    HANDSHAKE = auto()
    FRAMES = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Terms:
    """How a link is opened.

    Args:
        server: that is dialled.
        jid: of the link: the manager's name, a slash, and what tells its links apart.
        secret: that the server has for the manager.
        policy: whether it uses TLS; ``AUTO``: where the server requires it.
        tls: makes the client's side of TLS.
    """

    server: Address
    jid: str
    secret: str
    policy: LinkTls
    tls: Callable[[], Any]


PORT_HINT = (
    "is that the server's port for connection managers, mostly 5262, or with tls://HOST:PORT the one that begins with"
    " TLS, mostly 5263?"
)
DIRECT_TLS = "that port begins with TLS: dial the one that does not, mostly 5262, or write tls://HOST:PORT"
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""What an alert or a handshake message of TLS begins with."""
_HINTS = {
    "not-authorized": "is the secret that of this manager's name, and its name and address allowed?",
    "invalid-namespace": PORT_HINT,
    "bad-format": "is the name of the manager one that the server takes?",
}
"""By the condition of a stream error."""


class LinkError(Exception):
    """A link cannot be opened."""


@implementer(IPushProducer)
class LinkConnection(TwistedProtocol):
    """The connection of a link.

    Args:
        terms: how it is opened.
        clock: of its deadlines.
        frames: makes what goes on in frames, where both sides speak them.
        routes: makes what goes on in routes, with the header of the server's stream as it came.
        lost: told why the connection is gone.

    Attributes:
        opened: the server has accepted the handshake, and has not refused the link since.
    """

    def __init__(
        self,
        terms: Terms,
        clock: IReactorTime,
        frames: Callable[[LinkConnection], Language] | None,
        routes: Callable[[LinkConnection, bytes], Language],
        lost: Callable[[LinkConnection, str], None],
    ) -> None:
        self.opened = False
        self._terms = terms
        self._clock = clock
        self._frames = frames
        self._routes = routes
        self._begun = False  # something has come
        self._header = b""
        self._lost = lost
        self._reader = StreamReader(MAX_ELEMENT)
        self._step = Step.HEADER
        self._secure = False
        self._id = ""  # of the first header, which the digest is made of
        self._speaks_frames = False
        self._language: Language | None = None
        self._deadline: IDelayedCall | None = None
        self._reason = ""
        self._closed = False

    @property
    def server(self) -> str:
        """Where it leads to, for the log."""
        return str(self._terms.server)

    @property
    def jid(self) -> str:
        """Address of the link."""
        return self._terms.jid

    # The connection

    def connectionMade(self) -> None:
        """Begin to open the link."""
        transport: Any = self.transport
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        self._deadline = self._clock.callLater(OPENING_TIME, self._overdue)
        if self._terms.server.direct_tls:
            self._begin_tls()
        self._greet()

    def dataReceived(self, data: bytes) -> None:
        """Bytes have come."""
        language = self._language
        if self._closed:
            return
        if language is not None:
            language.received(data)
            return
        try:
            self._read(data)
        except LinkError as error:
            self._fail(str(error))

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if self._language is not None:
            self._language.set_writable(False)

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        if self._language is not None:
            self._language.set_writable(True)

    def stopProducing(self) -> None:
        """The transport is gone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything."""
        self._closed = True
        cancel(self._deadline)
        language, self._language = self._language, None
        try:
            if language is not None:
                language.lost()
        finally:
            self._lost(self, self._reason or self._why(reason))
        self.transport = None

    # What the language says

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.transport is not None and not self._closed:
            self.transport.write(data)

    def close(self) -> None:
        """Send what was written, then close."""
        transport: Any = self.transport
        if transport is not None and not self._closed:
            self._closed = True
            transport.unregisterProducer()  # TLS does not end while there is one
            transport.loseConnection()

    def abort(self) -> None:
        """Close now."""
        self._closed = True
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    # Opening

    def _greet(self) -> None:
        self._step = Step.HEADER
        jid = escape_attribute(self._terms.jid)
        names = f"xmlns:stream='{ns.STREAM}' xmlns='{routes.NAMESPACE}'"
        self.write(f"<stream:stream {names} to='{jid}' version='1.0'>".encode())

    def _read(self, data: bytes) -> None:
        reader = self._reader
        if not self._begun and data.strip():
            self._begun = True
            _look_at_beginning(data.lstrip())
        events = reader.feed(data)
        while events:
            for event in events:
                self._handle(event)
            if self._language is not None:
                rest, reader.unread = reader.unread, b""
                if rest:
                    self._language.received(rest)
                return
            events = [] if reader.error is not None else reader.feed()
        if reader.error is not None:
            hint = "" if self._header else f"; {PORT_HINT}"
            raise LinkError(f"what the server sends is no XML stream: {reader.error}{hint}")

    def _handle(self, event: Event) -> None:
        step = self._step
        if isinstance(event, StreamStart):
            if event.namespace != routes.NAMESPACE:
                raise LinkError(f"what listens there is for {event.namespace or 'something else'}; {PORT_HINT}")
            self._header = event.raw
            self._id = self._id or event.attributes.get("id", "")
            self._step = Step.FEATURES
        elif isinstance(event, StreamEnd):
            raise LinkError("the server has ended the stream")
        elif (event.namespace, event.name) == (ns.STREAM, "error"):
            raise LinkError(f"the server refuses the link: {_explained(_condition(event))}")
        elif event.name == "iq" and event.namespace == routes.NAMESPACE:
            self._configured(event)
        elif (step, event.name) in _STEPS:
            _STEPS[step, event.name](self, event)
        else:
            raise LinkError(f"the server sends <{event.name}/> while the link is opened")

    def _choose(self, features: Stanza) -> None:
        tree, policy = features.tree(), self._terms.policy
        self._speaks_frames = self._frames is not None and tree.find(routes.FRAMES, "frames") is not None
        offer = tree.find(ns.TLS, "starttls")
        if self._secure:
            self._shake_hands()
        elif offer is not None and (policy is not LinkTls.AUTO or offer.find(ns.TLS, "required") is not None):
            self._step = Step.PROCEED
            self.write(START_TLS)
        elif policy is LinkTls.REQUIRED:
            raise LinkError("the server offers no TLS, and xmpp.server.tls requires it")
        else:
            self._shake_hands()

    def _start_tls(self, _: Stanza) -> None:
        self._step = Step.SECURED
        self._reader.restart(discard=True)
        self._begin_tls()
        self._greet()

    def _begin_tls(self) -> None:
        transport: Any = self.transport
        transport.startTLS(self._terms.tls())
        self._secure = True

    def _shake_hands(self) -> None:
        self._step = Step.HANDSHAKE
        digest = routes.digest(self._id, self._terms.secret)
        self.write(f"<handshake>{digest}</handshake>".encode())

    def _accepted(self, _: Stanza) -> None:
        self.opened = True
        if self._speaks_frames:
            self._step = Step.FRAMES
            self.write(FRAMES)
        else:
            self._hand_over(self._routes(self, self._header))

    def _agreed(self, _: Stanza) -> None:
        assert self._frames is not None
        self._hand_over(self._frames(self))

    def _configured(self, iq: Stanza) -> None:
        """The configuration is for managers that speak routes; frames bring the server's own features."""
        if self._step is not Step.FRAMES:
            raise LinkError("the server sends <iq/> before the handshake")

    def _hand_over(self, language: Language) -> None:
        cancel(self._deadline)
        self._step = Step.OPEN
        transport: Any = self.transport
        transport.registerProducer(self, True)
        self._language = language

    def refused(self, reason: str) -> None:
        """See :class:`broker.manager.links.Wire`."""
        self.opened = False
        self._fail(f"the server refuses the link: {reason}")

    def _overdue(self) -> None:
        self._fail(f"the link was not opened in time{'' if self._header else f'; {PORT_HINT}'}")

    def _why(self, reason: Failure) -> str:
        """Why the connection is gone."""
        if not self._header and not self._secure and reason.check(ConnectionDone, ConnectionLost):
            return f"the server has closed the connection without a word; {PORT_HINT}"
        return _why(reason)

    def _fail(self, reason: str) -> None:
        self._reason = reason
        self.abort()


_STEPS: dict[tuple[Step, str], Callable[[LinkConnection, Stanza], None]] = {
    (Step.FEATURES, "features"): LinkConnection._choose,
    (Step.PROCEED, "proceed"): LinkConnection._start_tls,
    (Step.HANDSHAKE, "handshake"): LinkConnection._accepted,
    (Step.FRAMES, "frames"): LinkConnection._agreed,
}
"""What the server may send next, and what is done then."""


def _why(reason: Failure) -> str:
    """Why a connection is gone, for people who have to do something about it."""
    if reason.check(SSL.Error) and "certificate required" in reason.getErrorMessage():
        return f"the server demands a certificate of this manager: set {LINK_CERTIFICATE.name}"
    if reason.check(SSL.Error) and "wrong version number" in reason.getErrorMessage():
        return "that port does not begin with TLS: write HOST:PORT without tls://"
    if reason.check(SSL.Error, VerificationError):
        return (
            f"its certificate cannot be verified, or TLS fails: {reason.getErrorMessage().strip()}; {AUTHORITIES.name}"
            f" can name its authority or itself, and it must be for {DOMAIN.name}"
        )
    return reason.getErrorMessage()


def _look_at_beginning(data: bytes) -> None:
    """See what listens at the port.

    Args:
        data: that came first, without white space before it.

    Raises:
        LinkError: it does not speak XML.
    """
    if data.startswith(_TLS_RECORDS):
        raise LinkError(DIRECT_TLS)
    if not data.startswith((b"<", codecs.BOM_UTF8)):
        said = ascii(data[:SHOWN].decode("latin-1"))
        raise LinkError(f"what listens there does not speak XMPP: it says {said}; {PORT_HINT}")


def _explained(condition: str) -> str:
    """A stream error of the server, with what to do about it where that is known."""
    hint = _HINTS.get(condition)
    return f"{condition} ({hint})" if hint else condition


def _condition(error: Stanza) -> str:
    for namespace, name in error.children:
        if namespace == ns.STREAM_ERRORS and name != "text":
            return name
    return "it does not say why"
