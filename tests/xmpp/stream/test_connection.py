"""Reading, waiting and taking turns, whatever the phase."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from broker.xml.stanza import Stanza, StreamStart
from broker.xmpp.routing.domain import Client
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.inbox import MAX_UNREAD
from broker.xmpp.stream.tcp_framing import TcpFraming
from tests.xmpp.world import HEADER, FakeTransport, World


class Recorder:
    """A phase that notes what comes; an element whose name begins with "w" has to wait for :attr:`waits`."""

    client: Client | None = None

    def __init__(self, stream: StreamConnection) -> None:
        self.stream = stream
        self.is_behind = False
        self.finishes = True
        self.seen: list[str] = []
        self.waits: list[Deferred[None]] = []

    def start(self) -> None:
        self.seen.append("start")

    def secured(self) -> None:
        self.seen.append("secured")

    def opened(self, start: StreamStart) -> None:
        self.seen.append("opened")

    def element(self, stanza: Stanza) -> None:
        self.seen.append(stanza.name)
        if stanza.name == "broken":
            raise RuntimeError("a bug")
        if stanza.name.startswith("w"):
            self.stream.work(self._wait())

    async def _wait(self) -> None:
        done: Deferred[None] = Deferred()
        self.waits.append(done)
        await done

    def set_writable(self, writable: bool) -> None:
        self.seen.append(f"writable {writable}")

    def shut_down(self) -> None:
        self.seen.append("shut down")

    def lost(self) -> None:
        self.seen.append("lost")

    def let_go(self, reason: str) -> None:
        self.seen.append(f"let go: {reason}")

    def stop(self) -> None:
        pass


class Peer:
    """A client's end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.transport = FakeTransport()
        self.phases: list[Recorder] = []
        self.stream = StreamConnection(
            world.service, self.transport, TcpFraming("localhost", 100_000), "127.0.0.1", self.first
        )
        self.transport.turns = lambda: world.clock.callLater(0, self.stream.turn)
        self.phase = self.phases[0]

    def first(self, stream: StreamConnection) -> Recorder:
        self.phases.append(Recorder(stream))
        return self.phases[-1]

    def send(self, data: bytes) -> None:
        self.stream.received(data)
        self.world.turn()


@pytest.fixture
def peer(quiet: World) -> Peer:
    peer = Peer(quiet)
    peer.stream.connected()
    peer.send(HEADER)
    assert peer.phase.seen == ["start", "opened"]
    peer.phase.seen.clear()
    return peer


def test_what_comes_behind_work_waits_for_it(peer: Peer) -> None:
    peer.send(b"<w1/><a/>")
    peer.send(b"<b/>")
    assert peer.phase.seen == ["w1"]
    peer.phase.waits.pop().callback(None)
    peer.world.turn()
    assert peer.phase.seen == ["w1", "a", "b"]


def test_nothing_is_read_while_too_much_waits(peer: Peer) -> None:
    peer.send(b"<w1/>")
    peer.send(b" " * (MAX_UNREAD + 1))
    assert peer.transport.held == {"busy"}
    peer.phase.waits.pop().callback(None)
    peer.world.turn()
    assert not peer.transport.held


def test_what_came_waits_while_the_peer_is_behind(peer: Peer) -> None:
    peer.phase.is_behind = True
    peer.stream.set_writable(False)
    peer.send(b"<a/>")
    assert peer.phase.seen == ["writable False"]
    peer.phase.is_behind = False
    peer.stream.go_on()
    peer.world.turn()
    assert peer.phase.seen == ["writable False", "a"]


def test_a_phase_is_followed_by_the_next_between_two_stanzas(peer: Peer) -> None:
    later = Recorder(peer.stream)
    peer.stream.enter(later)
    peer.send(b"<a/>")
    assert (peer.phase.seen, later.seen) == ([], ["start", "a"])


def test_nothing_that_came_before_tls_is_handled_after_it(peer: Peer) -> None:
    peer.stream.start_tls()
    assert peer.transport.starting_tls
    peer.stream.secured()
    peer.send(HEADER + b"<a/>")
    assert peer.phase.seen == ["secured", "opened", "a"]


def test_all_that_came_is_handled_before_a_lost_connection_is_let_go_of(peer: Peer) -> None:
    peer.send(b"<w1/><a/>")
    peer.stream.lost("cut")
    assert peer.phase.seen == ["w1", "lost"]
    peer.phase.waits.pop().callback(None)
    peer.world.turn()
    assert peer.phase.seen[2:4] == ["a", "let go: cut"]


def test_a_lost_stranger_is_let_go_of_at_once(peer: Peer) -> None:
    peer.phase.finishes = False
    peer.send(b"<w1/><a/>")
    peer.stream.lost("cut")
    assert peer.phase.seen == ["w1", "let go: cut"]


def test_a_drained_stream_takes_no_more(peer: Peer) -> None:
    peer.send(b"<w1/><a/>")
    drained: list[None] = []
    peer.stream.drain().addCallback(drained.append)
    peer.send(b"<b/>")
    peer.phase.waits.pop().callback(None)
    assert drained == []
    peer.world.turn()
    assert drained == [None]
    assert peer.phase.seen == ["w1", "a"]


@pytest.mark.parametrize(
    ("data", "condition"),
    [(b"<broken/>", b"internal-server-error"), (b"</other>", b"not-well-formed")],
)
def test_a_stream_that_cannot_go_on_ends_with_an_error(peer: Peer, data: bytes, condition: bytes) -> None:
    peer.send(data + b"<a/>")
    assert condition in peer.transport.data
    assert peer.transport.closed
    assert "a" not in peer.phase.seen


def test_a_stream_that_has_ended_does_not_fail(peer: Peer) -> None:
    peer.stream.end()
    written = peer.transport.data
    peer.stream.fail("reset", "")
    peer.send(b"<a/>")
    assert peer.transport.data == written
    assert peer.phase.seen == []
