"""Behind connection managers, too, each message comes once and in order, whatever clients, links and the broker do."""

from __future__ import annotations

import base64
from itertools import count
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from broker.xml.cutter import ElementCutter, Piece
from broker.xml.stream import StreamReader
from broker.xmpp.settings import XmppSettings
from broker.xmpp.wire import ns, routes
from tests.xmpp.managers.world import Link, ManagerWorld
from tests.xmpp.test_exactly_once import USERS, Machine
from tests.xmpp.world import PASSWORD, Peer, World

_numbers = count()


class Routes:
    """What is routed over a link for one client; its transport and its stream, from the client's side."""

    closed = ""

    def __init__(self, link: Link, id: str) -> None:
        self.link = link
        self._id = id
        self._cutter = ElementCutter(1 << 24)
        self._cutter.add(b"<s>")
        self._cutter.next()
        link.request(id, "<create/>")
        link.take()

    @property
    def data(self) -> bytes:
        """What has come, and is no more there; of the manager's own business nothing is."""
        self._cutter.add(self.link.transport.data)
        self.link.transport.data = b""
        found = b""
        while (cut := self._cutter.next()) is not None:
            if isinstance(cut, Piece) and cut.name == b"route":
                found += cut.content
        return found

    @data.setter
    def data(self, data: bytes) -> None:
        assert not data

    def received(self, data: bytes) -> None:
        """The client sends elements."""
        for each in routes.elements(data):
            if not self.link.transport.closed:
                self.link.link.received(b"<route streamid='%b'>%b</route>" % (self._id.encode(), each))


class RoutedPeer(Peer):
    """A client behind a manager of its own.

    Args:
        world: of the broker.
    """

    def __init__(self, world: RoutingWorld) -> None:
        self.world = world
        self.link = world.link(f"cm{next(_numbers)}/1")
        self.transport = self.stream = Routes(self.link, "s")  # type: ignore[assignment]
        self.id = self.jid = ""
        self.h = 0
        self._restart()

    def _restart(self) -> None:
        self._reader = StreamReader(1 << 24, stepwise=False)
        self._reader.feed(routes.CLIENT_HEADER)

    def login(self, user: str) -> None:
        """Log in with PLAIN; the manager answers headers."""
        token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self.send(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>")
        assert self.names() == ["success"]

    def cut(self) -> None:
        """The client's connection is lost."""
        self.link.request("s", "<close/>")
        self.link.transport.data = b""


class RoutingWorld(ManagerWorld):
    """A world whose clients are behind managers."""

    def peer(self, **options: Any) -> RoutedPeer:
        """A new connection."""
        return RoutedPeer(self)

    def crash(self, *, committed: bool = True) -> RoutingWorld:
        """A new broker on what the store has."""
        return RoutingWorld(xmpp=self.xmpp, clock=self.clock, store=self.crashed(committed=committed))


def routing_world(settings: XmppSettings) -> World:
    """Where it begins."""
    return RoutingWorld(xmpp=settings)


class RoutedMachine(Machine):
    """Two clients behind managers, whose links are lost, too."""

    make_world = staticmethod(routing_world)

    @rule(user=st.sampled_from(USERS), comes_back=st.booleans())
    def lose_link(self, user: str, comes_back: bool) -> None:
        """A link is lost with what was on its way; its manager may come back, and is told to close its client."""
        client = self.clients[user]
        peer = client.peer
        if not isinstance(peer, RoutedPeer):
            return
        peer.link.transport.data = b""
        peer.link.cut()
        if comes_back:
            link = Link(peer.link.world, peer.link.jid)
            closed = [tree for tree in link.log_in() if tree.name == "iq" and tree.children[0].name == "session"]
            assert [tree.children[0].attributes for tree in closed] == [{"id": "s"}]
        client.peer = None


TestExactlyOnce = pytest.mark.slow(RoutedMachine.TestCase)
TestExactlyOnce.settings = hypothesis_settings(max_examples=40, stateful_step_count=40, deadline=None)
