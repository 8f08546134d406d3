"""Why publishers are not read from."""

from __future__ import annotations

import pytest

from broker.admin.views.connections import HeldBack, HeldBackBy, held_back
from broker.core.entries import QueueLimits
from broker.model.qos import Overflow, QueueQos
from broker.native.limits import NativeLimits
from broker.native.wire.frames import Unit
from broker.net.read_pauses import Pause
from tests.admin.api.desk import Desk
from tests.admin.api.test_resources import MEMORY, Api
from tests.core.world import Client, World
from tests.native.peer import Listener, Peer


def news(number: int) -> Unit:
    return Unit(b"<qos/>", b"<key oid='news'/>", b"%d" % number)


def blocking(world: World) -> Client:
    """A client of whom one message waits at most, and publishers wait behind it."""
    slow = world.client("slow/1", answers=False, queue=QueueQos("callback", max_entries=1, on_overflow=Overflow.BLOCK))
    slow.subscribe("news")
    return slow


def told(peer: Peer) -> HeldBack | None:
    return held_back(peer.protocol, peer.stream.session)


def test_publisher_that_is_read_from_is_not_held_back() -> None:
    assert told(Listener().client("joe")) is None


def test_publisher_waits_for_room_in_a_queue_that_is_named() -> None:
    world = World()
    slow = blocking(world)
    listener = Listener(world=world)
    joe = listener.client("joe")
    joe.call("publish", news(1))
    world.advance(5)
    joe.request("publish", news(2))
    api = Api(Desk(world, settings=MEMORY))
    api.desk.fake.doors = [("SOCKET", listener.factory)]

    (row,) = api.items("connections?heldBack=queueFull")

    assert row["heldBack"] == {
        "cause": "queueFull",
        "queue": "callback/slow~1",
        "since": "1970-01-12T13:46:45.020Z",
    }
    assert api.ask("queues/callback/slow~1").json["publishersWaiting"] == 1
    slow.outbound.acknowledge()
    world.turn()
    assert (told(joe), api.items("connections?heldBack=queueFull")) == (None, [])
    assert "publishersWaiting" not in api.ask("queues/callback/slow~1").json


def test_publisher_waits_for_room_in_the_queue_of_a_login_name() -> None:
    world = World()
    bob = world.client("bob/1", callback=False)
    listener = Listener(world=world)
    bob.session.subject.queue.limits = QueueLimits(entries=1, overflow=Overflow.BLOCK)
    joe = listener.client("joe")
    unit = Unit(b"<qos><destination>bob</destination></qos>", b"<key oid=''/>", b"x")
    joe.call("publish", unit)
    joe.request("publish", unit)

    held = told(joe)

    assert held is not None
    assert (held.cause, held.queue) == (HeldBackBy.QUEUE_FULL, "subject/bob")


def test_publisher_that_outruns_the_store_is_held_back_until_it_has_caught_up() -> None:
    listener = Listener()
    joe = listener.client("joe")
    pressure = joe.protocol._settings.pressure
    assert pressure is not None
    listener.world.store.held = True
    listener.world.store.beat(1, 0)
    pressure.hold(joe.protocol)
    listener.world.advance(3)

    assert told(joe) == HeldBack(HeldBackBy.STORE_BEHIND, "1970-01-12T13:46:40.020Z")


def test_publisher_whose_requests_wait_is_held_back() -> None:
    world = World()
    blocking(world)
    listener = Listener(NativeLimits(max_pending=2), world=world)
    joe = listener.client("joe")
    joe.call("publish", news(1))
    for number in range(4):
        joe.request("publish", news(number))
    assert Pause.REQUESTS_WAITING in joe.protocol.pauses
    assert joe.stream.session is not None
    joe.stream.session.room_wait = None  # it waits for something else

    held = told(joe)

    assert held is not None
    assert held.cause is HeldBackBy.REQUESTS_WAITING


def test_publisher_that_reads_no_answers_is_held_back() -> None:
    joe = Listener().client("joe")
    joe.protocol.pauseProducing()

    held = told(joe)

    assert held is not None
    assert held.cause is HeldBackBy.UNREAD_ANSWERS


@pytest.mark.parametrize("pause", Pause)
def test_every_pause_has_a_cause(pause: Pause) -> None:
    joe = Listener().client("joe")
    joe.protocol.hold(pause)
    held = told(joe)
    assert held is not None
    joe.protocol.release(pause)
    assert told(joe) is None
