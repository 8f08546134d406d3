"""Quotas of an account: what it may use, whatever of it is used by which session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.core.quotas import QuotaLimits
from broker.errors import BrokerError, Code
from broker.model.qos import Overflow, QueueQos
from tests.core.world import DEFAULTS, Client, World

KEPT = "<qos><persistent/></qos>"


def world_of(**limits: int) -> World:
    return World(replace(DEFAULTS, quotas=QuotaLimits(**limits), destroy_delay=0))


def refused(request: Callable[[], Any]) -> Code | str:
    with pytest.raises(BrokerError) as raised:
        request()
    return raised.value.code


def used(world: World, name: str, account: str = "joe") -> int:
    return int(getattr(world.node.quotas.of(account), name))


class TestForcedSessions:
    def test_names_that_messages_invent_count_for_their_sender(self) -> None:
        world = world_of(forced=4)
        joe = world.client("joe")
        joe.send("nobody1/1", b"1", force=True)
        joe.send("nobody2/1", b"2", force=True)
        assert used(world, "forced") == 4  # a login name and a session, each time
        assert refused(lambda: joe.send("nobody3/1", b"3", force=True)) == Code.RESOURCE_EXHAUST
        assert "nobody3" not in world.node.subjects

    def test_sessions_of_one_sender_share_the_quota_and_others_have_their_own(self) -> None:
        world = world_of(forced=1)
        one, other, mary = world.client("joe"), world.client("joe"), world.client("mary")
        one.send("nobody1", b"1", force=True)
        assert refused(lambda: other.send("nobody2", b"2", force=True)) == Code.RESOURCE_EXHAUST
        mary.send("nobody2", b"2", force=True)

    def test_a_refused_session_of_a_new_name_leaves_neither_of_them(self) -> None:
        world = world_of(forced=1)
        joe = world.client("joe")
        assert refused(lambda: joe.send("nobody/1", b"1", force=True)) == Code.RESOURCE_EXHAUST
        assert "nobody" not in world.node.subjects
        assert used(world, "forced") == 0

    def test_a_session_counts_no_more_once_its_client_has_logged_in(self) -> None:
        world = world_of()
        joe = world.client("joe")
        joe.send("jack/1", b"hello", force=True)
        assert used(world, "queue_bytes") > 0
        jack = world.client("jack/1", answers=False)
        assert used(world, "forced") == 0
        assert used(world, "queue_bytes") == 0
        assert used(world, "queue_bytes", "jack") == jack.session.queue.bytes > 0

    def test_a_login_name_counts_no_more_once_its_client_has_logged_in(self) -> None:
        world = world_of()
        world.client("joe").send("jack", b"hello", force=True)
        assert used(world, "forced") == 1
        world.client("jack/1", answers=False)
        assert used(world, "forced") == 0

    def test_a_session_counts_no_more_when_it_has_ended(self) -> None:
        world = World(replace(DEFAULTS, quotas=QuotaLimits(), ptp_session_timeout=1000))
        world.client("joe").send("jack/1", b"hello", force=True, persistent=False)
        world.advance(2)
        assert used(world, "forced") == 0

    def test_what_waits_for_invented_names_counts_for_the_sender(self) -> None:
        world = world_of(queue_bytes=1)
        joe = world.client("joe")
        joe.send("nobody1", b"1", force=True)
        assert refused(lambda: joe.send("nobody2", b"2", force=True)) == Code.RESOURCE_OVERFLOW_BYTES

    def test_an_administrator_has_no_quota(self) -> None:
        world = world_of(forced=0, topics=0, subscriptions=0, queue_bytes=0, history_bytes=0)
        watcher = world.client("watcher")
        watcher.subscribe("news")
        watcher.publish("news", b"1", KEPT)
        watcher.send("nobody", b"2", force=True)
        assert watcher.contents == [b"1"]


class TestTopics:
    def test_topics_count_for_who_made_them(self) -> None:
        world = world_of(topics=1)
        joe, mary = world.client("joe"), world.client("mary")
        joe.publish("a", b"1")
        assert refused(lambda: joe.publish("b", b"1")) == Code.RESOURCE_EXHAUST
        assert "b" not in world.node.topics
        mary.publish("b", b"1")
        joe.publish("b", b"2")

    def test_a_topic_that_is_gone_counts_no_more(self) -> None:
        world = world_of(topics=1)
        joe = world.client("joe")
        joe.publish("a", b"1")
        joe.erase("a")
        joe.publish("b", b"1")
        assert used(world, "topics") == 1

    def test_a_refused_first_publish_counts_for_nobody(self) -> None:
        world = world_of()
        joe = world.client("joe")
        assert refused(lambda: joe.publish("a", b"1", "<qos><destination>nobody</destination></qos>"))
        assert used(world, "topics") == 0

    def test_topics_that_recovery_finds_over_the_quota_stay_and_count_for_who_made_them(self) -> None:
        world = world_of()
        world.client("joe").publish("a", b"1", KEPT)
        world.settings = replace(world.settings, quotas=QuotaLimits(topics=0))
        again = world.crash()
        joe = again.client("joe")
        assert used(again, "topics") == 1
        assert joe.get("a") == [b"1"]
        joe.publish("a", b"2", KEPT)
        assert refused(lambda: joe.publish("b", b"1")) == Code.RESOURCE_EXHAUST


class TestSubscriptions:
    def test_sessions_of_an_account_share_the_quota(self) -> None:
        world = world_of(subscriptions=2)
        one, other = world.client("joe"), world.client("joe")
        one.subscribe("a")
        other.subscribe("b")
        assert refused(lambda: one.subscribe("c")) == Code.RESOURCE_EXHAUST
        assert "c" not in world.node.topics
        other.unsubscribe("b")
        one.subscribe("c")

    def test_the_subscriptions_of_a_session_that_ends_count_no_more(self) -> None:
        world = world_of()
        one, other = world.client("joe"), world.client("joe")
        one.subscribe("a")
        one.disconnect()
        other.subscribe("b")
        assert used(world, "subscriptions") == 1

    def test_all_sessions_together_have_a_limit(self) -> None:
        world = World(replace(DEFAULTS, all_subscriptions=1))
        world.client("joe").subscribe("a")
        assert refused(lambda: world.client("mary").subscribe("a")) == Code.RESOURCE_EXHAUST

    def test_those_that_recovery_finds_over_the_quota_stay(self) -> None:
        world = world_of()
        client = world.client("joe/1", persistent=True)
        client.subscribe("a", KEPT)
        world.settings = replace(world.settings, quotas=QuotaLimits(subscriptions=0))
        again = world.crash()
        again.client("mary").publish("a", b"1")
        assert again.client("joe/1", persistent=True).contents == [b"1"]
        assert used(again, "subscriptions") == 1


class TestQueues:
    def test_all_queues_of_an_account_together_are_full(self) -> None:
        world = world_of(queue_bytes=500)
        mary = world.client("mary")
        world.connect("joe/1", persistent=True)
        world.connect("joe/2", persistent=True)
        mary.send("joe/1", b"x" * 400)
        assert refused(lambda: mary.send("joe/2", b"x")) == Code.RESOURCE_OVERFLOW_BYTES

    def test_they_take_more_when_one_has_been_emptied(self) -> None:
        world = world_of(queue_bytes=500)
        mary = world.client("mary")
        world.connect("joe/2", persistent=True)
        world.connect("joe/1", persistent=True)
        mary.send("joe/1", b"x" * 400)
        world.client("joe/1", persistent=True)
        assert used(world, "queue_bytes") == 0
        mary.send("joe/2", b"x")

    def test_what_subscriptions_select_for_a_full_account_becomes_a_dead_message(self) -> None:
        world = world_of(queue_bytes=300)
        joe, mary = world.client("joe", answers=False), world.client("mary")
        joe.subscribe("a")
        for number in range(3):
            mary.publish("a", b"%d" % number * 100)
        assert len(joe.session.queue) == 1
        assert world.broker.letters.count == 2

    def test_a_queue_that_discards_its_oldest_stays_within_the_quota(self) -> None:
        world = world_of(queue_bytes=700)
        queue = QueueQos("callback", on_overflow=Overflow.DISCARD_OLDEST)
        joe, mary = world.client("joe", answers=False, queue=queue), world.client("mary")
        joe.subscribe("a")
        for number in range(20):
            mary.publish("a", b"%02d" % number)
        assert used(world, "queue_bytes") <= 700 + 202

    def test_an_initial_update_stays_within_the_quota(self) -> None:
        world = world_of(queue_bytes=402)
        pub = world.client("pub")
        for number in range(10):
            pub.publish("a", b"%d" % number)
        joe = world.client("joe", address={"dispatcher_active": False})
        joe.subscribe("a", "<qos><initialUpdate>true</initialUpdate><history numEntries='-1'/></qos>")
        assert len(joe.session.queue) == 2

    def test_what_recovery_finds_over_the_quota_is_delivered(self) -> None:
        world = world_of()
        world.connect("joe/1", persistent=True)
        mary = world.client("mary")
        for number in range(3):
            mary.send("joe/1", b"%d" % number)
        world.settings = replace(world.settings, quotas=QuotaLimits(queue_bytes=1))
        again = world.crash()
        assert used(again, "queue_bytes") == 603
        mary = again.client("mary")
        assert refused(lambda: mary.send("joe/1", b"3")) == Code.RESOURCE_OVERFLOW_BYTES
        assert again.client("joe/1", persistent=True).contents == [b"0", b"1", b"2"]
        assert used(again, "queue_bytes") == 0


class TestHistories:
    def test_the_histories_of_an_account_have_a_limit_together(self) -> None:
        world = world_of(history_bytes=500)
        joe, mary = world.client("joe"), world.client("mary")
        joe.publish("a", b"x" * 400)
        assert refused(lambda: joe.publish("b", b"1")) == Code.RESOURCE_OVERFLOW_BYTES
        assert "b" not in world.node.topics
        joe.publish("b", b"1", "<qos><expiration lifeTime='0'/></qos>")  # which no history keeps
        mary.publish("c", b"1")

    def test_a_full_history_makes_room_in_itself(self) -> None:
        world = world_of(history_bytes=700)
        joe = world.client("joe")
        for number in range(9):
            joe.publish("a", b"%d" % number * 100)
        assert joe.get("a", "<qos><history numEntries='-1'/></qos>") == [b"8" * 100, b"7" * 100]
        assert used(world, "history_bytes") == 600

    def test_what_is_erased_counts_no_more(self) -> None:
        world = world_of(history_bytes=500)
        joe = world.client("joe")
        joe.publish("a", b"x" * 400)
        joe.erase("a")
        assert used(world, "history_bytes") == 0


class TestAnswers:
    @pytest.fixture
    def client(self) -> Client:
        client = World(replace(DEFAULTS, max_answer_bytes=1000)).client("joe")
        for oid in ("a", "b", "c"):
            client.publish(oid, oid.encode() * 400)
        return client

    def test_an_answer_with_too_much_content_is_refused(self, client: Client) -> None:
        assert refused(lambda: client.get(key="<key queryType='XPATH'>//key</key>")) == Code.RESOURCE_EXHAUST

    def test_the_same_without_contents_is_answered(self, client: Client) -> None:
        everything = "<key queryType='XPATH'>//key</key>"
        assert client.get(qos="<qos><content>false</content></qos>", key=everything) == [b"", b"", b""]

    def test_less_is_answered(self, client: Client) -> None:
        assert client.get("a") == [b"a" * 400]


def test_an_account_that_uses_nothing_any_more_is_not_listed() -> None:
    world = world_of()
    joe = world.client("joe")
    joe.subscribe("a")
    joe.publish("a", b"1")
    joe.erase("a")
    joe.disconnect()
    world.advance(120)
    assert [usage.account for usage in world.node.quotas.all()] == []
