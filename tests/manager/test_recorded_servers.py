"""What a recorded server has sent to real managers: this one takes all of it, and gives clients what is for them."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from broker.manager.link import LinkConnection, Terms
from broker.manager.route_link import RouteLink
from broker.manager.route_session import RouteSession
from broker.manager.settings import Address, LinkTls
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xml.tree import Tree
from broker.xmpp.wire import ns, routes
from tests.manager.fake_server import DOMAIN, Transport
from tests.manager.world import HEADER, Person, World
from tests.replay.managers import Line, load, scenarios

COMPRESSED = "06a-link-zlib-over-tls-363"
"""In which the recorded manager has asked for zlib, which this one does not."""
_SESSION = re.compile(rb"""<session[^>]* id=["']([^"']+)""")
_ROUTE = re.compile(rb"""streamid=["']([^"']+)""")


class Recording:
    """A manager whose links are fed with what was recorded, and clients with the ids of the recorded ones."""

    def __init__(self) -> None:
        self.world = World(xmpp_domain=DOMAIN)
        self.links: dict[str, LinkConnection] = {}
        self.people: dict[str, Person] = {}
        self.expected: dict[str, list[Tree]] = defaultdict(list)
        self.reasons: list[str] = []
        self._open: RouteLink | None = None

    def play(self, line: Line) -> None:
        """Something happens on a link."""
        match line.event:
            case "accept":
                self._dial(line.link)
            case "<":
                self._receive(line.link, line.data)
            case "eof" | "closed" if line.link in self.links:
                self.links.pop(line.link).connectionLost(Failure(ConnectionDone()))
        self.world.turn()

    def _dial(self, link: str) -> None:
        world = self.world
        terms = Terms(Address("server", 5262), "cm1/link-1", "sekrit", LinkTls.OPTIONAL, lambda: None)

        def make(connection: LinkConnection, header: bytes) -> RouteLink:
            self._open = RouteLink(connection, header, world.links, world.routed, world.settings, world.reactor)
            return self._open

        def lost(_: LinkConnection, reason: str) -> None:
            self.reasons.append(reason)

        connection = self.links[link] = LinkConnection(terms, world.reactor, None, make, lost)
        transport: Any = Transport()
        connection.makeConnection(transport)

    def _receive(self, link: str, data: bytes) -> None:
        connection = self.links.get(link)
        if connection is None:
            return
        for id in map(bytes.decode, _SESSION.findall(data) + _ROUTE.findall(data)):
            if id not in self.people and self._open is not None and not data.count(b"<close"):
                self._come(id)
        for element in elements(data):
            if element.name == "route" and element.attributes.get("type") != "error":
                self.expected[element.attributes["streamid"]] += map(routes.as_clients, element.children)
        connection.dataReceived(data)

    def _come(self, id: str) -> None:
        """The client of a recorded session connects."""
        person = self.people[id] = Person(self.world)
        link, world = self._open, self.world
        assert link is not None

        def come(client: Any, header: Any) -> None:
            client.carry(
                RouteSession(client, header, world.links, world.routed, world.settings, world.reactor, link, id)
            )

        person.client._come = come
        person.client.received(HEADER)
        session = link.sessions[id]
        session.created()
        person.take()


def elements(data: bytes) -> list[Tree]:
    """The whole elements of a link that some bytes consist of."""
    reader = StreamReader(1 << 24, stepwise=False)
    if not data.startswith((b"<?xml", b"<stream:stream")):
        reader.feed(routes.header("cm1/link-1"))
    return [event.tree() for event in reader.feed(data) if isinstance(event, Stanza)]


def given(person: Person) -> list[Tree]:
    """The elements that a client was given."""
    reader = StreamReader(1 << 24, stepwise=False)
    header = f"<stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>".encode()
    return [event.tree() for event in reader.feed(header + person.take()) if isinstance(event, Stanza)]


@pytest.mark.parametrize("name", [name for name in scenarios() if name != COMPRESSED])
def test_clients_get_what_was_for_them(name: str) -> None:
    recording = Recording()
    for line in load(name):
        recording.play(line)
    for id, person in recording.people.items():
        got = given(person)
        told = [each for each in got if each.namespace != ns.STREAM]
        expected = recording.expected[id]
        assert told == expected[: len(told)]
        assert len(told) == len(expected) or person.socket.end, (id, len(told), len(expected))
