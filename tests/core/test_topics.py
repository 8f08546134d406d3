"""Topics and their messages (spec xmlblaster §8, §4.4)."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs, formatEvent

from broker.core.settings import Settings
from broker.core.topics import TopicState
from broker.errors import BrokerError, Code
from broker.model.qos import STATE_ERASED
from broker.xml.document import MAX_TOPIC_ELEMENTS
from tests.core.world import World

ALL = "<qos><history numEntries='-1'/></qos>"
PERSISTENT = "<qos><persistent/></qos>"
TOO_MUCH = "<a/>" * MAX_TOPIC_ELEMENTS


class TestLife:
    def test_subscription_alone_leaves_it_unconfigured(self) -> None:
        world = World()
        world.client("joe").subscribe("a")
        assert world.node.topics["a"].state is TopicState.UNCONFIGURED

    def test_first_message_brings_it_to_life(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1")
        assert world.node.topics["a"].state is TopicState.ALIVE

    def test_last_subscription_of_an_unconfigured_one_ends_it(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        joe.unsubscribe("a")
        assert "a" not in world.node.topics

    def test_empty_one_goes_after_its_delay(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1", "<qos><expiration lifeTime='1000'/><topic destroyDelay='5000'/></qos>")
        world.advance(1.1)
        assert world.node.topics["a"].state is TopicState.UNREFERENCED
        world.advance(5.1)
        assert "a" not in world.node.topics

    def test_message_in_time_keeps_it(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"1", "<qos><expiration lifeTime='1000'/><topic destroyDelay='5000'/></qos>")
        world.advance(2)
        joe.publish("a", b"2")
        world.advance(60)
        assert joe.get("a") == [b"2"]

    def test_delay_of_minus_one_is_for_ever(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1", "<qos><expiration lifeTime='0'/><topic destroyDelay='-1'/></qos>")
        world.advance(10**7)
        assert "a" in world.node.topics

    def test_xpath_subscription_keeps_no_topic(self) -> None:
        world = World(Settings(destroy_delay=0))
        joe = world.client("joe")
        joe.subscribe(key="<key queryType='XPATH'>//key</key>")
        joe.publish("a", b"1", "<qos><expiration lifeTime='0'/></qos>")
        assert "a" not in world.node.topics

    def test_publisher_that_names_no_topic_gets_one_made_up(self) -> None:
        world = World()
        published = world.client("joe").publish("", b"1", key="<key/>")
        assert published.oid.startswith("heron-")
        assert published.oid in world.node.topics


class TestHistory:
    def test_newest_come_first(self) -> None:
        world = World()
        joe = world.client("joe")
        for content in (b"1", b"2", b"3"):
            joe.publish("a", content)
        assert joe.get("a") == [b"3"]
        assert joe.get("a", "<qos><history numEntries='2'/></qos>") == [b"3", b"2"]
        assert joe.get("a", "<qos><history numEntries='-1' newestFirst='false'/></qos>") == [b"1", b"2", b"3"]

    def test_depth_is_that_of_the_topic(self) -> None:
        world = World()
        joe = world.client("joe")
        section = "<topic><queue relating='history' maxEntries='2'/></topic>"
        for content in (b"1", b"2", b"3"):
            joe.publish("a", content, f"<qos>{section}</qos>")
        assert joe.get("a", ALL) == [b"3", b"2"]

    def test_older_messages_are_on_disk_and_can_be_read(self) -> None:
        world = World()
        joe = world.client("joe")
        section = "<topic><queue relating='history' maxEntries='50' maxEntriesCache='5'/></topic>"
        for number in range(60):
            joe.publish("a", str(number).encode(), f"<qos>{section}</qos>")
        assert world.node.topics["a"].history.in_memory == 5
        assert joe.get("a", ALL) == [str(number).encode() for number in range(59, 9, -1)]

    def test_new_subscriber_gets_the_newest_first(self) -> None:
        world = World()
        joe = world.client("joe", answers=True)
        for content in (b"1", b"2"):
            joe.publish("a", content)
        joe.subscribe("a", "<qos><history numEntries='5'/></qos>")
        assert joe.contents == [b"2", b"1"]

    def test_initial_update_may_be_declined(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"1")
        joe.subscribe("a", "<qos><initialUpdate>false</initialUpdate></qos>")
        assert joe.contents == []

    def test_volatile_message_is_delivered_and_not_kept(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        joe.publish("a", b"now", "<qos><expiration lifeTime='0'/></qos>")
        assert joe.contents == [b"now"]
        assert joe.get("a") == []

    def test_expired_message_is_not_seen_any_more(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        joe.publish("a", b"1", "<qos><expiration lifeTime='1000'/></qos>")
        world.advance(1.1)
        assert joe.get("a") == []

    def test_life_time_is_capped_by_the_configuration(self) -> None:
        world = World(Settings(max_life_time=1000))
        joe = world.client("joe")
        joe.publish("a", b"1")
        world.advance(1.1)
        assert joe.get("a") == []

    def test_unchanged_content_is_not_delivered_where_the_publisher_says_so(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        for content in (b"1", b"1", b"2"):
            joe.publish("a", content, "<qos><forceUpdate>false</forceUpdate></qos>")
        assert joe.contents == [b"1", b"2"]
        assert joe.get("a", ALL) == [b"2", b"1", b"1"]


class TestConfiguration:
    def test_readonly_topic_takes_one_message(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"1", "<qos><topic readonly='true'/></qos>")
        with pytest.raises(BrokerError) as raised:
            joe.publish("a", b"2")
        assert raised.value.code == Code.USER_PUBLISH_READONLY
        assert joe.get("a", ALL) == [b"1"]

    def test_administrative_message_configures_and_is_not_delivered(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        published = joe.publish("a", b"", "<qos><administrative/><topic destroyDelay='7'/></qos>")
        assert published.info == "Administrative configuration request handled"
        assert joe.contents == []
        assert world.node.topics["a"].config.destroy_delay == 7

    @pytest.mark.parametrize("subscribed", [False, True])
    def test_message_that_is_refused_configures_nothing(self, subscribed: bool) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe(key="<key queryType='XPATH'>//red</key>")
        if subscribed:
            joe.subscribe("a")
        lost = "<destination>nobody</destination><topic readonly='true'/>"
        with pytest.raises(BrokerError) as raised:
            joe.publish("a", b"1", f"<qos>{lost}</qos>", key="<key oid='a'><red/></key>")
        assert raised.value.code == Code.USER_PTP_UNKNOWN_DESTINATION
        assert list(world.node.topics) == (["a"] if subscribed else [])
        joe.publish("a", b"2", key="<key oid='a'><blue/></key>")
        joe.publish("a", b"3")
        assert joe.contents == ([b"2", b"3"] if subscribed else [])
        assert joe.get(key="<key queryType='XPATH'>//blue</key>") == [b"3"]

    def test_first_key_stays(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"1", key="<key oid='a'><colour>red</colour></key>")
        joe.publish("a", b"2", key="<key oid='a'><colour>blue</colour></key>")
        assert joe.get(key="<key queryType='XPATH'>//key[colour='red']</key>") == [b"2"]
        assert joe.get(key="<key queryType='XPATH'>//key[colour='blue']</key>") == []

    @pytest.mark.parametrize("subscribed", [False, True])
    @pytest.mark.parametrize("kind", ["", "<administrative/>"])
    def test_a_key_that_cannot_be_searched_is_refused_and_configures_nothing(self, kind: str, subscribed: bool) -> None:
        world = World()
        joe = world.client("joe")
        if subscribed:
            joe.subscribe("a")
        with pytest.raises(BrokerError, match="too much to be searched"):
            joe.publish("a", b"1", f"<qos>{kind}<topic/></qos>", key=f"<key oid='a'>{TOO_MUCH}</key>")
        assert list(world.node.topics) == (["a"] if subscribed else [])
        assert not world.crash().node.topics.get("a")
        joe.publish("a", b"2", key="<key oid='a'><blue/></key>")
        assert joe.get(key="<key queryType='XPATH'>//blue</key>") == [b"2"]

    def test_a_stored_topic_whose_key_cannot_be_searched_is_left_out_of_queries(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More was allowed when it was stored."""
        world = World()
        joe = world.client("joe")
        with monkeypatch.context() as before:
            before.setattr("broker.xml.document.MAX_TOPIC_ELEMENTS", 10_000)
            joe.publish("a", b"1", "<qos><persistent/></qos>", key=f"<key oid='a'>{TOO_MUCH}</key>")
            joe.publish("b", b"2", "<qos><persistent/></qos>", key="<key oid='b'><a/></key>")
        joe = world.crash().client("joe")
        with capturedLogs() as events:
            for _ in range(2):
                assert joe.get(key="<key queryType='XPATH'>//a</key>") == [b"2"]
        assert joe.get("a") == [b"1"]
        assert len([event for event in events if "is not found by XPath" in formatEvent(event)]) == 1

    def test_xpath_that_would_take_too_long_on_all_topics_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # each topic for itself is no obstacle, but their number is
        joe = World().client("joe/1")
        for number in range(3):
            joe.publish("", key=f"<key oid='{number}'><colour>red</colour></key>")
        assert len(joe.get(key="<key queryType='XPATH'>//colour</key>")) == 3
        monkeypatch.setattr("broker.core.topic_search.MAX_STEPS", 20)
        for ask in (joe.get, joe.erase, joe.subscribe):
            with pytest.raises(BrokerError) as caught:
                ask(key="<key queryType='XPATH'>//colour</key>")
            assert caught.value.code is Code.RESOURCE_EXHAUST
        assert not joe.session.subscriptions

    def test_topic_may_hide_from_xpath(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"1", "<qos><topic createDomEntry='false'/></qos>")
        assert joe.get(key="<key queryType='XPATH'>//key</key>") == []

    def test_too_many_topics_are_refused(self) -> None:
        world = World(Settings(max_topics=1))
        joe = world.client("joe")
        joe.publish("a", b"1")
        with pytest.raises(BrokerError) as raised:
            joe.publish("b", b"1")
        assert raised.value.code == Code.RESOURCE_EXHAUST


class TestCrash:
    def test_persistent_messages_are_there_again(self) -> None:
        world = World()
        joe = world.client("joe")
        for content in (b"1", b"2"):
            joe.publish("a", content, PERSISTENT)
        joe.publish("a", b"transient")
        assert world.crash().client("joe").get("a", ALL) == [b"2", b"1"]

    def test_history_is_read_once_though_many_messages_come_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # given a topic whose history is on disk only
        world = World()
        world.client("pub").publish("a", b"0", "<qos><persistent/></qos>")
        world = world.crash()
        reads: list[int] = []
        read = world.store.read_entries

        def counted(queue_id: int, rank: int, after: int, limit: int) -> Any:
            reads.append(queue_id)
            return read(queue_id, rank, after, limit)

        monkeypatch.setattr(world.store, "read_entries", counted)
        # when a publisher sends again what waited while the broker was away
        sender = world.client("pub").session
        for number in range(1, 4):
            world.requests.publish(sender, b"<key oid='a'/>", b"<qos><persistent/></qos>", b"%d" % number)
        world.turn()
        # then
        assert reads == [world.node.topics["a"].id]
        assert world.client("joe").get("a", ALL) == [b"3", b"2", b"1", b"0"]

    def test_configuration_is_there_again(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1", "<qos><persistent/><topic readonly='true' destroyDelay='-1'/></qos>")
        world = world.crash()
        assert world.node.topics["a"].config.destroy_delay == -1
        with pytest.raises(BrokerError) as raised:
            world.client("joe").publish("a", b"2")
        assert raised.value.code == Code.USER_PUBLISH_READONLY

    def test_depth_holds_over_restarts(self) -> None:
        world = World()
        section = "<topic><queue relating='history' maxEntries='3'/></topic>"
        for start in (0, 2, 4):
            joe = world.client("joe")
            for number in (start, start + 1):
                joe.publish("a", str(number).encode(), f"<qos><persistent/>{section}</qos>")
            world = world.crash()
        assert world.client("joe").get("a", ALL) == [b"5", b"4", b"3"]
        world.store.commit()
        assert len(list(world.store.tables.entries())) == 3

    def test_message_that_expired_meanwhile_is_swept_away(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1", "<qos><persistent/><expiration lifeTime='1000'/></qos>")
        world = world.crash()
        world.advance(2)
        assert world.client("joe").get("a") == []
        world.advance(61)
        world.store.commit()
        assert not world.store.tables.messages

    @pytest.mark.parametrize("in_good_order", [False, True])
    def test_topic_without_persistent_messages_is_there_again(self, in_good_order: bool) -> None:
        world = World()
        world.client("joe").publish("a", b"1", key="<key oid='a'><x/></key>")
        if in_good_order:
            world.broker.stop()
        else:
            world.advance(1)
        world = world.crash()
        assert world.client("joe").erase(key="<key queryType='XPATH'>//x</key>") == ["a"]
        assert not world.crash().node.topics

    def test_topic_without_messages_goes_after_its_delay_though_the_broker_was_restarted(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1")
        world.advance(1)
        world = world.crash()
        world.advance(61)
        assert not world.node.topics
        world.store.commit()
        assert not world.store.tables.topics

    def test_transient_message_does_not_wait_for_the_disk_though_its_topic_is_new(self) -> None:
        world = World()
        joe = world.client("joe")
        before = world.store.position
        world.requests.publish(joe.session, b"<key oid='a'/>", b"<qos/>", b"1")
        assert world.store.position == before

    def test_queries_find_recovered_topics(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1", PERSISTENT, key="<key oid='a' domain='D'><x/></key>")
        joe = world.crash().client("joe")
        assert joe.get(key="<key queryType='XPATH'>//x</key>") == [b"1"]
        assert joe.get(key="<key queryType='DOMAIN' domain='D'/>") == [b"1"]


class TestErase:
    def test_subscribers_are_told(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"1")
        joe.subscribe("a", "<qos><initialUpdate>false</initialUpdate></qos>")
        assert joe.erase("a") == ["a"]
        (entry,) = joe.outbound.entries
        assert entry.message.qos.state == STATE_ERASED
        assert entry.message.content == b"heron/topic/a"
        assert entry.message.qos.sender == joe.session.name.absolute

    def test_those_who_do_not_want_to_know_are_not(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a", "<qos><notify>false</notify></qos>")
        joe.publish("a", b"1", "<qos><expiration lifeTime='0'/></qos>")
        joe.erase("a")
        assert joe.contents == [b"1"]

    def test_subscriptions_by_oid_are_over_and_those_by_query_are_not(self) -> None:
        world = World()
        joe, jack = world.client("joe"), world.client("jack")
        joe.publish("a", b"1", "<qos><expiration lifeTime='0'/></qos>")
        joe.subscribe("a", "<qos><notify>false</notify></qos>")
        jack.subscribe(key="<key queryType='XPATH'>//key</key>", qos="<qos><notify>false</notify></qos>")
        joe.erase("a")
        joe.publish("a", b"2")
        assert joe.contents == []
        assert jack.contents == [b"2"]
        assert not joe.session.subscriptions

    def test_unknown_topic_is_no_error(self) -> None:
        assert World().client("joe").erase("nope") == []

    def test_history_alone_may_be_erased(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        joe.publish("a", b"1")
        assert joe.erase("a", ALL) == ["a"]
        assert joe.get("a") == []
        joe.publish("a", b"2")
        assert joe.contents == [b"1", b"2"]

    def test_other_numbers_of_history_entries_are_refused(self) -> None:
        with pytest.raises(BrokerError) as raised:
            World().client("joe").erase("a", "<qos><history numEntries='3'/></qos>")
        assert raised.value.code == Code.INTERNAL_NOT_IMPLEMENTED

    def test_queued_messages_are_delivered_unless_force_is_used(self) -> None:
        for force, expected in ((False, [b"1"]), (True, [])):
            world = World()
            joe = world.client("joe")
            joe.subscribe("a", "<qos><notify>false</notify></qos>")
            joe.session.dispatch.active = False
            joe.publish("a", b"1")
            joe.erase("a", f"<qos><erase forceDestroy='{str(force).lower()}'/></qos>")
            joe.session.dispatch.active = True
            world.turn()
            assert joe.contents == expected

    def test_erased_topic_does_not_come_back_after_a_crash(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"1", PERSISTENT)
        joe.erase("a")
        world = world.crash()
        assert "a" not in world.node.topics
        assert not world.store.tables.messages

    def test_domain_and_xpath_select_what_is_erased(self) -> None:
        world = World()
        joe = world.client("joe")
        for oid, domain in (("a", "D"), ("b", "D"), ("c", "E")):
            joe.publish(oid, b"1", key=f"<key oid='{oid}' domain='{domain}'/>")
        assert sorted(joe.erase(key="<key queryType='DOMAIN' domain='D'/>")) == ["a", "b"]
        assert joe.erase(key="<key queryType='XPATH'>//key</key>") == ["c"]


@pytest.mark.parametrize("limit", ["-1", "0", "-9223372036854775808"])
def test_a_topic_whose_history_holds_less_than_nothing_has_none_also_after_a_restart(limit: str) -> None:
    world = World()
    client = world.client("joe")
    client.publish("a", b"1", f"<qos><topic><queue relating='history' maxEntries='{limit}'/></topic></qos>")
    client.publish("a", b"2", "<qos><persistent/></qos>")
    assert client.get("a") == []
    again = world.crash()
    assert not again.node.set_aside.records
    client = again.client("joe")
    client.publish("a", b"3", "<qos><persistent/></qos>")
    assert client.get("a") == []


def test_a_limit_below_nothing_drops_what_the_history_had() -> None:
    world = World()
    client = world.client("joe")
    for content in (b"1", b"2", b"3"):
        client.publish("a", content, "<qos><persistent/></qos>")
    limits = "<topic><queue relating='history' maxEntries='-1' maxEntriesCache='1'/></topic>"
    client.publish("a", qos=f"<qos><administrative/>{limits}</qos>")
    assert client.get("a", "<qos><history numEntries='-1'/></qos>") == []
    world.store.commit()
    assert not world.store.tables.messages


def test_a_refused_first_publish_leaves_no_topic() -> None:
    world = World()
    watcher = world.client("ann")
    watcher.subscribe(key="<key queryType='DOMAIN' domain='d'/>")
    watcher.subscribe("b")
    for oid in ("a", "b"):
        with pytest.raises(BrokerError):
            world.client("joe").publish(
                oid,
                qos="<qos><topic destroyDelay='-1'/><destination>nobody</destination></qos>",
                key=f"<key oid='{oid}' domain='d'/>",
            )
    assert list(world.node.topics) == ["b"]
    topic = world.node.topics["b"]
    assert (topic.key, topic.stored, len(topic.subscriptions)) == (None, False, 1)
    world.store.commit()
    assert not world.store.tables.topics


def test_a_life_time_without_end_in_sight_is_stored() -> None:
    world = World()
    qos = f"<qos><persistent/><expiration lifeTime='{2**63 - 1}'/></qos>"
    world.client("joe").publish("a", b"1", qos)
    assert world.crash().client("joe").get("a") == [b"1"]


def test_a_refused_publish_leaves_the_configuration_that_another_one_made() -> None:
    world = World()
    client = world.client("joe")
    client.publish("a", qos="<qos><administrative/><topic destroyDelay='-1'/></qos>")
    with pytest.raises(BrokerError):
        client.publish("a", qos="<qos><topic/><destination>nobody</destination></qos>")
    assert world.node.topics["a"].config.destroy_delay == -1
    assert world.crash().node.topics["a"].config.destroy_delay == -1
