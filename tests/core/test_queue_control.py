"""Entries that administrators move, put at the end, or delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker.core import queue_control
from broker.core.entries import Entry, QueueLimits
from broker.core.queue_control import Matched, Owner, Progress
from broker.errors import BrokerError, Code
from broker.model.qos import QueueQos
from tests.core.test_newest_only import SUBSCRIBED as NEWEST_ONLY
from tests.core.world import DEFAULTS, Client, World
from tests.xmpp.world import World as XmppWorld

SMALL = replace(DEFAULTS, callback=QueueLimits(cache_entries=4), subject=QueueLimits(cache_entries=4))
PERSISTENT = "<qos><persistent/></qos>"


@pytest.fixture
def world() -> World:
    return World(SMALL)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_control, "SLICE", 3)
    monkeypatch.setattr(queue_control, "READ_AT_ONCE", 5)


def everything(entry: Entry) -> bool:
    return True


def filled(world: World, count: int = 10, qos: str = PERSISTENT, **settings: Any) -> Client:
    """Joe, whose first message is on its way, with the others behind it."""
    joe = world.client("joe/1", answers=False, persistent=True, **settings)
    joe.subscribe("news")
    publish(world, range(count), qos)
    return joe


def publish(world: World, numbers: Any, qos: str = PERSISTENT) -> None:
    ann = world.client("ann", callback=False)
    for number in numbers:
        ann.publish("news", b"%d" % number, qos)


def away(world: World, name: str = "jack/1", **settings: Any) -> Client:
    """A persistent client that is away."""
    client = world.client(name, persistent=True, **settings)
    client.lose_connection()
    return client


def move(world: World, owner: Owner, target: Owner, wanted: Any = everything) -> Progress:
    progress = Progress()
    world.run(world.broker.queue_control.move(owner, wanted, target, progress))
    world.turn()
    return progress


def received(client: Client) -> list[str]:
    """Everything that the client gets when it comes back."""
    outbound = client.come_back()
    client.world.turn(200)
    return [content.decode() for content in outbound.contents]


def on_disk(world: World) -> list[tuple[int, str]]:
    """Queue and content of all entries of the store."""
    world.store.commit()
    tables = world.store.tables
    histories = {topic.id for topic in world.node.topics.values()}
    return sorted(
        (each.queue_id, tables.messages[each.message_id].content.decode())
        for each in tables.entries()
        if each.queue_id not in histories
    )


def test_entries_are_moved_in_order_and_what_is_on_its_way_stays(world: World) -> None:
    joe, jack = filled(world), away(world)

    progress = move(world, joe.session, jack.session)

    assert progress == Progress(done=9, skipped_in_flight=1)
    assert joe.session.queue.entries == 1
    assert received(jack) == [str(number) for number in range(1, 10)]
    joe.outbound.acknowledge()
    world.turn()
    assert (joe.session.queue.entries, on_disk(world)) == (0, [])


def test_entries_stay_where_they_were_moved_to_over_a_crash(world: World) -> None:
    joe, jack = filled(world), away(world)
    move(world, joe.session, jack.session)
    assert on_disk(world) == [
        (joe.session.id, "0"),
        *sorted((jack.session.id, str(number)) for number in range(1, 10)),
    ]
    world = world.crash()
    jack.world = world
    assert received(jack) == [str(number) for number in range(1, 10)]


@pytest.mark.parametrize("slices", range(5))
def test_crash_between_any_two_commits_leaves_each_entry_in_one_queue(world: World, slices: int) -> None:
    """Given a move of several slices, when the broker is killed after some of them, then nothing is lost or doubled."""
    joe, jack = filled(world), away(world)
    world.store.commit()
    moving = world.start(world.broker.queue_control.move(joe.session, everything, jack.session, Progress()))
    for _ in range(slices):
        world.clock.advance(0)
        world.store.commit()
    world = world.crash(committed=False)
    moving.addErrback(lambda failure: None)
    contents = [content for _, content in on_disk(world)]
    assert sorted(contents) == [str(number) for number in range(10)]


def test_entries_are_moved_to_a_login_name_and_its_next_session_gets_them(world: World) -> None:
    joe = filled(world, 6)
    world.client("bob/1", callback=False)
    bob = world.node.subjects["bob"]

    assert move(world, joe.session, bob).done == 5

    assert (bob.queue.entries, bob.stored) == (5, True)
    assert world.client("bob/2").contents == [b"1", b"2", b"3", b"4", b"5"]
    assert bob.queue.entries == 0


def test_entries_of_a_login_name_are_moved_to_a_session(world: World) -> None:
    ann = world.client("ann")
    for number in range(6):
        ann.send("joe", b"%d" % number, force=True)
    joe, jack = world.node.subjects["joe"], away(world)

    assert move(world, joe, jack.session).done == 6

    assert "joe" not in world.node.subjects
    assert received(jack) == [str(number) for number in range(6)]


def test_deliveries_that_have_failed_are_told_in_the_new_queue(world: World) -> None:
    joe, jack = filled(world, 3), away(world)
    joe.lose_connection()
    move(world, joe.session, jack.session)
    outbound = jack.come_back()
    world.turn(100)
    assert [entry.redeliver for entry in outbound.entries] == [1, 0, 0]


def test_no_more_is_moved_than_there_is_room_for(world: World) -> None:
    joe = filled(world, 10)
    jack = away(world, queue=QueueQos("callback", max_entries=4))

    progress = move(world, joe.session, jack.session)

    assert (progress.done, progress.stopped) == (4, True)
    assert (joe.session.queue.entries, jack.session.queue.entries) == (6, 4)
    joe.outbound.answers = True
    joe.outbound.acknowledge()
    world.turn(100)
    assert [content.decode() for content in joe.contents] == ["0", "5", "6", "7", "8", "9"]


def test_only_what_is_wanted_is_moved(world: World) -> None:
    joe, jack = filled(world), away(world)
    move(world, joe.session, jack.session, lambda entry: entry.message.content in (b"2", b"3", b"8"))
    assert received(jack) == ["2", "3", "8"]
    joe.outbound.answers = True
    joe.outbound.acknowledge()
    world.turn(100)
    assert [content.decode() for content in joe.contents] == ["0", "1", "4", "5", "6", "7", "9"]


def test_what_is_for_one_client_alone_is_not_moved() -> None:
    world = XmppWorld()
    joe = world.bind("joe@localhost/x", sm=True)
    (session,) = world.node.subjects["joe"].sessions.values()
    joe.cut()
    world.bind("jack@localhost/y").send(f"<iq type='get' id='1' to='{joe.jid}'><ping xmlns='urn:xmpp:ping'/></iq>")
    bob = world.node.subject("bob")
    assert move(world, session, bob) == Progress(skipped_in_flight=1, failed=1)


def test_entries_are_put_at_the_end_once(world: World) -> None:
    joe = filled(world)
    progress = Progress()
    poison = [b"1", b"7"]

    work = world.broker.queue_control.requeue(
        joe.session, lambda entry: entry.message.content in poison, None, progress
    )
    world.run(work)

    assert progress.done == 2
    joe.outbound.answers = True
    joe.outbound.acknowledge()
    world.turn(200)
    assert [content.decode() for content in joe.contents] == ["0", "2", "3", "4", "5", "6", "8", "9", "1", "7"]
    assert on_disk(world) == []


def test_entries_get_another_priority_also_over_a_crash(world: World) -> None:
    joe = filled(world, 6)
    last = joe.session
    work = world.broker.queue_control.requeue(last, lambda entry: entry.message.content == b"5", 9, Progress())
    world.run(work)
    world = world.crash()
    joe.world = world
    assert received(joe) == ["5", "0", "1", "2", "3", "4"]


@pytest.mark.parametrize("dead", [False, True])
def test_entries_are_deleted(world: World, dead: bool) -> None:
    joe = filled(world)
    progress = Progress()
    world.run(world.broker.queue_control.delete(joe.session, everything, progress, dead=dead))
    assert (progress.done, progress.skipped_in_flight) == (9, 1)
    assert (joe.session.queue.entries, world.broker.letters.count) == (1, 9 if dead else 0)
    assert on_disk(world) == [(joe.session.id, "0")]
    publish(world, [10])
    joe.outbound.answers = True
    joe.outbound.acknowledge()
    world.turn(100)
    assert joe.contents == [b"0", b"10"]


def test_what_comes_meanwhile_is_left_alone(world: World) -> None:
    joe = filled(world)
    progress = Progress()
    work = world.start(world.broker.queue_control.delete(joe.session, everything, progress, dead=False))
    ann = world.client("ann/1", callback=False)
    ann.publish("news", b"new", PERSISTENT)
    world.run(work)
    assert progress.done == 9
    joe.outbound.answers = True
    joe.outbound.acknowledge()
    world.turn(100)
    assert joe.contents == [b"0", b"new"]


def test_work_that_is_stopped_ends_after_its_slice(world: World) -> None:
    joe = filled(world)
    progress = Progress()
    work = world.start(world.broker.queue_control.delete(joe.session, everything, progress, dead=False))
    progress.stopped = True
    world.run(work)
    assert progress.done == 3
    assert joe.session.queue.entries == 7


def test_what_would_be_done_is_counted_without_doing_it(world: World) -> None:
    joe = filled(world)
    queue = joe.session.queue
    before = (queue.entries, queue.in_memory)
    matched = world.run(world.broker.queue_control.count(joe.session, everything))
    assert matched == Matched(9, 9 * 201, 1)
    assert (queue.entries, queue.in_memory) == before


def test_login_name_is_an_owner_too(world: World) -> None:
    world.client("ann").send("joe", b"x", force=True)
    joe = world.node.subjects["joe"]
    assert world.run(world.broker.queue_control.count(joe, everything)).entries == 1


def on_slow_reads(world: World) -> list[Deferred[None]]:
    """Let reads of entries wait until they are let go on."""
    read, waiting = world.store.read_entries, []

    def later(*arguments: Any) -> Any:
        gate: Deferred[None] = Deferred()
        waiting.append(gate)
        return gate.addCallback(lambda _: read(*arguments))

    world.store.read_entries = later  # type: ignore[method-assign, assignment]
    return waiting


def test_nothing_is_put_to_a_session_that_ends_meanwhile(world: World) -> None:
    joe, jack = filled(world), away(world)
    waiting, progress = on_slow_reads(world), Progress()
    moving = world.start(world.broker.queue_control.move(joe.session, everything, jack.session, progress))
    world.turn()
    moved = progress.done
    assert 0 < moved < 9

    world.run(world.broker.registry.end(jack.session, BrokerError(Code.USER_NOT_CONNECTED, "it is over")))
    while not moving.called:
        waiting.pop(0).callback(None)
        world.turn()

    assert (progress.done, progress.stopped) == (moved, True)
    assert joe.session.queue.entries == 10 - moved
    assert world.broker.letters.count == moved


def test_nothing_more_is_taken_of_a_session_that_ends_meanwhile(world: World) -> None:
    joe, jack = filled(world), away(world)
    waiting, progress = on_slow_reads(world), Progress()
    moving = world.start(world.broker.queue_control.move(joe.session, everything, jack.session, progress))
    world.turn()
    ending = world.start(
        world.broker.registry.end(joe.session, BrokerError(Code.USER_NOT_CONNECTED, "it is over"), by_client=False)
    )
    while waiting or not (moving.called and ending.called):
        for gate in [waiting.pop(0) for _ in list(waiting)]:
            gate.callback(None)
        world.turn()
    assert progress.done + world.broker.letters.count == 10


def test_what_would_not_be_delivered_any_more_is_not_moved(world: World) -> None:
    joe = world.client("joe/1", answers=False, persistent=True)
    joe.subscribe("news")
    jack = away(world)
    publish(world, range(8), "<qos><persistent/><expiration lifeTime='1000' forceDestroy='true'/></qos>")
    publish(world, [8])
    world.clock.rightNow += 2
    assert move(world, joe.session, jack.session).done == 1
    assert received(jack) == ["8"]


def test_newest_message_comes_where_the_one_before_was_deleted_on_disk(world: World) -> None:
    joe, ann = world.client("joe/1", persistent=True), world.client("ann/1", callback=False)
    topics = [f"topic {number}" for number in range(10)]
    for oid in topics:
        joe.subscribe(oid, NEWEST_ONLY)
    joe.lose_connection()
    for oid in topics:
        ann.publish(oid, oid.encode(), PERSISTENT)

    progress = Progress()
    control = world.broker.queue_control
    world.run(control.delete(joe.session, lambda entry: entry.message.oid == "topic 7", progress, dead=False))
    ann.publish("topic 7", b"newer", PERSISTENT)

    assert (progress.done, joe.session.queue.entries) == (1, 10)
    assert received(joe) == [*(oid for oid in topics if oid != "topic 7"), "newer"]
    assert joe.session.queue.entries == 0


def test_two_who_read_the_same_rows_settle_each_entry_once(world: World) -> None:
    joe, jack = away(world, "joe/1"), away(world)
    joe.come_back()
    joe.subscribe("news")
    joe.lose_connection()
    publish(world, range(20))
    control, moved, deleted = world.broker.queue_control, Progress(), Progress()

    both = [
        world.start(control.move(joe.session, everything, jack.session, moved)),
        world.start(control.delete(joe.session, everything, deleted, dead=False)),
    ]
    for each in both:
        world.run(each)

    assert (moved.done + deleted.done, joe.session.queue.entries) == (20, 0)
    assert len(received(jack)) == moved.done
    assert len(world.node.settled_rows) == 0
