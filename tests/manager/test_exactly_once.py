"""The manager before the broker, whatever links, clients and the broker do: each message comes once and in order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock

from broker.manager.client import Client as ManagedClient
from broker.manager.frame_link import FrameLink as ManagersLink
from broker.manager.links import Links
from broker.xml.stanza import Stanza
from broker.xmpp.managers.frame_link import FrameLink as BrokersLink
from broker.xmpp.wire import ns
from tests.manager.world import Socket
from tests.manager.world import settings as manager_settings
from tests.xmpp.managers.framed import Servers
from tests.xmpp.test_exactly_once import USERS, Client
from tests.xmpp.world import Peer, World, settings

SIZES = st.sampled_from([0, 1, 7, 30, 150, 1 << 20])
EVERYTHING = 1 << 30


class Wire:
    """One link: what is on its way in both directions."""

    server = "broker:5262"

    def __init__(self, stage: Stage) -> None:
        self.to_broker = self.to_manager = b""
        self.closed = {"broker": False, "manager": False}
        self.broker = BrokersLink(stage.servers.sessions, End(self, "broker"), "cm1", "10.9.9.9:1")
        self.broker.connected()
        self.manager = ManagersLink(End(self, "manager"), "instance-of-cm1-1", "localhost", stage.links, stage.clock)

    def deliver(self, to_broker: int, to_manager: int) -> bool:
        """Bytes arrive; returns whether any did."""
        out, self.to_broker = self.to_broker[:to_broker], self.to_broker[to_broker:]
        if out and not self.closed["broker"]:
            self.broker.received(out)
        came, self.to_manager = self.to_manager[:to_manager], self.to_manager[to_manager:]
        if came and not self.closed["manager"]:
            self.manager.received(came)
        return bool(out or came)


class End:
    """One side's end of a link."""

    server = "broker:5262"

    def __init__(self, wire: Wire, side: str) -> None:
        self._wire = wire
        self._side = side

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert not self._wire.closed[self._side]
        if self._side == "broker":
            self._wire.to_manager += data
        else:
            self._wire.to_broker += data

    def close(self) -> None:
        """No link is ever closed here but by the test."""
        raise AssertionError(f"the {self._side} has closed the link")

    abort = close

    def refused(self, reason: str) -> None:
        """No link is refused here."""
        raise AssertionError(reason)


class Stage:
    """A broker, a manager, and their links; to clients it is a world whose connections are the manager's."""

    def __init__(self) -> None:
        self.servers = Servers(World(settings(sm_window=4, idle=-1)), idle=0)
        self.clock: Any = Clock()
        self.properties = manager_settings()
        self.links = Links(self.clock, 1e6, 1e6)
        self.wires: list[Wire] = []

    @property
    def store(self) -> Any:
        """Of the broker."""
        return self.servers.world.store

    def peer(self) -> Peer:
        """A client connects to the manager, by direct TLS."""
        return ManagedPeer(self)

    def dial(self) -> None:
        """The manager opens another link."""
        self.wires.append(Wire(self))

    def cut(self, wire: Wire) -> None:
        """The network goes, for both sides."""
        self.wires.remove(wire)
        wire.closed = {"broker": True, "manager": True}
        wire.broker.lost("the link was cut")
        wire.manager.lost()
        self.work()

    def kill(self, *, committed: bool) -> None:
        """The broker is killed and started again."""
        for wire in list(self.wires):
            self.wires.remove(wire)
            wire.closed = {"broker": True, "manager": True}
            wire.manager.lost()
        world = self.servers.world.crash(committed=committed)
        self.servers = Servers(world, idle=0)

    def work(self) -> None:
        """Broker and manager work; nothing arrives."""
        for _ in range(3):
            self.clock.advance(0)
        self.servers.world.turn(3)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        self.servers.world.advance(seconds)

    def turn(self) -> None:
        """Everything arrives."""
        moved = True
        while moved:
            self.work()
            moved = False
            for wire in list(self.wires):
                moved = wire.deliver(EVERYTHING, EVERYTHING) or moved

    def bind(self, jid: str, *, sm: bool = False) -> Peer:
        """See :meth:`tests.xmpp.world.World.bind`."""
        return World.bind(self, jid, sm=sm)  # type: ignore[arg-type]


class ManagedPeer(Peer):
    """A client's end of a connection to the manager."""

    def __init__(self, stage: Stage) -> None:
        self.world: Any = stage
        self.transport: Any = Socket()
        self.transport.secure = True
        self.stream: Any = ManagedClient(
            self.transport, stage.properties, stage.clock, stage.links.come, stage.links.gone
        )
        self.stream.connected()
        self.id = self.jid = ""
        self.h = 0
        self._restart()

    def cut(self) -> None:
        """The client's network goes."""
        self.transport.end = self.transport.end or "cut"
        self.stream.lost("the connection was cut")
        self.world.work()


class SmClient(Client):
    """A correct client of XEP-0198 behind the manager."""

    def read(self) -> None:
        """Take what has come, and notice where the connection is closed."""
        peer = self.peer
        if peer is None:
            return
        for event in peer.events():
            if isinstance(event, Stanza):
                self._take(event)
        if peer.closed:
            peer.cut()
            self.peer = None

    def lose(self) -> None:
        """The connection is lost, and what was under way with it."""
        if self.peer is not None:
            self.peer.cut()
            self.peer = None

    def come_back(self, stage: Stage) -> None:
        """Resume the stream on a new connection; the old one need not be gone."""
        if not stage.wires:
            stage.dial()
        stage.turn()
        old = self.peer
        self.peer = stage.peer()
        self.peer.login(self.user)
        self.peer.stream.received(f"<resume xmlns='{ns.SM}' previd='{self.id}' h='{self.h}'/>".encode())
        for _ in range(5):
            stage.turn()
            stage.store.commit()
        stage.turn()
        if old is not None:
            old.cut()
        self._go_on(self.peer)


class Machine(RuleBasedStateMachine):
    """Two clients that send to each other, links and connections that are lost, and a broker that is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = stage = Stage()
        stage.dial()
        stage.turn()
        world: Any = stage
        self.clients = {user: SmClient(world, user) for user in USERS}
        self.sent: dict[str, list[str]] = {user: [] for user in USERS}
        self.count = 0
        stage.store.commit()
        stage.store.held = True

    @rule(user=st.sampled_from(USERS), burst=st.integers(1, 6))
    def send(self, user: str, burst: int) -> None:
        """Send messages to the other one."""
        other = USERS[1 - USERS.index(user)]
        for _ in range(burst):
            self.count += 1
            self.sent[other].append(str(self.count))
            to = f"{other}@localhost/x"
            self.clients[user].send(f"<message to='{to}' type='chat'><body>{self.count}</body></message>")

    @rule(which=st.integers(0, 3), to_broker=SIZES, to_manager=SIZES)
    def arrive(self, which: int, to_broker: int, to_manager: int) -> None:
        """Some bytes arrive."""
        self.stage.work()
        if self.stage.wires:
            self.stage.wires[which % len(self.stage.wires)].deliver(to_broker, to_manager)

    @rule()
    def turn(self) -> None:
        """Everything arrives, and all work."""
        self.stage.turn()

    @rule()
    def commit(self) -> None:
        """The store commits."""
        self.stage.store.commit()

    @rule(seconds=st.sampled_from([0.02, 0.3]))
    def wait(self, seconds: float) -> None:
        """Time passes; the broker acknowledges."""
        self.stage.wait(seconds)

    @rule(user=st.sampled_from(USERS))
    def read(self, user: str) -> None:
        """A client reads, and answers questions."""
        self.clients[user].read()

    @rule(user=st.sampled_from(USERS))
    def request(self, user: str) -> None:
        """A client asks for the broker's counter."""
        peer = self.clients[user].peer
        if peer is not None:
            peer.stream.received(f"<r xmlns='{ns.SM}'/>".encode())

    @rule(user=st.sampled_from(USERS))
    def lose(self, user: str) -> None:
        """A client's connection is lost."""
        self.clients[user].lose()

    @rule(user=st.sampled_from(USERS))
    def resume(self, user: str) -> None:
        """A client goes on, on a new connection."""
        if self.clients[user].peer is None:
            self.clients[user].come_back(self.stage)

    @rule(which=st.integers(0, 3))
    def cut(self, which: int) -> None:
        """A link is lost."""
        if self.stage.wires:
            self.stage.cut(self.stage.wires[which % len(self.stage.wires)])

    @precondition(lambda self: len(self.stage.wires) < 2)
    @rule()
    def dial(self) -> None:
        """Another link is opened."""
        self.stage.dial()

    @precondition(lambda self: self.count > 0)
    @rule(committed=st.booleans())
    def kill(self, committed: bool) -> None:
        """The broker is killed and started again."""
        self.stage.kill(committed=committed)
        self.stage.store.held = True

    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        """What has come is what was sent so far."""
        for user in USERS:
            got = self.clients[user].got
            assert got == self.sent[user][: len(got)]

    def teardown(self) -> None:
        """In the end everything comes."""
        stage = self.stage
        stage.store.held = False
        if not stage.wires:
            stage.dial()
        for _ in range(2 * self.count + 20):
            stage.turn()
            stage.store.commit()
            stage.wait(0.3)
            for client in self.clients.values():
                client.read()
                if client.peer is None:
                    client.come_back(stage)
                client.acknowledge()
        for user in USERS:
            assert self.clients[user].got == self.sent[user]


TestExactlyOnce = pytest.mark.slow(Machine.TestCase)
TestExactlyOnce.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
