"""Whatever becomes of links, nothing that a client sends or gets is lost, doubled or reordered."""

from __future__ import annotations

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.xmpp.managers.framed import ManagedPeer, Servers, Wire
from tests.xmpp.world import World, settings

MESSAGES = ["one", "two " + "x" * 100, "three"]


@pytest.mark.parametrize("direction", ["to_broker", "to_manager"])
@pytest.mark.parametrize("part", range(4))
def test_a_link_that_is_cut_at_any_byte_loses_and_doubles_nothing(direction: str, part: int) -> None:
    world = World()
    servers = Servers(world)
    manager = servers.manager()
    joe, jack = manager.bind("joe@localhost/x"), manager.bind("jack@localhost/y")
    for count in range(part, 700, 4 * 5):
        joe.acknowledged()
        (wire,) = manager.wires
        data = "".join([f"<message to='{jack.jid}'><body>{count} {each}</body></message>" for each in MESSAGES])
        joe.session.give(data.encode())
        left = {"to_broker": 1 << 30, "to_manager": 1 << 30, direction: count}
        while left[direction] > 0:
            before = {each: len(getattr(wire, each)) for each in left}
            moved = wire.deliver(**left)
            world.advance(0.3)
            left[direction] -= before[direction] if moved else 1 << 30
        wire.cut()
        manager.dial()
        manager.reattach()
        manager.pump()
        assert jack.bodies() == [f"{count} {each}" for each in MESSAGES]
        joe.acknowledged()
        assert not joe.session.out


SIZES = st.sampled_from([1, 5, 13, 40, 200, 1 << 20])


class Links(RuleBasedStateMachine):
    """Two clients behind a manager write to each other, while bytes arrive in pieces and links are cut."""

    @initialize(sm=st.booleans(), window=st.sampled_from([10_000, 1 << 20]))
    def begin(self, sm: bool, window: int) -> None:
        self.world = World(settings(max_stanza=window))
        self.servers = Servers(self.world)
        self.manager = self.servers.manager()
        self.peers: list[ManagedPeer] = [
            self.manager.bind(f"{user}@localhost/x", sm=sm, presence=None) for user in ("joe", "jack")
        ]
        self.sent: list[list[str]] = [[], []]
        self.got: list[list[str]] = [[], []]

    @property
    def wires(self) -> list[Wire]:
        return self.manager.wires

    def _read(self) -> None:
        for index, peer in enumerate(self.peers):
            self.got[index] += peer.bodies()

    @rule(who=st.integers(0, 1), size=st.sampled_from([0, 10, 3000]))
    def send(self, who: int, size: int) -> None:
        body = f"{len(self.sent[who])} {'x' * size}"
        self.sent[who].append(body)
        to = self.peers[1 - who].jid
        self.peers[who].session.give(f"<message type='chat' to='{to}'><body>{body}</body></message>".encode())

    @rule(who=st.integers(0, 1), size=SIZES)
    def send_a_part(self, who: int, size: int) -> None:
        """White space, which makes the next element begin elsewhere."""
        self.peers[who].session.give(b" " * min(size, 200))

    @rule(to_broker=SIZES, to_manager=SIZES, which=st.integers(0, 9))
    def deliver(self, to_broker: int, to_manager: int, which: int) -> None:
        if self.wires:
            wire = self.wires[which % len(self.wires)]
            wire.deliver(to_broker, to_manager)
            self.world.turn(2)
            self._read()

    @rule(which=st.integers(0, 9))
    @precondition(lambda self: bool(self.wires))
    def cut(self, which: int) -> None:
        self.wires[which % len(self.wires)].cut()

    @rule()
    @precondition(lambda self: len(self.wires) < 3)
    def dial(self) -> None:
        self.manager.dial()
        self._read()

    @rule(who=st.integers(0, 1), which=st.integers(0, 9))
    def move(self, who: int, which: int) -> None:
        """The manager goes on with a session over another link, or the same one."""
        session = self.peers[who].session
        if self.wires and not session.attaching:
            wire = self.wires[which % len(self.wires)]
            if wire.hello is not None and session.wire is not wire:
                if session.wire is not None:
                    session.wire.cut()
                if wire in self.wires:
                    session.attach(wire)

    @rule(who=st.integers(0, 1), reads=st.booleans())
    def read(self, who: int, reads: bool) -> None:
        session = self.peers[who].session
        session.reads = reads
        if reads:
            session.read()
        else:
            session.read(7)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @invariant()
    def nothing_is_doubled_or_reordered(self) -> None:
        if hasattr(self, "peers"):
            for index in (0, 1):
                got = self.got[index]
                assert got == self.sent[1 - index][: len(got)]

    def teardown(self) -> None:
        if not hasattr(self, "peers"):
            return
        for peer in self.peers:
            assert not peer.closed
            peer.session.reads = True
            peer.session.read()
        if not self.wires:
            self.manager.dial()
        for _ in range(3):
            self.manager.reattach()
            self.manager.pump()
            self.world.advance(1)
            self.manager.pump()
        self._read()
        assert self.got == [self.sent[1], self.sent[0]]
        for peer in self.peers:
            assert peer.session.out == b""
            assert peer.channel.kept == 0
        assert self.servers.sessions.managers["cm1"].bytes == 0


TestLinks = Links.TestCase
TestLinks.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
