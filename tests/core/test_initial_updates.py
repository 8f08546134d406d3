"""Initial updates: what a new subscription gets of its topics' past (spec xmlblaster §8.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.core.entries import Entry, QueueLimits
from broker.core.settings import Settings
from broker.errors import BrokerError
from broker.model.qos import QueueQos
from broker.model.records import INITIAL
from tests.core.world import DEFAULTS, Client, CuttingStore, World

ALL = "<qos><history numEntries='-1'/></qos>"
OLDEST_FIRST = "<qos><history numEntries='-1' newestFirst='false'/></qos>"
PERSISTENT = "<qos><persistent/></qos>"
RULE = "<key queryType='XPATH'>//key</key>"
FILTERED = "<qos><filter type='XPathFilter'>//a</filter><history numEntries='-1'/></qos>"


def shown(entries: list[Entry]) -> list[tuple[bytes, bool]]:
    return [(entry.message.content, bool(entry.flags & INITIAL)) for entry in entries]


def restarted(*contents: bytes, settings: Settings = DEFAULTS) -> World:
    """A broker that has these messages of the topic ``a`` on disk."""
    world = World(settings)
    pub = world.client("pub")
    for content in contents:
        pub.publish("a", content, PERSISTENT)
    return world.crash()


def begin(client: Client, qos: str = "<qos/>", key: str = "<key oid='a'/>") -> Any:
    """Subscribe, and return while the history is being read."""
    outcome = client.world.start(client.world.requests.subscribe(client.session, key.encode(), qos.encode()))
    return outcome


class TestWhileOthersPublish:
    @pytest.mark.parametrize("key", ["<key oid='a'/>", RULE])
    @pytest.mark.parametrize(("qos", "past"), [(ALL, [b"2", b"1"]), (OLDEST_FIRST, [b"1", b"2"]), ("<qos/>", [b"2"])])
    def test_each_message_comes_once_the_past_first(self, key: str, qos: str, past: list[bytes]) -> None:
        world = restarted(b"1", b"2")
        joe, pub = world.client("joe"), world.client("pub")
        outcome = begin(joe, qos, key)
        assert not outcome.called
        for content in (b"3", b"4"):
            world.requests.publish(pub.session, b"<key oid='a'/>", PERSISTENT.encode(), content)
        world.turn()
        pub.publish("a", b"5")
        expected = [(content, True) for content in past] + [(each, False) for each in (b"3", b"4", b"5")]
        assert shown(joe.outbound.entries) == expected

    def test_each_message_comes_once_where_the_past_is_on_disk_only(self) -> None:
        # given a history of which all but one message is on disk
        settings = replace(DEFAULTS, history=QueueLimits(entries=10, cache_entries=1))
        world = World(settings)
        pub = world.client("pub")
        for number in range(4):
            pub.publish("a", b"%d" % number)
        joe = world.client("joe")
        # when somebody publishes while it is being read
        outcome = begin(joe, ALL)
        assert not outcome.called
        for content in (b"4", b"5"):
            world.requests.publish(pub.session, b"<key oid='a'/>", b"<qos/>", content)
        world.turn()
        # then
        past = [(content, True) for content in (b"3", b"2", b"1", b"0")]
        assert shown(joe.outbound.entries) == [*past, (b"4", False), (b"5", False)]

    def test_topic_that_comes_meanwhile_is_not_missed(self) -> None:
        world = restarted(b"1")
        joe, pub = world.client("joe"), world.client("pub")
        begin(joe, ALL, RULE)
        world.requests.publish(pub.session, b"<key oid='b'/>", b"<qos/>", b"new")
        world.turn()
        assert shown(joe.outbound.entries) == [(b"1", True), (b"new", False)]

    def test_repeated_subscribe_brings_the_past_again_without_what_came_meanwhile(self) -> None:
        world = World(replace(DEFAULTS, history=QueueLimits(entries=10, cache_entries=1)))
        joe, pub = world.client("joe"), world.client("pub")
        joe.subscribe("a")
        for content in (b"1", b"2"):
            pub.publish("a", content)
        begin(joe, "<qos><multiSubscribe>false</multiSubscribe><history numEntries='-1'/></qos>")
        world.requests.publish(pub.session, b"<key oid='a'/>", b"<qos/>", b"3")
        world.turn()
        live = [(content, False) for content in (b"1", b"2", b"3")]
        assert shown(joe.outbound.entries) == [*live, (b"2", True), (b"1", True)]

    @pytest.mark.parametrize("end", ["unsubscribe", "erase", "disconnect"])
    def test_subscription_that_ends_meanwhile_brings_nothing_and_leaves_nothing(self, end: str) -> None:
        world = restarted(b"1")
        joe, pub = world.client("joe/1", persistent=True), world.client("pub")
        outcome = begin(joe, "<qos><persistent/><notify>false</notify></qos>")
        world.requests.publish(pub.session, b"<key oid='a'/>", PERSISTENT.encode(), b"2")
        if end == "unsubscribe":
            joe.unsubscribe("a")
        elif end == "erase":
            pub.erase("a")
        else:
            joe.disconnect()
        world.turn()
        assert outcome.called
        assert joe.contents == []
        assert not world.node.subscriptions
        world.store.commit()
        assert not world.store.tables.subscriptions

    def test_store_that_commits_amid_the_reading_changes_nothing(self) -> None:
        world = restarted(b"1", b"2")
        store = CuttingStore(world.clock)
        store.tables = world.crashed().tables
        world = World(clock=world.clock, store=store)
        joe, pub = world.client("joe"), world.client("pub")
        begin(joe, ALL)
        world.requests.publish(pub.session, b"<key oid='a'/>", PERSISTENT.encode(), b"3")
        world.turn()
        assert shown(joe.outbound.entries) == [(b"2", True), (b"1", True), (b"3", False)]


class TestRefused:
    @pytest.mark.parametrize("key", ["<key oid='a'/>", RULE])
    def test_subscription_whose_filter_fails_on_the_past_leaves_nothing(self, key: str) -> None:
        world = World()
        joe, pub = world.client("joe/1", persistent=True), world.client("pub")
        pub.publish("a", b"<a/>", key="<key oid='a' contentMime='text/xml'/>")
        pub.publish("a", b"no xml", key="<key oid='a' contentMime='text/xml'/>")
        with pytest.raises(BrokerError):
            joe.subscribe(key=key, qos=FILTERED.replace("<qos>", "<qos><persistent/>"))
        assert not world.node.subscriptions
        assert not joe.session.subscriptions
        pub.publish("a", b"<a/>", key="<key oid='a' contentMime='text/xml'/>")
        assert joe.contents == []
        assert not world.crash().node.subscriptions

    def test_subscription_that_would_replace_another_leaves_that_one(self) -> None:
        world = World()
        joe, pub = world.client("joe/1", persistent=True), world.client("pub")
        id = "<subscribe id='__subId:joe-1'/><persistent/>"
        joe.subscribe("a", f"<qos>{id}</qos>")
        pub.publish("a", b"no xml", key="<key oid='a' contentMime='text/xml'/>")
        with pytest.raises(BrokerError):
            joe.subscribe("a", FILTERED.replace("<qos>", f"<qos>{id}"))
        assert list(joe.session.subscriptions) == ["__subId:joe-1"]
        pub.publish("a", b"2")
        assert joe.contents == [b"no xml", b"2"]
        assert list(world.crash().node.subscriptions) == ["__subId:joe-1"]

    def test_repeated_subscribe_whose_filter_fails_leaves_the_filters_as_they_were(self) -> None:
        world = World()
        joe, pub = world.client("joe"), world.client("pub")
        joe.subscribe("a")
        pub.publish("a", b"no xml", key="<key oid='a' contentMime='text/xml'/>")
        with pytest.raises(BrokerError):
            joe.subscribe("a", FILTERED.replace("<qos>", "<qos><multiSubscribe>false</multiSubscribe>"))
        pub.publish("a", b"still no xml", key="<key oid='a' contentMime='text/xml'/>")
        assert joe.contents == [b"no xml", b"still no xml"]


class TestReplaced:
    @pytest.mark.parametrize("key", ["<key oid='a'/>", RULE])
    def test_subscription_of_the_same_id_takes_the_place_of_the_one_before(self, key: str) -> None:
        world = World()
        joe, pub = world.client("joe/1", persistent=True), world.client("pub")
        qos = "<qos><subscribe id='__subId:joe-1'/><persistent/></qos>"
        joe.subscribe("b", qos)
        assert joe.subscribe(key=key, qos=qos).id == "__subId:joe-1"
        pub.publish("b", b"b", "<qos><topic createDomEntry='false'/></qos>")
        pub.publish("a", b"a")
        assert joe.contents == [b"a"]
        assert [entry.subscription_id for entry in joe.outbound.entries] == ["__subId:joe-1"]
        after = world.crash()
        assert list(after.node.subscriptions) == ["__subId:joe-1"]
        assert joe.unsubscribe("__subId:joe-1") == ["__subId:joe-1"]
        assert not world.node.interest.matching(world.node.topics["a"]).subscriptions

    def test_filters_of_a_repeated_subscribe_hold_over_a_crash(self) -> None:
        world = World()
        joe = world.client("joe/1", persistent=True)
        joe.subscribe("a", PERSISTENT)
        once = "<multiSubscribe>false</multiSubscribe>"
        joe.subscribe("a", f"<qos>{once}<filter type='GnuRegexFilter'>yes</filter></qos>")
        joe.lose_connection()
        world = world.crash()
        for content in (b"yes", b"no"):
            world.client("pub").publish("a", content)
        assert world.client("joe/1", persistent=True).contents == [b"yes"]

    def test_repeated_subscribe_may_make_the_subscription_persistent(self) -> None:
        world = World()
        joe = world.client("joe/1", persistent=True)
        id = joe.subscribe("a").id
        joe.subscribe("a", "<qos><persistent/><multiSubscribe>false</multiSubscribe></qos>")
        assert list(world.crash().node.subscriptions) == [id]


class TestWithoutDuplicateUpdates:
    def test_repeated_subscribe_has_the_same_id(self) -> None:
        world = World()
        joe = world.client("joe", duplicate_updates=False)
        ids = {joe.subscribe("a").id for _ in range(3)}
        assert len(ids) == 1
        joe.publish("a", b"1")
        assert joe.contents == [b"1"]
        joe.unsubscribe(ids.pop())
        joe.publish("a", b"2")
        assert joe.contents == [b"1"]

    def test_other_filters_are_another_subscription(self) -> None:
        world = World()
        joe = world.client("joe", duplicate_updates=False)
        for wanted in ("yes", "also"):
            joe.subscribe("a", f"<qos><filter type='GnuRegexFilter'>{wanted}</filter></qos>")
        for content in (b"yes", b"also", b"no"):
            joe.publish("a", content)
        assert joe.contents == [b"yes", b"also"]


class TestLimit:
    @pytest.mark.parametrize(
        ("queue", "expected"),
        [
            (QueueQos("callback", max_entries=3), [b"9", b"8", b"7"]),
            (QueueQos("callback", max_bytes=402), [b"9", b"8"]),
            (QueueQos("callback", max_entries=100), [b"%d" % number for number in range(9, -1, -1)]),
        ],
    )
    def test_of_the_queue_holds_and_the_newest_come(self, queue: QueueQos, expected: list[bytes]) -> None:
        world = World()
        pub = world.client("pub")
        for number in range(10):
            pub.publish("a", b"%d" % number)
        joe = world.client("joe", queue=queue, address={"dispatcher_active": False})
        joe.subscribe("a", ALL)
        assert len(joe.session.queue) == len(expected)
        joe.session.dispatch.active = True
        world.turn()
        assert joe.contents == expected
        assert len(joe.get("a", ALL)) == 10
