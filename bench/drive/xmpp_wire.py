"""XMPP as bytes: logging in, stanzas, and the counters of stream management."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from bench.drive.lane import content_of
from bench.drive.loop import DriveError, Link, Script, until

DOMAIN = "localhost"
HEADER = (
    f"<?xml version='1.0'?><stream:stream to='{DOMAIN}' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
).encode()
FEATURES = until(b"</stream:features>")
_BEFORE_END = b"</message>"
_ANSWER_EVERY = 100
_JID = re.compile(rb"<jid>([^<]+)</jid>")
_ACK = re.compile(rb"<a [^>]*\bh=['\"](\d+)")
_STANZA = re.compile(rb"</(?:message|presence|iq)>|<(?:presence|iq|message)(?: [^<>]*)?/>")


def authenticate_plain(link: Link, user: str, password: str) -> Script[None]:
    """SASL PLAIN on an open stream."""
    token = base64.b64encode(f"\0{user}\0{password}".encode())
    link.send(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + token + b"</auth>")
    answer = yield until(b"<success", b"</failure>")
    if b"<success" not in answer:
        raise DriveError(f"login refused: {answer!r}")


def log_in(link: Link, user: str, password: str, resource: str) -> Script[str]:
    """Open a stream, authenticate, bind; returns the full address."""
    link.send(HEADER)
    yield FEATURES
    yield from authenticate_plain(link, user, password)
    return (yield from bind(link, resource))


def bind(link: Link, resource: str) -> Script[str]:
    """Open the stream anew after SASL, and bind a resource; returns the full address."""
    link.send(HEADER)
    yield FEATURES
    link.send(
        b"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>"
        + resource.encode()
        + b"</resource></bind></iq>"
    )
    answer = yield until(b"</iq>")
    found = _JID.search(answer)
    if found is None:
        raise DriveError(f"not bound: {answer!r}")
    return found[1].decode()


def enable(link: Link) -> Script[bytes]:
    """Switch stream management on; returns the answer."""
    link.send(b"<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    answer = yield until(b"/>", b"</failed>")
    if b"<enabled" not in answer:
        raise DriveError(f"no stream management: {answer!r}")
    return answer


def resume(link: Link, stream: bytes, handled: int) -> Script[None]:
    """Open the stream anew after SASL, and resume another (XEP-0198 §5)."""
    link.send(HEADER)
    yield FEATURES
    link.send(b"<resume xmlns='urn:xmpp:sm:3' previd='%b' h='%d'/>" % (stream, handled))
    answer = yield until(b"/>", b"</failed>")
    if b"<resumed" not in answer:
        raise DriveError(f"not resumed: {answer!r}")


class Managed:
    """The client's side of stream management on one connection: counts stanzas, answers requests.

    Args:
        link: of the client.
        on: whether stream management is used at all.
    """

    __slots__ = ("_link", "_on", "_told", "handled")

    def __init__(self, link: Link, *, on: bool) -> None:
        self._link = link
        self._on = on
        self.handled = 0
        self._told = 0

    def came(self, stanzas: int, data: bytes) -> None:
        """Stanzas came, and whole elements in which there may be a request."""
        self.handled += stanzas
        if self._on and (b"<r " in data or b"<r/" in data or self.handled - self._told >= _ANSWER_EVERY):
            self._told = self.handled
            self._link.send(b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % self.handled)


def whole_elements(buffer: bytes) -> int:
    """Where the last complete tag ends."""
    return buffer.rfind(b">") + 1


class XmppReceiver:
    """Counts messages.

    Args:
        link: of the receiver.
        managed: its stream management, which has counted what came before.
        rest: bytes that have come already.
    """

    def __init__(self, link: Link, managed: Managed, rest: bytes = b"") -> None:
        self.link = link
        self.got = 0
        self._managed = managed
        self._rest = rest
        link.on_data = self._received

    def _received(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        cut = whole_elements(buffer)
        whole, self._rest = (buffer, b"") if cut == len(buffer) else (buffer[:cut], buffer[cut:])
        found = whole.count(_BEFORE_END)
        self.got += found
        self._managed.came(found, whole)


class XmppSender:
    """Sends messages, and asks for an acknowledgement behind every write where there is stream management.

    Args:
        link: of the sender.
        managed: its stream management.
        to: full address of the receiver.
        size: of a body.
        batch: messages in one write.
        window: messages on their way, whose ids differ.
        asks: whether it asks for acknowledgements.
        handled: stanzas that it has sent already.
    """

    def __init__(
        self, link: Link, managed: Managed, to: str, *, size: int, batch: int, window: int, asks: bool, handled: int = 0
    ) -> None:
        self.link = link
        self.batch = batch
        self.acknowledged: int | None = 0 if asks else None
        self._managed = managed
        self._before = handled
        self._rest = b""
        body = content_of(size).decode()
        self.chunks: Sequence[bytes] = [
            "".join(
                f"<message to='{to}' type='chat' id='m{chunk * batch + index}'><body>{body}</body></message>"
                for index in range(batch)
            ).encode()
            + (b"<r xmlns='urn:xmpp:sm:3'/>" if asks else b"")
            for chunk in range(window // batch + 2)
        ]
        link.on_data = self._received

    def _received(self, data: bytes) -> None:
        buffer = self._rest + data
        cut = whole_elements(buffer)
        whole, self._rest = buffer[:cut], buffer[cut:]
        if b"type='error'" in whole or b'type="error"' in whole or b"<stream:error" in whole:
            raise DriveError(f"refused: {whole[:500]!r}")
        self._managed.came(count_stanzas(whole), whole)
        if self.acknowledged is not None:
            for found in _ACK.finditer(whole):
                self.acknowledged = int(found[1]) - self._before


def count_stanzas(data: bytes) -> int:
    """Stanzas whose end is in some whole elements."""
    return len(_STANZA.findall(data))
