"""Opening a link to the server."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from broker.manager.link import PORT_HINT, LinkConnection, Terms
from broker.manager.settings import Address, LinkTls
from broker.xmpp.wire import ns, routes

HEADER = (
    f"<?xml version='1.0' encoding='UTF-8'?><stream:stream xmlns:stream=\"{ns.STREAM}\" xmlns=\"{routes.NAMESPACE}\""
    ' from="cm1/link-1" id="%s" version="1.0" >'
)
START_TLS = f"<starttls xmlns='{ns.TLS}'/>"
FRAMES = f"<frames xmlns='{routes.FRAMES}'/>"
CONFIGURATION = "<iq type='set' id='101-1'><configuration xmlns='http://jabber.org/protocol/connectionmanager'/></iq>"
TLS = object()


class Transport(StringTransport):
    """A TCP connection that can start TLS."""

    def __init__(self) -> None:
        super().__init__()
        self.tls: object = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing waits here."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing is lost here."""

    def startTLS(self, options: object) -> None:
        """Remember what was asked for."""
        self.tls = options


class Language:
    """What is spoken over an open link: it remembers what has come."""

    def __init__(self, connection: LinkConnection) -> None:
        self.data = b""
        self.over = False

    def received(self, data: bytes) -> None:
        """Remember it."""
        self.data += data

    def set_writable(self, writable: bool) -> None:
        """It writes nothing."""

    def lost(self) -> None:
        """Remember it."""
        self.over = True


class Link:
    """A link that is being opened."""

    def __init__(self, policy: LinkTls = LinkTls.OPTIONAL, *, direct_tls: bool = False) -> None:
        self.clock = Clock()
        self.languages: list[Language] = []
        self.reasons: list[str] = []
        self.routes = b""
        clock: Any = self.clock
        terms = Terms(Address("server", 5262, direct_tls), "cm1/link-1", "sekrit", policy, lambda: TLS)
        self.connection = LinkConnection(terms, clock, self._make, self._route, self._lose)
        self.transport: Any = Transport()
        self.connection.makeConnection(self.transport)

    def _route(self, connection: LinkConnection, header: bytes) -> Language:
        self.routes = header
        return self._make(connection)

    def _lose(self, _: LinkConnection, reason: str) -> None:
        self.reasons.append(reason)

    def _make(self, connection: LinkConnection) -> Language:
        self.languages.append(Language(connection))
        return self.languages[0]

    def say(self, text: str, more: bytes = b"") -> None:
        """The server sends text, and bytes behind it."""
        self.connection.dataReceived(text.encode() + more)

    def header(self, *features: str, id: str = "1a2b3c01") -> None:
        """The server opens its stream."""
        self.say(HEADER % id + f"<stream:features>{''.join(features)}</stream:features>")

    def take(self) -> str:
        """What the manager has sent since the last time."""
        text: str = self.transport.value().decode()
        self.transport.clear()
        return text

    @property
    def failure(self) -> str:
        """Why the link was given up."""
        assert self.transport.disconnected
        self.connection.connectionLost(Failure(ConnectionDone()))
        return self.reasons[0]


def test_the_manager_begins_with_its_name() -> None:
    assert Link().take() == (
        f"<stream:stream xmlns:stream='{ns.STREAM}' xmlns='{routes.NAMESPACE}' to='cm1/link-1' version='1.0'>"
    )


def test_the_digest_is_that_of_the_recorded_manager() -> None:
    link = Link()
    link.take()
    link.header(FRAMES)
    assert link.take() == "<handshake>ea9c23248de3853668e5d6cc36cfc3c5bff44844</handshake>"


def test_frames_begin_behind_the_servers_consent() -> None:
    link = Link()
    link.header(FRAMES)
    link.say("<handshake></handshake>" + CONFIGURATION)
    assert link.take().endswith(FRAMES)
    link.say(FRAMES, b"\0\1\2")
    link.connection.dataReceived(b"\3")
    assert link.languages[0].data == b"\0\1\2\3"
    assert link.connection.opened


def test_routes_begin_behind_the_handshake_where_the_server_speaks_no_frames() -> None:
    link = Link()
    link.header()
    link.say("<handshake></handshake>" + CONFIGURATION)
    assert link.routes == (HEADER % "1a2b3c01").partition("?>")[2].encode()
    assert link.languages[0].data == CONFIGURATION.encode()


def test_tls_is_used_where_it_is_offered() -> None:
    link = Link()
    link.header(START_TLS, FRAMES)
    assert link.take().endswith(START_TLS)
    link.say(f"<proceed xmlns='{ns.TLS}'/>")
    assert link.transport.tls is TLS
    assert link.take().startswith("<stream:stream ")
    link.header(FRAMES)
    assert link.take().startswith("<handshake>")


@pytest.mark.parametrize(("content", "used"), [("", False), ("<required/>", True)])
def test_a_server_on_this_machine_says_whether_tls_is_used(content: str, used: bool) -> None:
    link = Link(LinkTls.AUTO)
    link.header(f"<starttls xmlns='{ns.TLS}'>{content}</starttls>", FRAMES)
    assert link.take().endswith(START_TLS) is used


def test_what_came_in_clear_behind_the_consent_to_tls_is_not_taken_for_the_servers() -> None:
    link = Link()
    link.header(START_TLS, FRAMES)
    link.say(f"<proceed xmlns='{ns.TLS}'/>" + HEADER % "2" + "<stream:features/>")
    assert "<handshake>" not in link.take()


def test_the_digest_is_made_of_the_first_id() -> None:
    link = Link()
    link.header(START_TLS)
    link.say(f"<proceed xmlns='{ns.TLS}'/>")
    link.take()
    link.header(id="another")
    assert link.take() == f"<handshake>{hashlib.sha1(b'1a2b3c01sekrit').hexdigest()}</handshake>"


def test_a_link_that_needs_tls_is_not_opened_without() -> None:
    link = Link(LinkTls.REQUIRED)
    link.take()
    link.header(FRAMES)
    assert not link.take()
    assert link.failure == "the server offers no TLS, and xmpp.server.tls requires it"


def test_a_wrong_secret_is_told_by_its_name() -> None:
    link = Link()
    link.header(FRAMES)
    link.say(f"<stream:error><not-authorized xmlns='{ns.STREAM_ERRORS}'/></stream:error></stream:stream>")
    assert link.failure.startswith("the server refuses the link: not-authorized (is the secret ")
    assert not link.connection.opened


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEADER % "1" + "</stream:stream>", "the server has ended the stream"),
        (HEADER % "1" + "<handshake/>", "the server sends <handshake/> while the link is opened"),
        (HEADER % "1" + CONFIGURATION, "the server sends <iq/> before the handshake"),
        (HEADER % "1" + "<stream:features></x>", "what the server sends is no XML stream"),
    ],
)
def test_other_servers_are_left(text: str, reason: str) -> None:
    link = Link()
    link.say(text)
    assert link.failure.startswith(reason)


@pytest.mark.parametrize(
    ("data", "met"),
    [
        pytest.param(
            f"<stream:stream xmlns:stream='{ns.STREAM}' xmlns='jabber:client' id='1'>".encode(),
            f"what listens there is for jabber:client; {PORT_HINT}",
            id="clients",
        ),
        pytest.param(
            b"SSH-2.0-OpenSSH_9.2p1\r\n<>",
            f"what listens there does not speak XMPP: it says 'SSH-2.0-OpenSSH_9.2p1\\r\\n<>'; {PORT_HINT}",
            id="ssh",
        ),
        pytest.param(
            b"HTTP/1.1 400 Bad Request\r\n" + bytes(1000),
            "what listens there does not speak XMPP: it says 'HTTP/1.1 400 Bad Request\\r\\n\\x00",
            id="http",
        ),
        pytest.param(
            b"\x15\x03\x03\0\x02\x02\x46",
            "that port begins with TLS: dial the one that does not, mostly 5262, or write tls://HOST:PORT",
            id="tls",
        ),
    ],
)
def test_a_wrong_port_is_told_with_what_was_met_and_what_is_wanted(data: bytes, met: str) -> None:
    link = Link()
    link.connection.dataReceived(data)
    assert link.failure.startswith(met)


def test_a_port_that_closes_without_a_word_may_be_a_wrong_one() -> None:
    link = Link()
    link.connection.connectionLost(Failure(ConnectionDone()))
    assert link.reasons == [f"the server has closed the connection without a word; {PORT_HINT}"]


def test_a_silent_server_is_left_and_may_be_a_wrong_port() -> None:
    link = Link()
    link.clock.advance(20)
    assert link.failure == f"the link was not opened in time; {PORT_HINT}"


def test_a_server_that_is_silent_behind_its_header_is_left() -> None:
    link = Link()
    link.header(FRAMES)
    link.clock.advance(20)
    assert link.failure == "the link was not opened in time"


class TestDirectTls:
    def test_tls_comes_before_anything_else_and_is_not_started_again(self) -> None:
        link = Link(LinkTls.REQUIRED, direct_tls=True)
        assert link.transport.tls is TLS
        assert link.take().startswith("<stream:stream ")
        link.header(START_TLS, FRAMES)
        assert link.take().startswith("<handshake>")

    @pytest.mark.parametrize(
        ("alert", "told"),
        [
            ("wrong version number", "that port does not begin with TLS: write HOST:PORT without tls://"),
            ("certificate required", "the server demands a certificate of this manager: set xmpp.manager.certificate"),
        ],
    )
    def test_a_handshake_that_fails_is_told_with_what_can_be_done(self, alert: str, told: str) -> None:
        link = Link(direct_tls=True)
        link.connection.connectionLost(Failure(SSL.Error([("SSL routines", "", alert)])))
        assert link.reasons == [told]


def test_a_certificate_that_cannot_be_verified_is_told_with_what_can_be_done() -> None:
    link = Link()
    link.header(START_TLS, FRAMES)
    link.say(f"<proceed xmlns='{ns.TLS}'/>")
    link.connection.connectionLost(Failure(SSL.Error([("SSL routines", "", "certificate verify failed")])))
    assert "xmpp.server.certificate.authorities can name its authority" in link.reasons[0]


def test_an_open_link_that_is_lost_tells_what_is_spoken_over_it() -> None:
    link = Link()
    link.header(FRAMES)
    link.say("<handshake/>" + FRAMES)
    link.clock.advance(60)
    link.connection.connectionLost(Failure(ConnectionDone()))
    assert link.languages[0].over
    assert link.reasons == ["Connection was closed cleanly."]


def test_a_link_that_was_refused_in_frames_counts_as_never_opened() -> None:
    link = Link()
    link.header(FRAMES)
    link.say("<handshake/>" + FRAMES)
    link.connection.refused("set xmpp.domain")
    assert link.failure == "the server refuses the link: set xmpp.domain"
    assert not link.connection.opened
