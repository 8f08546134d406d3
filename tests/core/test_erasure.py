"""Erasing with forceDestroy, in memory, on disk and over a crash (spec xmlblaster §2.7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.model.qos import QueueQos
from broker.model.records import SubscriptionRecord
from tests.core.world import DEFAULTS, Client, World

FORCE = "<qos><erase forceDestroy='true'/></qos>"
PERSISTENT = "<qos><persistent/></qos>"
QUIETLY = "<qos><persistent/><notify>false</notify></qos>"
TIGHT = replace(DEFAULTS, callback=QueueLimits(entries=10_000, cache_entries=2))


def away(world: World, *oids: str, limit: int | None = None) -> Client:
    """A persistent subscriber whose connection is lost."""
    queue = None if limit is None else QueueQos("callback", max_entries=limit)
    client = world.client("ann/1", persistent=True, queue=queue)
    for oid in oids:
        client.subscribe(oid, QUIETLY)
    client.lose_connection()
    return client


def publish(client: Client, oid: str, *contents: bytes, qos: str = PERSISTENT) -> None:
    for content in contents:
        client.publish(oid, content, qos)


@pytest.mark.parametrize("settings", [DEFAULTS, TIGHT])
@pytest.mark.parametrize("seconds", [None, 0, 5])
def test_erased_messages_are_not_delivered_after_a_crash(settings: Settings, seconds: float | None) -> None:
    # given queued messages in memory or on disk
    world = World(settings)
    away(world, "a", "b")
    pub = world.client("pub")
    publish(pub, "a", b"1", b"2", b"3")
    publish(pub, "b", b"other")
    publish(pub, "a", b"4")
    # when the power goes right behind the answer, or later
    if seconds is None:
        world.start(world.requests.erase(pub.session, b"<key oid='a'/>", FORCE.encode()))
    else:
        pub.erase("a", FORCE)
        world.advance(seconds)
    world = world.crash()
    # then
    assert world.client("ann/1", persistent=True).contents == [b"other"]


def test_erased_messages_are_not_delivered_after_two_crashes() -> None:
    world = World(TIGHT)
    away(world, "a")
    pub = world.client("pub")
    publish(pub, "a", b"1", b"2", b"3")
    world.start(world.requests.erase(pub.session, b"<key oid='a'/>", FORCE.encode()))
    world = world.crash().crash()
    assert world.client("ann/1", persistent=True).contents == []


def test_erased_messages_on_disk_make_room_without_their_contents_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(TIGHT)
    ann = away(world, "a", "b")
    pub = world.client("pub")
    publish(pub, "a", *[b"%d" % number for number in range(2500)])
    publish(pub, "b", b"other")
    world.store.commit()
    monkeypatch.setattr(world.store, "read_entries", None)
    pub.erase("a", FORCE)
    world.advance(2)
    assert len(ann.session.queue) == 1
    world.store.commit()
    assert [message.content for message in world.store.tables.messages.values()] == [b"other"]


def test_erased_messages_do_not_count_for_a_full_queue() -> None:
    world = World()
    ann = away(world, "a", "b", limit=3)
    pub = world.client("pub")
    publish(pub, "a", b"1", b"2", b"3")
    pub.erase("a", FORCE)
    pub.publish("b", b"new", PERSISTENT)
    assert ann.come_back().contents == [b"new"]


def test_message_that_is_published_after_the_erase_is_delivered() -> None:
    world = World()
    ann = world.client("ann/1", persistent=True)
    ann.subscribe(key="<key queryType='XPATH'>//key</key>", qos=QUIETLY)
    ann.lose_connection()
    pub = world.client("pub")
    publish(pub, "a", b"old")
    pub.erase("a", FORCE)
    publish(pub, "a", b"new")
    world = world.crash()
    publish(world.client("pub"), "a", b"newer")
    assert world.client("ann/1", persistent=True).contents == [b"new", b"newer"]


def test_message_that_was_sent_before_the_erase_does_not_come_again() -> None:
    world = World()
    ann = world.client("ann/1", persistent=True, answers=False)
    ann.subscribe("a", QUIETLY)
    pub = world.client("pub")
    publish(pub, "a", b"sent")
    pub.erase("a", FORCE)
    world.advance(5)
    assert world.node.erased  # as long as it may come back to the queue
    ann.lose_connection()
    world.advance(5)
    assert not world.node.erased
    assert world.crash().client("ann/1", persistent=True).contents == []


def test_point_to_point_messages_stay() -> None:
    world = World()
    world.client("ann/1", persistent=True).lose_connection()
    pub = world.client("pub")
    pub.publish("a", b"letter", "<qos><destination>ann/1</destination><persistent/></qos>")
    pub.erase("a", FORCE)
    assert world.crash().client("ann/1", persistent=True).contents == [b"letter"]


def test_mark_of_an_erasure_is_forgotten_when_no_queue_holds_its_messages() -> None:
    world = World(TIGHT)
    away(world, "a")
    pub = world.client("pub")
    publish(pub, "a", b"1", b"2", b"3")
    pub.erase("a", FORCE)
    pub.publish("a", b"again")
    pub.erase("a", FORCE)
    world.advance(3)
    world.store.commit()
    assert not world.node.erased
    assert not world.store.tables.documents
    assert not world.store.tables.messages


def test_number_of_an_erasure_is_not_given_to_a_message_though_the_clock_was_set_back() -> None:
    world = World()
    ann = world.client("ann/1", persistent=True)
    ann.subscribe(key="<key queryType='XPATH'>//key</key>", qos=QUIETLY)
    pub = world.client("pub")
    publish(pub, "a", b"old")
    world.start(world.requests.erase(pub.session, b"<key oid='a'/>", FORCE.encode()))
    world.store.commit()
    world.clock.rightNow -= 3600
    world = world.crash(committed=False)
    publish(world.client("pub"), "a", b"new")
    assert b"new" in world.client("ann/1", persistent=True).contents


def test_stopped_broker_goes_on_with_the_erasure_when_it_starts_again() -> None:
    world = World(TIGHT)
    away(world, "a")
    pub = world.client("pub")
    publish(pub, "a", b"1", b"2", b"3")
    world.start(world.requests.erase(pub.session, b"<key oid='a'/>", FORCE.encode()))
    world.broker.stop()
    world.turn()
    world.broker.start()
    world.advance(3)
    assert not world.node.erased
    assert not len(world.node.sessions[next(iter(world.node.sessions))].queue)


class TestOfATopicWithSubscribersOnly:
    def test_is_answered_and_told_to_the_subscriber_and_ends_the_subscription(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("later")
        assert joe.erase("later") == ["later"]
        assert joe.contents == [b"heron/topic/later"]
        assert not joe.session.subscriptions
        joe.publish("later", b"first")
        assert joe.contents == [b"heron/topic/later"]

    def test_holds_over_a_crash(self) -> None:
        world = World()
        joe = world.client("joe/1", persistent=True)
        joe.subscribe("later", QUIETLY)
        joe.erase("later")
        world = world.crash()
        records: list[SubscriptionRecord] = list(world.store.tables.subscriptions.values())
        assert records == []
