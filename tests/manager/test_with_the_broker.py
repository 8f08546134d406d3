"""The manager and the broker's side of frames, joined: whatever is cut when, nothing is lost or doubled."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.xmpp.wire import ns
from tests.manager.pair import CarriedPeer, ManagerSide
from tests.xmpp.managers.framed import Servers
from tests.xmpp.world import Peer, World


def carried(manager: ManagerSide, user: str = "joe", *, sm: bool = True) -> CarriedPeer:
    """A bound client behind the manager."""
    peer = manager.peer()
    peer.login(user)
    peer.bind("x")
    if sm:
        assert peer.enable().name == "enabled"
    peer.send("<presence/>")
    peer.take()
    return peer


def direct(world: World) -> Peer:
    """A bound client of the broker's own."""
    return world.bind("jack@localhost/y", sm=True)


def chat(to: str, body: str) -> str:
    return f"<message to='{to}' type='chat'><body>{body}</body></message>"


def bodies(peer: Peer) -> list[str]:
    """Bodies of messages; questions for the counter are answered."""
    found = []
    for tree in peer.take():
        if tree.name == "message":
            found.append(tree.text_of(ns.CLIENT, "body"))
        elif tree.name == "r":
            peer.ack()
    return found


def answer(manager: ManagerSide, *peers: Peer) -> list[list[str]]:
    """Have clients answer until nothing more comes; returns the bodies that each has got."""
    got: list[list[str]] = [[] for _ in peers]
    for _ in range(6):
        for index, peer in enumerate(peers):
            got[index] += bodies(peer)
        manager.servers.world.advance(1)
        manager.pump()
    return got


def test_a_client_behind_the_manager_is_as_any_other() -> None:
    manager = ManagerSide(Servers(World()))
    joe, jack = carried(manager), direct(manager.servers.world)
    joe.send(chat("jack@localhost/y", "1"))
    jack.send(chat("joe@localhost/x", "2"))
    assert answer(manager, joe, jack) == [["2"], ["1"]]
    assert joe.count() == 2


def test_a_cut_link_is_not_noticed() -> None:
    manager = ManagerSide(Servers(World()))
    joe, jack = carried(manager), direct(manager.servers.world)
    joe.give(chat("jack@localhost/y", "1"))
    manager.cut()
    jack.send(chat("joe@localhost/x", "2"))
    joe.give(chat("jack@localhost/y", "3"))
    manager.dial()
    assert answer(manager, joe, jack) == [["2"], ["1", "3"]]


def test_a_killed_broker_is_not_noticed() -> None:
    servers = Servers(World())
    manager = ManagerSide(servers)
    joe = carried(manager)
    jack_id = direct(servers.world)
    jack_id.send(chat("joe@localhost/x", "1"))
    manager.pump()
    joe.give(chat("joe@localhost/x", "2"))
    manager.cut()
    joe.give(chat("joe@localhost/x", "3"))
    manager.dial(servers.crash())
    assert answer(manager, joe) == [["1", "2", "3"]]
    assert not joe.closed


def test_a_client_that_goes_is_gone_for_the_broker_with_all_it_sent() -> None:
    manager = ManagerSide(Servers(World()))
    joe, jack = carried(manager, sm=False), direct(manager.servers.world)
    joe.give(chat("jack@localhost/y", "1"))
    joe.cut()
    assert answer(manager, jack) == [["1"]]
    assert manager.joined.link.load == 0
    assert not manager.servers.sessions.managers["cm1"].processes[manager.instance].channels


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_nothing_is_lost_or_doubled_whatever_is_cut_when(data: Any) -> None:
    servers = Servers(World())
    manager = ManagerSide(servers)
    joe = carried(manager)
    sent = 0
    told: list[str] = []
    for _ in range(data.draw(st.integers(2, 14))):
        match data.draw(st.sampled_from(["send", "send", "arrive", "cut", "kill", "read"])):
            case "send":
                joe.give(chat("joe@localhost/x", str(sent)))
                sent += 1
            case "arrive":
                servers.world.turn()
                manager.joined.deliver(data.draw(st.integers(0, 400)), data.draw(st.integers(0, 400)))
            case "cut":
                manager.cut()
                manager.dial()
            case "kill":
                manager.cut()
                servers = servers.crash()
                manager.dial(servers)
            case "read":
                told += bodies(joe)
    for _ in range(3):
        (more,) = answer(manager, joe)
        told += more
    assert told == list(map(str, range(sent)))
    assert not joe.closed
