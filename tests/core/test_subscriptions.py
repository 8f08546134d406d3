"""Subscribe, unSubscribe and get (spec xmlblaster §2.4–§2.6, §3.2, §4.6)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from broker.core.verdicts import FILTER_SECONDS
from broker.errors import BrokerError, Code
from broker.model.qos import STATE_WARNING
from broker.model.records import NO_CONTENT, NO_META
from tests.core.world import World

XPATH = "<key queryType='XPATH'>//key[starts-with(@oid,'radar.')]</key>"
DOMAIN = "<key queryType='DOMAIN' domain='RUGBY'/>"


class TestQueries:
    def test_exact(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        joe.publish("a", b"1")
        joe.publish("b", b"2")
        assert joe.contents == [b"1"]

    def test_xpath_matches_topics_of_now_and_later_under_one_id(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("radar.1", b"now")
        id = joe.subscribe(key=XPATH).id
        joe.publish("radar.2", b"later")
        joe.publish("other", b"no")
        assert joe.contents == [b"now", b"later"]
        assert {entry.subscription_id for entry in joe.outbound.entries} == {id}

    def test_domain_matches_topics_of_now_and_later(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"now", key="<key oid='a' domain='RUGBY'/>")
        joe.subscribe(key=DOMAIN)
        joe.publish("b", b"later", key="<key oid='b' domain='RUGBY'/>")
        joe.publish("c", b"no", key="<key oid='c' domain='CHESS'/>")
        assert joe.contents == [b"now", b"later"]

    def test_internal_topics_are_found_by_name_only(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe(key="<key queryType='XPATH'>//key</key>")
        world.client("watcher").publish("__sys__mine", b"1")
        assert joe.contents == []

    @pytest.mark.parametrize(
        ("key", "code"),
        [
            ("<key/>", Code.USER_OID_UNKNOWN),
            ("<key oid='__subId:1'/>", Code.USER_OID_UNKNOWN),
            ("<key queryType='XPATH'>//[</key>", Code.USER_QUERY_INVALID),
            ("<key queryType='REGEX'>a.*</key>", Code.USER_QUERY_TYPE_INVALID),
            ("<key queryType='DOMAIN'/>", Code.USER_QUERY_INVALID),
            ("<key oid='a'", Code.USER_ILLEGAL_ARGUMENT),
        ],
    )
    def test_wrong_queries_are_refused_and_leave_nothing(self, key: str, code: str) -> None:
        world = World()
        joe = world.client("joe")
        with pytest.raises(BrokerError) as raised:
            joe.subscribe(key=key)
        assert raised.value.code == code
        assert not world.node.topics
        assert not joe.session.subscriptions

    def test_session_without_callback_cannot_subscribe(self) -> None:
        world = World()
        session = world.connect("joe", callback=False).session
        with pytest.raises(BrokerError) as raised:
            world.run(world.requests.subscribe(session, b"<key oid='a'/>", b"<qos/>"))
        assert raised.value.code == Code.USER_SUBSCRIBE_NO_CALLBACK


class TestOptions:
    def test_own_messages_may_be_declined(self) -> None:
        world = World()
        joe, jack = world.client("joe"), world.client("jack")
        joe.subscribe("a", "<qos><local>false</local></qos>")
        joe.publish("a", b"mine")
        jack.publish("a", b"his")
        assert joe.contents == [b"his"]

    def test_equal_subscription_may_be_used_again(self) -> None:
        world = World()
        joe = world.client("joe")
        first = joe.subscribe("a")
        second = joe.subscribe("a", "<qos><multiSubscribe>false</multiSubscribe></qos>")
        assert (second.id, second.state) == (first.id, STATE_WARNING)
        joe.publish("a", b"1")
        assert joe.contents == [b"1"]

    def test_several_subscriptions_deliver_several_times(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        joe.subscribe("a")
        joe.publish("a", b"1")
        assert joe.contents == [b"1", b"1"]

    def test_session_may_decline_duplicates(self) -> None:
        world = World()
        joe = world.client("joe", duplicate_updates=False)
        joe.subscribe("a")
        joe.subscribe("a")
        joe.publish("a", b"1")
        assert joe.contents == [b"1"]

    def test_oneway(self) -> None:
        world = World()
        joe = world.client("joe", answers=False)
        joe.subscribe("a", "<qos><updateOneway>true</updateOneway></qos>")
        joe.publish("a", b"1")
        assert [entry.message.content for bulk in joe.outbound.oneways for entry in bulk] == [b"1"]

    def test_content_and_meta_data_may_be_declined(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a", "<qos><content>false</content><meta>false</meta></qos>")
        joe.publish("a", b"1")
        assert joe.outbound.entries[0].flags & (NO_CONTENT | NO_META) == NO_CONTENT | NO_META

    def test_filters_must_all_match(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe(
            "a", "<qos><filter type='GnuRegexFilter'>s.*</filter><filter type='ContentLenFilter'>5</filter></qos>"
        )
        for content in (b"sunny", b"rain", b"snowstorm"):
            joe.publish("a", content)
        assert joe.contents == [b"sunny"]

    def test_unknown_filter_is_an_error(self) -> None:
        with pytest.raises(BrokerError) as raised:
            World().client("joe").subscribe("a", "<qos><filter type='Nope'>x</filter></qos>")
        assert raised.value.code == Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED

    def test_filter_that_fails_makes_a_dead_message_and_the_subscription_stays(self) -> None:
        world = World()
        watcher = world.client("watcher")
        watcher.subscribe("__sys__deadMessage")
        joe = world.client("joe")
        joe.subscribe("a", "<qos><filter type='XPathFilter'>/good</filter></qos>")
        for content in (b"no xml", b"<good/>"):
            joe.publish("a", content, key="<key oid='a' contentMime='text/xml'/>")
        assert watcher.contents == [b"no xml"]
        assert joe.contents == [b"<good/>"]

    @pytest.mark.parametrize("late", [False, True], ids=["live", "initial update"])
    def test_filters_go_by_the_type_of_the_topic_and_not_of_the_message(self, late: bool) -> None:
        world = World()
        joe, pub = world.client("joe"), world.client("pub")
        qos = "<qos><filter type='XPathFilter'>/good</filter><history numEntries='-1' newestFirst='false'/></qos>"
        if not late:
            joe.subscribe("a", qos)
        pub.publish("a", b"<bad/>", key="<key oid='a' contentMime='text/xml'/>")
        for content in (b"<good/>", b"<bad/>"):
            pub.publish("a", content)
        if late:
            joe.subscribe("a", qos)
        assert joe.contents == [b"<good/>"]
        assert joe.get("a", qos) == [b"<good/>"]
        (update,) = joe.outbound.entries
        assert update.message.key.mime == "text/plain"

    def test_filters_of_one_session_that_take_too_long_cost_nobody_else_a_message(self) -> None:
        """Given filters of which each takes most of a login name's time, the second is the last one to be asked."""
        world = World()
        clock = iter(count())
        world.broker.publisher.processor_time = lambda: next(clock) * FILTER_SECONDS * 0.6
        watcher, slow, other = (world.client(name) for name in ("watcher", "slow", "other"))
        watcher.subscribe("__sys__deadMessage")
        for _ in range(4):
            slow.subscribe("a", "<qos><filter type='ContentLenFilter'>5</filter></qos>")
        other.subscribe("a", "<qos><filter type='ContentLenFilter'>5</filter></qos>")

        other.publish("a", b"1")
        other.publish("a", b"2")

        assert slow.contents == [b"1", b"1", b"2", b"2"]
        assert other.contents == [b"1", b"2"]
        assert watcher.contents == [b"1", b"1", b"2", b"2"]

    def test_sessions_of_one_login_name_share_the_time_for_filters(self) -> None:
        world = World()
        clock = iter(count())
        world.broker.publisher.processor_time = lambda: next(clock) * FILTER_SECONDS * 0.6
        slow = [world.client(f"slow/{number}") for number in (1, 2, 3)]
        for client in slow:
            client.subscribe("a", "<qos><filter type='ContentLenFilter'>5</filter></qos>")
        world.client("pub").publish("a", b"1")
        assert [client.contents for client in slow] == [[b"1"], [b"1"], []]

    def test_only_the_newest_may_be_wanted(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a", "<qos><clientProperty name='__newestOnly' type='boolean'>true</clientProperty></qos>")
        joe.session.dispatch.active = False
        for content in (b"1", b"2", b"3"):
            joe.publish("a", content)
        joe.session.dispatch.active = True
        world.turn()
        assert joe.contents == [b"3"]

    def test_properties_to_bounce_come_back(self) -> None:
        bounce = (
            "<qos><clientProperty name='_bounce:x'>1</clientProperty><clientProperty name='y'>2</clientProperty></qos>"
        )
        subscribed = World().client("joe").subscribe("a", bounce)
        assert [each.name for each in subscribed.properties] == ["_bounce:x"]


class TestIds:
    def test_client_may_choose_within_its_own_names(self) -> None:
        world = World()
        id = "__subId:client/joe/session/1-exact:a"
        assert world.client("joe/1").subscribe("a", f"<qos><subscribe id='{id}'/></qos>").id == id

    @pytest.mark.parametrize("id", ["__subId:client/jack/session/1-x", "mine", "__subId:1"])
    def test_other_ids_are_refused(self, id: str) -> None:
        with pytest.raises(BrokerError) as raised:
            World().client("joe/1").subscribe("a", f"<qos><subscribe id='{id}'/></qos>")
        assert raised.value.code == Code.USER_SUBSCRIBE_ID

    def test_same_id_again_replaces(self) -> None:
        world = World()
        joe = world.client("joe/1")
        for oid in ("a", "b"):
            joe.subscribe(oid, "<qos><subscribe id='__subId:joe-mine'/></qos>")
        joe.publish("a", b"1")
        joe.publish("b", b"2")
        assert joe.contents == [b"2"]


class TestUnsubscribe:
    def test_by_id(self) -> None:
        world = World()
        joe = world.client("joe")
        id = joe.subscribe("a").id
        assert joe.unsubscribe(id) == [id]
        joe.publish("a", b"1")
        assert joe.contents == []

    @pytest.mark.parametrize("key", ["<key oid='a'/>", XPATH, DOMAIN])
    def test_by_the_query(self, key: str) -> None:
        world = World()
        joe = world.client("joe")
        ids = {joe.subscribe(key=key).id, joe.subscribe(key=key).id}
        assert set(joe.unsubscribe(key=key)) == ids
        assert not joe.session.subscriptions
        assert not world.node.subscriptions

    def test_of_others_is_not_possible(self) -> None:
        world = World()
        joe, jack = world.client("joe"), world.client("jack")
        id = joe.subscribe("a").id
        assert jack.unsubscribe(id) == []
        assert joe.session.subscriptions

    def test_nothing_found_is_no_error(self) -> None:
        joe = World().client("joe")
        assert joe.unsubscribe("nope") == []
        assert joe.unsubscribe("__subId:999") == []

    @pytest.mark.parametrize("key", ["<key/>", "<key oid='' queryType='EXACT'/>"])
    def test_without_an_oid_finds_nothing(self, key: str) -> None:
        joe = World().client("joe")
        joe.subscribe("a")
        assert joe.unsubscribe(key=key) == []
        assert joe.session.subscriptions

    def test_what_is_queued_is_still_delivered(self) -> None:
        world = World()
        joe = world.client("joe")
        joe.subscribe("a")
        joe.session.dispatch.active = False
        joe.publish("a", b"1")
        joe.unsubscribe("a")
        joe.session.dispatch.active = True
        world.turn()
        assert joe.contents == [b"1"]


class TestGet:
    def test_unknown_topic_is_no_error(self) -> None:
        assert World().client("joe").get("nope") == []

    def test_messages_are_counted_before_filters_are_applied(self) -> None:
        joe = World().client("joe")
        for content in (b"yes", b"yes", b"no"):
            joe.publish("a", content)
        wanted = "<filter type='GnuRegexFilter'>yes</filter>"
        assert joe.get("a", f"<qos>{wanted}</qos>") == []
        assert joe.get("a", f"<qos><history numEntries='2'/>{wanted}</qos>") == [b"yes"]

    def test_without_an_oid_nothing_is_found(self) -> None:
        joe = World().client("joe")
        joe.publish("a", b"1")
        assert joe.get(key="<key oid='' queryType='EXACT'/>") == []
        assert joe.erase(key="<key oid='' queryType='EXACT'/>") == []
        assert joe.get("a") == [b"1"]

    def test_unknown_filter_is_an_error(self) -> None:
        joe = World().client("joe")
        joe.publish("a", b"1")
        with pytest.raises(BrokerError):
            joe.get("a", "<qos><filter type='Nope'>x</filter></qos>")

    def test_content_may_be_declined(self) -> None:
        joe = World().client("joe")
        joe.publish("a", b"1")
        assert joe.get("a", "<qos><content>false</content></qos>") == [b""]


@pytest.mark.parametrize("method", ["subscribe", "get", "erase", "publish", "unSubscribe"])
def test_what_is_forbidden_is_refused(method: str) -> None:
    world = World()
    joe = world.client("joe")
    world.permissions.forbidden.add(("joe", method, "exact:a"))
    calls: dict[str, Callable[[str], object]] = {
        "subscribe": joe.subscribe,
        "get": joe.get,
        "erase": joe.erase,
        "publish": joe.publish,
        "unSubscribe": joe.unsubscribe,
    }
    with pytest.raises(BrokerError) as raised:
        calls[method]("a")
    assert raised.value.code == Code.USER_NOT_AUTHORIZED
    assert not world.node.topics


@pytest.mark.parametrize(
    ("key", "qos"),
    [("<key oid='a'", "<qos/>"), ("<key oid='a'/>", "<qos><priority>"), ("<!DOCTYPE x><key oid='a'/>", "<qos/>")],
)
def test_publish_with_broken_xml_is_refused_and_changes_nothing(key: str, qos: str) -> None:
    world = World()
    with pytest.raises(BrokerError) as raised:
        world.client("joe").publish("a", b"1", qos, key)
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert not world.node.topics


def test_sender_cannot_be_forged() -> None:
    world = World()
    joe = world.client("joe")
    joe.subscribe("a")
    joe.publish("a", b"1", "<qos><sender>/node/heron/client/boss/1</sender></qos>")
    assert joe.outbound.entries[0].message.qos.sender == joe.session.name.absolute
