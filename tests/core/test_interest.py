"""What asking the XPath subscriptions of one session about a new topic may cost everybody else."""

from __future__ import annotations

import time
from itertools import count

import pytest
from twisted.logger import capturedLogs, formatEvent

from broker.core.interest import RULE_SECONDS
from broker.errors import BrokerError, Code
from tests.core.world import Client, World

COSTLY = "count(//*[" + " or ".join(f"contains(., 'x{number}')" for number in range(5)) + "]) > 0"


def xpath(text: str) -> str:
    return f"<key queryType='XPATH'>{text}</key>"


def subscribe(client: Client, oid: str, times: int) -> None:
    """Subscribe with so many queries that differ and select the same topic."""
    for number in range(times):
        client.subscribe(key=xpath(f"//key[@oid='{oid}' and {number} = {number}]"))


def slow_world() -> World:
    """A world where the answer of a query takes most of the time that its session has."""
    world = World()
    clock = iter(count())
    world.node.interest.processor_time = lambda: next(clock) * RULE_SECONDS * 0.6
    return world


class TestTime:
    def test_those_that_are_left_when_it_is_over_do_not_get_the_topic(self) -> None:
        world = slow_world()
        joe = world.client("joe")
        subscribe(joe, "a", 4)
        world.client("pub").publish("a", b"1")
        assert joe.contents == [b"1", b"1"]

    def test_others_get_it_also_by_the_same_query(self) -> None:
        world = slow_world()
        joe, ann = world.client("joe"), world.client("ann")
        subscribe(joe, "a", 4)
        ann.subscribe(key=xpath("//key[@oid='a' and 3 = 3]"))
        ann.subscribe(key="<key queryType='DOMAIN' domain='d'/>")
        world.client("pub").publish("a", b"1", key="<key oid='a' domain='d'/>")
        assert ann.contents == [b"1", b"1"]

    def test_sessions_of_one_login_name_share_it(self) -> None:
        world = slow_world()
        one, two = world.client("joe/1"), world.client("joe/2")
        subscribe(one, "a", 2)
        two.subscribe(key=xpath("//key[@oid='a' and 3 = 3]"))
        world.client("pub").publish("a", b"1")
        assert (one.contents, two.contents) == ([b"1", b"1"], [])

    def test_it_begins_anew_with_each_topic(self) -> None:
        world = slow_world()
        joe, pub = world.client("joe"), world.client("pub")
        subscribe(joe, "a", 1)
        subscribe(joe, "b", 1)
        pub.publish("a", b"1")
        pub.publish("b", b"2")
        assert joe.contents == [b"1", b"2"]

    def test_the_first_message_is_one_dead_message_for_the_session(self) -> None:
        world = slow_world()
        watcher, joe, pub = (world.client(name) for name in ("watcher", "joe", "pub"))
        watcher.subscribe("__sys__deadMessage")
        subscribe(joe, "a", 4)
        with capturedLogs() as events:
            pub.publish("a", b"1")
            pub.publish("a", b"2")
        assert watcher.contents == [b"1"]
        reason = "the queries of client/joe/-2 take too long, or select too many topics; 2 do not get this topic"
        assert [text for text in map(formatEvent, events) if "dead message" in text and text.endswith(reason)]


@pytest.mark.slow
class TestLimit:
    def test_more_than_could_be_asked_in_time_are_refused_and_nothing_is_left_behind(self) -> None:
        joe = World().client("joe")
        with pytest.raises(BrokerError) as raised:
            subscribe(joe, "a", 20_000)
        assert raised.value.code == Code.RESOURCE_EXHAUST
        assert "XPath subscriptions" in raised.value.message
        made = len(joe.session.subscriptions)
        assert made > 500
        joe.publish("a", b"1")
        assert len(joe.contents) == made

    def test_costly_queries_count_for_more(self) -> None:
        joe = World().client("joe")
        with pytest.raises(BrokerError, match="XPath subscriptions"):
            for number in range(1000):
                joe.subscribe(key=xpath(f"{COSTLY} and {number} = {number}"))
        assert 10 < len(joe.session.subscriptions) < 1000

    def test_as_many_as_are_ended_can_be_made_again(self) -> None:
        joe = World().client("joe")
        with pytest.raises(BrokerError):
            subscribe(joe, "a", 20_000)
        joe.unsubscribe(key=xpath("//key[@oid='a' and 7 = 7]"))
        joe.subscribe(key=xpath("//key[@oid='b' and 7 = 7]"))
        with pytest.raises(BrokerError):
            joe.subscribe(key=xpath("//key[@oid='b' and 8 = 8]"))

    def test_all_sessions_of_a_login_name_share_it(self) -> None:
        world = World()
        one, two, ann = world.client("joe/1"), world.client("joe/2"), world.client("ann")
        with pytest.raises(BrokerError):
            subscribe(one, "a", 20_000)
        with pytest.raises(BrokerError, match="XPath subscriptions of joe"):
            subscribe(two, "b", 1)
        subscribe(ann, "b", 1)

    def test_the_same_query_in_several_sessions_counts_once_until_the_last_of_them_ends(self) -> None:
        world = World()
        one, two = world.client("joe/1"), world.client("joe/2")
        with pytest.raises(BrokerError):
            subscribe(one, "a", 20_000)
        subscribe(two, "a", 100)
        one.unsubscribe(key=xpath("//key[@oid='a' and 7 = 7]"))
        with pytest.raises(BrokerError):
            subscribe(one, "b", 1)
        two.unsubscribe(key=xpath("//key[@oid='a' and 7 = 7]"))
        subscribe(one, "b", 1)

    def test_as_many_as_there_may_be_are_asked_in_time(self) -> None:
        world = World()
        joe, pub = world.client("joe"), world.client("pub")
        with pytest.raises(BrokerError):
            subscribe(joe, "other", 20_000)
        before = time.thread_time()
        pub.publish("a", b"1")
        assert time.thread_time() - before < 2 * RULE_SECONDS
