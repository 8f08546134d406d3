"""Subscriptions that want only the newest message of each topic (``__newestOnly``, spec xmlblaster §5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from tests.core.world import DEFAULTS, Client, World

NEWEST = "<clientProperty name='__newestOnly' type='boolean'>true</clientProperty>"
SUBSCRIBED = f"<qos><persistent/>{NEWEST}</qos>"
PERSISTENT = "<qos><persistent/></qos>"
RULE = "<key queryType='XPATH'>//key</key>"
TIGHT = replace(DEFAULTS, callback=QueueLimits(entries=100, cache_entries=1))


def away(world: World, key: str = "<key oid='a'/>") -> Client:
    client = world.client("ann/1", persistent=True)
    client.subscribe(key=key, qos=SUBSCRIBED)
    client.lose_connection()
    return client


@pytest.mark.parametrize("settings", [DEFAULTS, TIGHT])
@pytest.mark.parametrize("crashes", [0, 1, 2])
def test_only_the_newest_message_is_delivered_after_a_crash(settings: Settings, crashes: int) -> None:
    world = World(settings)
    away(world)
    for round in range(3):
        pub = world.client("pub")
        for number in range(3):
            pub.publish("a", b"%d.%d" % (round, number), PERSISTENT)
        if round < crashes:
            world = world.crash()
    assert world.crash().client("ann/1", persistent=True).contents == [b"2.2"]


def test_only_the_newest_message_counts_for_the_queue() -> None:
    world = World()
    ann = away(world)
    pub = world.client("pub")
    for number in range(5):
        pub.publish("a", b"%d" % number)
    assert len(ann.session.queue) == 1


def test_message_on_its_way_when_a_newer_one_came_is_not_delivered_again_after_a_crash() -> None:
    world = World()
    ann = world.client("ann/1", persistent=True, answers=False)
    ann.subscribe("a", SUBSCRIBED)
    pub = world.client("pub")
    for content in (b"on its way", b"newest"):
        pub.publish("a", content, PERSISTENT)
    assert ann.contents == [b"on its way"]
    assert world.crash().client("ann/1", persistent=True).contents == [b"newest"]


@pytest.mark.parametrize("crash", [False, True])
def test_each_topic_of_a_query_has_its_own_newest_message(crash: bool) -> None:
    world = World()
    away(world, RULE)
    pub = world.client("pub")
    for oid, content in (("a", b"a1"), ("b", b"b1"), ("a", b"a2"), ("c", b"c1"), ("b", b"b2")):
        pub.publish(oid, content, PERSISTENT)
    if crash:
        world = world.crash()
    assert world.client("ann/1", persistent=True).contents == [b"a2", b"c1", b"b2"]


def test_newest_message_counts_whatever_its_priority() -> None:
    world = World()
    away(world)
    pub = world.client("pub")
    pub.publish("a", b"urgent", "<qos><persistent/><priority>9</priority></qos>")
    pub.publish("a", b"newest", "<qos><persistent/><priority>1</priority></qos>")
    assert world.crash().client("ann/1", persistent=True).contents == [b"newest"]


def test_initial_update_is_the_newest_message_whatever_number_is_asked_for() -> None:
    world = World()
    pub = world.client("pub")
    for content in (b"1", b"2", b"3"):
        pub.publish("a", content)
    joe = world.client("joe")
    joe.subscribe("a", f"<qos><history numEntries='-1'/>{NEWEST}</qos>")
    assert joe.contents == [b"3"]


def test_initial_update_that_waits_is_superseded_by_a_newer_message() -> None:
    world = World()
    pub = world.client("pub")
    pub.publish("a", b"old")
    joe = world.client("joe", address={"dispatcher_active": False})
    joe.subscribe("a", f"<qos>{NEWEST}</qos>")
    pub.publish("a", b"new")
    joe.session.dispatch.active = True
    world.turn()
    assert joe.contents == [b"new"]


def test_message_behind_one_that_was_swept_away_is_not_marked_as_repeated() -> None:
    # given a message that expires behind a crash, while the client took deliveries before it
    world = World()
    client = world.client("ann/1", persistent=True, answers=False)
    client.subscribe("a", PERSISTENT)
    expiring = "<qos><persistent/><expiration lifeTime='500' forceDestroy='true'/></qos>"
    world.client("pub").publish("a", b"expiring", expiring)
    world.client("pub").publish("a", b"kept", PERSISTENT)
    world.advance(1)
    world = world.crash()
    world.advance(61)
    # when another one comes, and then the client
    world.client("pub").publish("a", b"new", PERSISTENT)
    back = world.client("ann/1", persistent=True)
    # then
    assert [(entry.message.content, entry.redeliver) for entry in back.outbound.entries] == [(b"kept", 1), (b"new", 0)]
