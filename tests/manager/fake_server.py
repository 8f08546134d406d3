"""A server that speaks ``jabber:connectionmanager``, as Openfire does (spec connection-manager §2 to §5)."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from broker.manager.link import LinkConnection, Terms
from broker.manager.route_link import RouteLink
from broker.manager.settings import Address, LinkTls
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xml.tree import Tree
from broker.xmpp.wire import ns, routes
from tests.manager.world import World

DOMAIN = "example.test"
HEADER = (
    f"<?xml version='1.0' encoding='UTF-8'?><stream:stream xmlns:stream=\"{ns.STREAM}\""
    f' xmlns="{routes.NAMESPACE}" from="cm1/link-1" id="1a2b3c01" version="1.0" ><stream:features></stream:features>'
)
MECHANISMS = f'<mechanisms xmlns="{ns.SASL}"><mechanism>PLAIN</mechanism><mechanism>EXTERNAL</mechanism></mechanisms>'


def configuration(tls: str = "", mechanisms: str = MECHANISMS) -> str:
    """The request that configures a manager."""
    starttls = f'<starttls xmlns="{ns.TLS}">{tls}</starttls>' if tls else ""
    return (
        f'<iq type="set" id="101-1"><configuration xmlns="{routes.PAYLOAD}">{starttls}{mechanisms}'
        '<auth xmlns="http://jabber.org/features/iq-auth"/></configuration></iq>'
    )


class Transport(StringTransport):
    """A TCP connection."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing waits here."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing is lost here."""

    def startTLS(self, options: object) -> None:
        """The bytes stay in clear."""


class FakeServer:
    """One link, from the server's side.

    Args:
        world: of the manager.
        tls: content of ``<starttls/>`` in the configuration; none where it is empty.
        host: of the server.
    """

    def __init__(self, world: World, tls: str = "", host: str = "server") -> None:
        self.world = world
        self.reason = ""
        self.elements: list[Tree] = []
        self._reader = StreamReader(1 << 24, stepwise=False)
        terms = Terms(Address(host, 5262), "cm1/link-1", "sekrit", LinkTls.OPTIONAL, lambda: None)
        self.connection = LinkConnection(terms, world.reactor, None, self._make, self._lose)
        self.transport: Any = Transport()
        self.connection.makeConnection(self.transport)
        self.say(HEADER + "<handshake></handshake>" + configuration(tls))
        self.take("handshake")
        result, *self.elements = self.take("iq")
        assert (result.attributes["type"], result.attributes["id"]) == ("result", "101-1")

    def _make(self, connection: LinkConnection, header: bytes) -> RouteLink:
        world = self.world
        return RouteLink(connection, header, world.links, world.routed, world.settings, world.reactor)

    def _lose(self, _: LinkConnection, reason: str) -> None:
        self.reason = reason

    def say(self, text: str) -> None:
        """Send text."""
        self.connection.dataReceived(text.encode())
        self.world.turn()

    def take(self, name: str) -> list[Tree]:
        """Elements of a name that have come since the last time."""
        data = self.transport.value()
        self.transport.clear()
        self.elements += [event.tree() for event in self._reader.feed(data) if isinstance(event, Stanza)]
        assert self._reader.error is None
        found = [element for element in self.elements if element.name == name]
        self.elements = [element for element in self.elements if element.name != name]
        return found

    def requests(self) -> list[tuple[str, str]]:
        """What was asked of sessions: ``(what, id of the session)``."""
        payloads = [iq.children[0] for iq in self.take("iq")]
        return [(payload.children[0].name, payload.attributes["id"]) for payload in payloads]

    def routed(self) -> list[Tree]:
        """What clients have sent."""
        return [route.children[0] for route in self.take("route")]

    def create(self) -> str:
        """Take a session; returns its id."""
        ((what, id),) = self.requests()
        assert what == "create"
        self.answer(id)
        return id

    def answer(self, id: str, error: str = "", text: str = "") -> None:
        """Answer the creation of a session."""
        type = "error" if error else "result"
        said = f'<text xmlns="{ns.STANZAS}">{text}</text>' if text else ""
        failure = f'<error code="405" type="cancel"><{error} xmlns="{ns.STANZAS}"/>{said}</error>' if error else ""
        self.say(
            f'<iq type="{type}" id="x" from="{DOMAIN}" to="cm1/link-1"><session xmlns="{routes.PAYLOAD}" id="{id}">'
            f"<create><host name='h' address='1.2.3.4'></host></create></session>{failure}</iq>"
        )

    def route(self, id: str, content: str) -> None:
        """Send something to a client."""
        self.say(f'<route from="{DOMAIN}" to="cm1" streamid="{id}">{content}</route>')

    def refuse(self, id: str, *conditions: str) -> None:
        """Refuse what a client has sent."""
        inner = "".join(f'<{each} xmlns="{ns.STANZAS}"/>' for each in conditions)
        self.say(f'<route streamid="{id}" from="{DOMAIN}" to="cm1/link-1" type="error"><error>{inner}</error></route>')

    def close(self, id: str) -> None:
        """End a session."""
        self.say(
            f'<iq type="set" from="{DOMAIN}" to="cm1" id="c"><session xmlns="{routes.PAYLOAD}" id="{id}"><close/>'
            "</session></iq>"
        )

    def lose(self) -> None:
        """The connection is gone."""
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.world.turn()
