"""Subscriptions with a query and the topics that they select: many at once, and no more than an account may have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.core.matches import AT_ONCE
from broker.core.quotas import QuotaLimits
from broker.errors import BrokerError, Code
from tests.core.turns import EachStepIsATurn
from tests.core.world import DEFAULTS, Client, World

SPORTS = "<key queryType='DOMAIN' domain='sports'/>"
MANY = 2 * AT_ONCE + 1


def make_topics(client: Client, count: int) -> None:
    for number in range(count):
        client.publish(f"t{number}", b"old", key=f"<key oid='t{number}' domain='sports'/>")


def publish(client: Client, oid: str, content: bytes) -> None:
    client.publish(oid, content, key=f"<key oid='{oid}' domain='sports'/>")


def matches(world: World, account: str = "joe") -> int:
    return world.node.quotas.of(account).matches


def world_of(most: int) -> World:
    return World(replace(DEFAULTS, quotas=QuotaLimits(matches=most)))


class TestMany:
    def test_a_subscription_gets_what_is_published_on_each_of_its_topics(self) -> None:
        world = World()
        joe, pub = world.client("joe"), world.client("pub")
        make_topics(pub, MANY)
        joe.subscribe(key=SPORTS, qos="<qos><initialUpdate>false</initialUpdate></qos>")
        for number in (0, AT_ONCE, MANY - 1):
            publish(pub, f"t{number}", b"%d" % number)
        assert joe.contents == [b"0", b"%d" % AT_ONCE, b"%d" % (MANY - 1)]

    def test_one_that_has_ended_gets_nothing_of_topics_that_still_have_it(self) -> None:
        turns = EachStepIsATurn()
        world = World(turns=turns)
        joe, pub = world.client("joe"), world.client("pub")
        make_topics(pub, MANY)
        joe.subscribe(key=SPORTS, qos="<qos><initialUpdate>false</initialUpdate></qos>")
        seen: list[int] = []

        def meanwhile() -> None:
            left = [oid for oid in world.node.topics if oid.startswith("t") and world.node.topics[oid].subscriptions]
            seen.append(len(left))
            publish(pub, left[0], b"new")
            pub.erase(left[-1])

        turns.meanwhile = meanwhile
        assert len(joe.unsubscribe(key=SPORTS)) == 1
        assert seen == [MANY - AT_ONCE]
        assert joe.contents == []

    def test_one_that_has_ended_is_off_all_its_topics_in_the_end(self) -> None:
        world = World()
        joe, pub = world.client("joe"), world.client("pub")
        make_topics(pub, MANY)
        joe.subscribe(key=SPORTS)
        joe.unsubscribe(key=SPORTS)
        assert matches(world) == 0
        assert not any(topic.subscriptions for topic in world.node.topics.values())

    def test_one_that_takes_the_place_of_another_is_the_only_one_that_receives(self) -> None:
        world = World()
        joe, pub = world.client("joe/1"), world.client("pub")
        make_topics(pub, MANY)
        qos = "<qos><id>__subId:client/joe/session/1-sports</id><initialUpdate>false</initialUpdate></qos>"
        for _ in range(2):
            joe.subscribe(key=SPORTS, qos=qos)
        publish(pub, f"t{MANY - 1}", b"new")
        assert joe.contents == [b"new"]
        assert matches(world) == MANY


class TestQuota:
    def test_a_subscription_that_selects_more_topics_than_are_left_is_refused_and_leaves_nothing(self) -> None:
        world = world_of(3)
        joe = world.client("joe")
        make_topics(joe, 2)
        joe.subscribe(key=SPORTS)
        with pytest.raises(BrokerError) as raised:
            joe.subscribe(key="<key queryType='XPATH'>//key</key>")
        assert raised.value.code == Code.RESOURCE_EXHAUST
        assert "limit of 3" in raised.value.message
        assert (matches(world), len(joe.session.subscriptions)) == (2, 1)

    def test_a_new_topic_above_it_is_left_out_and_its_first_message_a_dead_message(self) -> None:
        world = world_of(1)
        watcher, joe, pub = (world.client(name) for name in ("watcher", "joe", "pub"))
        watcher.subscribe("__sys__deadMessage")
        joe.subscribe(key=SPORTS)
        make_topics(pub, 2)
        publish(pub, "t1", b"second")
        assert joe.contents == [b"old"]
        assert watcher.contents == [b"old"]

    def test_a_topic_that_is_gone_counts_no_more(self) -> None:
        world = world_of(1)
        joe = world.client("joe")
        joe.subscribe(key=SPORTS)
        for oid in ("a", "b"):
            publish(joe, oid, oid.encode())
            joe.erase(oid)
        assert [each for each in joe.contents if len(each) == 1] == [b"a", b"b"]

    def test_each_account_has_its_own(self) -> None:
        world = world_of(1)
        joe, ann = world.client("joe"), world.client("ann")
        for client in (joe, ann):
            client.subscribe(key=SPORTS)
        publish(joe, "a", b"1")
        assert joe.contents == ann.contents == [b"1"]
