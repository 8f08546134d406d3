"""What a publisher says is not believed where only the broker can know it."""

from __future__ import annotations

import pytest

from broker.core.topics import TopicState
from broker.errors import BrokerError, Code
from broker.model.item import ITEM, PUBLISHER, PURGED, RETRACTED
from broker.xml.tree import Tree
from broker.xmpp.accounts import ROSTER
from broker.xmpp.wire import ns
from tests.xmpp.features.pubsub.test_pubsub import ask, events, items, ok, publish, refused, subscribe
from tests.xmpp.world import World, befriend, settings

XML = "<key oid='news' contentMime='application/xml'/>"


@pytest.fixture
def world() -> World:
    return World(settings(sm_ask=False, idle=-1))


def said(**properties: str) -> str:
    given = "".join(f"<clientProperty name='{name}'>{value}</clientProperty>" for name, value in properties.items())
    return f"<qos><persistent/>{given}</qos>"


def only_item(world: World, user: str = "jack") -> Tree:
    pubsub = ok(world.bind(f"{user}@localhost/reader"), "get", "<items node='news'/>")
    assert pubsub is not None
    (item,) = pubsub.children[0].children
    return item


class TestForgedProperties:
    def test_a_forged_item_id_and_publisher_are_not_believed(self, world: World) -> None:
        mary = world.client("mary/1")
        published = mary.publish("news", b"<a/>", said(**{ITEM: "z", PUBLISHER: "joe@localhost"}), XML)
        assert only_item(world).attributes == {"id": str(published.id)}

    def test_a_forged_item_is_not_written_raw(self, world: World) -> None:
        forged = b"</item></items></pubsub></iq><message from='admin@localhost'><body>FORGED</body></message>"
        world.client("mary/1").publish("news", forged, said(**{ITEM: "z"}), XML)
        jack = world.bind("jack@localhost/x")
        answer = ask(jack, "get", "<items node='news'/>")
        assert jack.others == []  # type: ignore[attr-defined]
        assert b"<message" not in answer.to_bytes()

    @pytest.mark.parametrize("forged", [said(**{RETRACTED: "i1"}), said(**{PURGED: "true"})])
    def test_forged_news_of_items_are_only_messages(self, world: World, forged: str) -> None:
        jack = world.bind("jack@localhost/x")
        mary = world.client("mary/1")
        mary.publish("news", b"first")
        subscribe(jack)
        jack.take()
        mary.publish("news", b"second", forged)
        (news,) = events(jack.take())
        assert news.name == "items"
        assert [each.name for each in news.children] == ["item"]

    def test_a_forged_erasure_is_only_a_message(self, world: World) -> None:
        jack = world.bind("jack@localhost/x")
        mary = world.client("mary/1")
        mary.publish("news", b"first")
        subscribe(jack)
        jack.take()
        mary.publish("news", b"second", "<qos><state id='ERASED'/></qos>")
        assert [news.name for news in events(jack.take())] == ["items"]

    def test_other_properties_arrive_as_they_were_given(self, world: World) -> None:
        reader, mary = world.client("joe/1"), world.client("mary/1")
        reader.subscribe("news")
        mary.publish("news", b"x", said(**{ITEM: "z", "mine": "1"}))
        (entry,) = reader.outbound.entries
        assert [each.name for each in entry.message.qos.properties] == ["mine"]

    def test_a_claimed_owner_owns_nothing(self, world: World) -> None:
        mary = world.client("mary/1")
        mary.publish("bank", key="<key oid='bank'><node owner='joe@localhost' title='Bank'/></key>")
        joe = world.bind("joe@localhost/x")
        pubsub = ok(joe, "get", "<affiliations/>")
        assert pubsub is not None
        assert pubsub.children[0].children == []
        assert world.node.topics["bank"].owner == ""

    def test_a_claimed_subscriber_is_not_among_those_of_the_node(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        world.client("mary/1").subscribe("news", said(**{"_pubsub.jid": "jack@localhost"}))
        pubsub = ok(joe, "get", "<subscriptions node='news'/>", ns.PUBSUB_OWNER)
        assert pubsub is not None
        assert pubsub.children[0].children == []

    def test_nobody_publishes_on_the_topic_of_stanzas(self, world: World) -> None:
        with pytest.raises(BrokerError) as caught:
            world.client("mary/1").publish("__xmpp", b"<iq/>", "<qos><destination>joe</destination></qos>")
        assert caught.value.code == Code.USER_ILLEGAL_ARGUMENT


class TestOneLife:
    def test_retracting_the_only_item_starts_the_end_of_its_topic(self, world: World) -> None:
        published = world.client("joe/1").publish("news", b"<a/>", key=XML)
        topic = world.node.topics["news"]
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", f"<retract node='news'><item id='{published.id}'/></retract>")
        assert topic.state is TopicState.UNREFERENCED
        world.advance(61)
        assert "news" not in world.node.topics

    def test_subscribers_of_a_node_learn_that_its_owner_emptied_it_natively(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        publish(joe, "1", "i1")
        subscribe(jack)
        jack.take()
        world.client("joe/1").erase("news", "<qos><history numEntries='-1'/></qos>")
        assert [news.name for news in events(jack.take())] == ["purge"]
        assert items(joe) == []

    def test_the_owner_is_known_after_a_crash_and_gone_with_the_topic(self, world: World) -> None:
        ok(world.bind("joe@localhost/x"), "set", "<create node='news'/>")
        again = world.crash()
        assert again.node.topics["news"].owner == "joe"
        mary = again.client("mary/1")
        with pytest.raises(BrokerError):
            mary.erase("news")
        again.client("joe/1").erase("news")
        mary.publish("news", b"mine")
        assert again.node.topics["news"].owner == ""

    def test_configuring_a_node_changes_its_title_and_keeps_its_owner(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        form = f"<x xmlns='{ns.DATA_FORMS}' type='submit'><field var='pubsub#title'><value>The news</value></field></x>"
        ok(joe, "set", f"<configure node='news'>{form}</configure>", ns.PUBSUB_OWNER)
        joe = world.crash().bind("joe@localhost/x")
        pubsub = ok(joe, "get", "<configure node='news'/>", ns.PUBSUB_OWNER)
        assert pubsub is not None
        assert b"The news" in pubsub.to_bytes()

    def test_a_refused_configuration_changes_nothing_of_a_node(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        world.permissions.forbidden.add(("joe", "publish", "exact:news"))
        before = world.node.topics["news"].encoded
        form = f"<x xmlns='{ns.DATA_FORMS}' type='submit'><field var='pubsub#title'><value>Other</value></field></x>"
        refused(joe, "set", f"<configure node='news'>{form}</configure>", "forbidden", namespace=ns.PUBSUB_OWNER)
        assert world.node.topics["news"].encoded == before

    def test_an_erase_by_query_that_selects_a_topic_of_another_erases_nothing(self, world: World) -> None:
        ok(world.bind("joe@localhost/x"), "set", "<create node='news'/>")
        mary = world.client("mary/1")
        mary.publish("mine", b"x")
        with pytest.raises(BrokerError) as caught:
            mary.erase(key="<key queryType='XPATH'>//key</key>")
        assert caught.value.code == Code.USER_NOT_AUTHORIZED
        assert {"news", "mine"} <= set(world.node.topics)


class TestStanzas:
    def test_the_right_to_publish_is_asked_once_for_a_sender_and_a_receiver(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        asked = []
        permits = world.permissions.permits
        world.permissions.permits = lambda *given: asked.append(given) or permits(*given)  # type: ignore[func-returns-value,method-assign]
        for i in range(5):
            joe.send(f"<message to='{jack.jid}' type='chat'><body>{i}</body></message>")
        assert jack.bodies() == [str(i) for i in range(5)]
        assert {given[:2] for given in asked} == {("joe", "publish")}
        assert len(asked) <= 2  # for messages that are kept, and for others

    @pytest.mark.parametrize("to", ["jack@localhost", "jack@localhost/x", "mary@localhost"])
    def test_who_may_not_publish_sends_no_message(self, world: World, to: str) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        world.permissions.forbidden.add(("joe", "publish", "exact:__xmpp"))
        joe.send(f"<message to='{to}' type='chat'><body>x</body></message>")
        error = joe.one().find(ns.CLIENT, "error")
        assert error is not None
        assert error.find(ns.STANZAS, "forbidden") is not None
        assert jack.take() == []
        assert "mary" not in world.node.subjects

    def test_who_may_not_publish_asks_nothing_of_others_but_of_its_own_resources(self, world: World) -> None:
        joe, own, jack = (world.bind(jid) for jid in ("joe@localhost/x", "joe@localhost/y", "jack@localhost/x"))
        befriend(joe, jack)
        own.take()
        world.permissions.forbidden.add(("joe", "publish", "exact:__xmpp"))
        ping = f"<ping xmlns='{ns.PING}'/>"
        joe.send(f"<iq type='get' id='1' to='{jack.jid}'>{ping}</iq>")
        error = joe.one().find(ns.CLIENT, "error")
        assert error is not None
        assert error.find(ns.STANZAS, "forbidden") is not None
        assert jack.take() == []
        joe.send(f"<iq type='get' id='2' to='{own.jid}'>{ping}</iq>")
        assert own.one().attributes["id"] == "2"
        jack.send(f"<iq type='get' id='3' to='{joe.jid}'>{ping}</iq>")
        joe.take()
        joe.send(f"<iq type='result' id='3' to='{jack.jid}'/>")
        assert jack.one().attributes["type"] == "result"

    @pytest.mark.parametrize("type", ["", "unavailable", "subscribe", "subscribed", "unsubscribe", "probe"])
    def test_who_may_not_publish_sends_no_presence_to_others(self, world: World, type: str) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        world.permissions.forbidden.add(("joe", "publish", "exact:__xmpp"))
        attribute = f" type='{type}'" if type else ""
        joe.send(f"<presence{attribute} id='1' to='jack@localhost'/>")
        error = joe.one().find(ns.CLIENT, "error")
        assert error is not None
        assert error.find(ns.STANZAS, "forbidden") is not None
        assert jack.take() == []
        assert not [each for each in world.store.tables.documents.values() if each.kind == ROSTER]

    def test_who_may_not_publish_is_present_to_its_own_resources_alone(self, world: World) -> None:
        joe, own, jack = (world.bind(jid) for jid in ("joe@localhost/x", "joe@localhost/y", "jack@localhost/x"))
        befriend(joe, jack)
        for peer in (own, joe):
            peer.take()
        world.permissions.forbidden.add(("joe", "publish", "exact:__xmpp"))
        joe.send("<presence><show>away</show></presence>")
        assert own.one().attributes["from"] == joe.jid
        assert jack.take() == []
        jack.send("<message to='joe@localhost' type='chat'><body>hello</body></message>")
        assert own.bodies() == ["hello"]
