"""Whatever connections, clients and the broker do, each message comes once and in order (spec xmpp §1.10 B20)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.xml.stanza import Stanza
from broker.xmpp.settings import XmppSettings
from broker.xmpp.wire import ns
from tests.xmpp.world import Peer, World, settings

USERS = ("joe", "jack")


class Client:
    """A correct client of XEP-0198: it keeps what is not acknowledged, and counts what comes."""

    def __init__(self, world: World, user: str) -> None:
        self.user = user
        self.unacked: deque[str] = deque()
        self.acked = 0
        self.last_h = 0
        self.got: list[str] = []
        peer = world.bind(f"{user}@localhost/x", sm=True)
        self.peer: Peer | None = peer
        self.id = peer.id
        self.h = peer.h  # its own presence has come
        self.unacked.append("<presence/>")

    def send(self, stanza: str) -> None:
        """Send a stanza, or keep it for later."""
        self.unacked.append(stanza)
        if self.peer is not None:
            self.peer.stream.received(stanza.encode())

    def read(self) -> None:
        """Take what has come."""
        if self.peer is None:
            return
        for event in self.peer.events():
            assert isinstance(event, Stanza), event
            self._take(event)

    def _take(self, stanza: Stanza) -> None:
        if stanza.namespace == ns.CLIENT:
            self.h += 1
            if stanza.name == "message":
                self.got.append(stanza.tree().text_of(ns.CLIENT, "body"))
        elif stanza.name == "a":
            self._acknowledged(int(stanza.attributes["h"]))
        elif stanza.name == "r":
            self.acknowledge()

    def _acknowledged(self, h: int) -> None:
        assert h >= self.acked, "the counter went back"
        for _ in range(h - self.acked):
            self.unacked.popleft()
        self.acked = h

    def acknowledge(self) -> None:
        """Tell the counter."""
        if self.peer is not None:
            self.peer.stream.received(f"<a xmlns='{ns.SM}' h='{self.h}'/>".encode())

    def resume(self, world: World) -> None:
        """Go on, on a new connection."""
        self.peer = world.peer()
        self.peer.login(self.user)
        self.peer.stream.received(f"<resume xmlns='{ns.SM}' previd='{self.id}' h='{self.h}'/>".encode())
        for _ in range(5):
            world.store.commit()
            world.turn()
        self._go_on(self.peer)

    def _go_on(self, peer: Peer) -> None:
        """The stream is resumed: take what comes behind that, and send again what was not acknowledged."""
        events = peer.events()
        resumed = events[0]
        assert isinstance(resumed, Stanza)
        assert resumed.name == "resumed", resumed
        self._acknowledged(int(resumed.attributes["h"]))
        for event in events[1:]:
            assert isinstance(event, Stanza)
            self._take(event)
        for stanza in self.unacked:
            peer.stream.received(stanza.encode())


class Machine(RuleBasedStateMachine):
    """Two clients that send to each other, a network that fails, and a broker that is killed."""

    make_world: Callable[[XmppSettings], World] = World

    def __init__(self) -> None:
        super().__init__()
        self.world = self.make_world(settings(sm_window=4, idle=-1))
        self.clients = {user: Client(self.world, user) for user in USERS}
        self.sent: dict[str, list[str]] = {user: [] for user in USERS}
        self.count = 0
        self.world.store.commit()
        self.world.store.held = True

    @rule(user=st.sampled_from(USERS), bare=st.booleans(), burst=st.integers(1, 6))
    def send(self, user: str, bare: bool, burst: int) -> None:
        """Send messages to the other one."""
        other = USERS[1 - USERS.index(user)]
        for _ in range(burst):
            self.count += 1
            body = str(self.count)
            self.sent[other].append(body)
            to = f"{other}@localhost" if bare else f"{other}@localhost/x"
            self.clients[user].send(f"<message to='{to}' type='chat'><body>{body}</body></message>")

    @rule()
    def turn(self) -> None:
        """The broker works."""
        self.world.turn(1)

    @rule()
    def commit(self) -> None:
        """The store commits."""
        self.world.store.commit()

    @rule(user=st.sampled_from(USERS))
    def read(self, user: str) -> None:
        """A client reads."""
        self.clients[user].read()

    @rule(user=st.sampled_from(USERS))
    def request(self, user: str) -> None:
        """A client asks for the broker's counter."""
        peer = self.clients[user].peer
        if peer is not None:
            peer.stream.received(f"<r xmlns='{ns.SM}'/>".encode())

    @rule(user=st.sampled_from(USERS))
    def cut(self, user: str) -> None:
        """A connection is lost, and what was under way with it."""
        client = self.clients[user]
        if client.peer is not None:
            client.peer.cut()
            client.peer = None

    @rule(user=st.sampled_from(USERS))
    def resume(self, user: str) -> None:
        """A client goes on, whether its old connection is gone or not."""
        self.clients[user].resume(self.world)

    @precondition(lambda self: self.count > 0)
    @rule(committed=st.booleans())
    def kill(self, committed: bool) -> None:
        """The broker is killed and started again."""
        for client in self.clients.values():
            client.peer = None
        self.world = self.world.crash(committed=committed)
        self.world.store.held = True

    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        """What has come is what was sent so far."""
        for user in USERS:
            got = self.clients[user].got
            assert got == self.sent[user][: len(got)]

    def teardown(self) -> None:
        """In the end everything comes."""
        self.world.store.held = False
        for client in self.clients.values():
            client.resume(self.world)
        for _ in range(2 * self.count + 10):
            self.world.store.commit()
            self.world.turn()
            for client in self.clients.values():
                client.read()
                client.acknowledge()
        for user in USERS:
            assert self.clients[user].got == self.sent[user]


TestExactlyOnce = pytest.mark.slow(Machine.TestCase)
TestExactlyOnce.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
