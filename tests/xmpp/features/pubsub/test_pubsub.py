"""Topics as nodes (XEP-0060)."""

from __future__ import annotations

import pytest

from broker.core.standing import MAX_LABELS
from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.xmpp.world import Peer, World, settings

HOST = "pubsub.localhost"
EVENT = ns.PUBSUB_EVENT


@pytest.fixture
def world() -> World:
    return World(settings(sm_ask=False, idle=-1))


def ask(peer: Peer, type: str, payload: str, namespace: str = ns.PUBSUB) -> Tree:
    """Ask the service; returns its answer."""
    before = peer.take()
    assert not [tree for tree in before if tree.name == "iq"]
    peer.send(f"<iq type='{type}' id='q' to='{HOST}'><pubsub xmlns='{namespace}'>{payload}</pubsub></iq>")
    found = peer.take()
    peer.others = [tree for tree in found if tree.name != "iq"]  # type: ignore[attr-defined]
    (answer,) = [tree for tree in found if tree.name == "iq"]
    return answer


def ok(peer: Peer, type: str, payload: str, namespace: str = ns.PUBSUB) -> Tree | None:
    """The same, for what must succeed; returns the ``<pubsub/>`` of the answer."""
    answer = ask(peer, type, payload, namespace)
    assert answer.attributes["type"] == "result", answer.to_bytes()
    return answer.find(namespace, "pubsub")


def refused(
    peer: Peer, type: str, payload: str, condition: str, specific: str = "", namespace: str = ns.PUBSUB
) -> None:
    """The same, for what must be refused."""
    error = ask(peer, type, payload, namespace).find(ns.CLIENT, "error")
    assert error is not None
    assert error.find(ns.STANZAS, condition) is not None, error.to_bytes()
    if specific:
        assert error.find(ns.PUBSUB_ERRORS, specific) is not None, error.to_bytes()


def subscribe(peer: Peer, node: str = "news") -> Tree:
    pubsub = ok(peer, "set", f"<subscribe node='{node}' jid='{peer.jid.partition('/')[0]}'/>")
    assert pubsub is not None
    (subscription,) = pubsub.children
    return subscription


def publish(peer: Peer, text: str, id: str = "", node: str = "news") -> str:
    mark = f" id='{id}'" if id else ""
    pubsub = ok(peer, "set", f"<publish node='{node}'><item{mark}><entry xmlns='urn:e'>{text}</entry></item></publish>")
    assert pubsub is not None
    return pubsub.children[0].children[0].attributes["id"]


def events(trees: list[Tree]) -> list[Tree]:
    """What the events of these messages say."""
    return [tree.find(EVENT, "event").children[0] for tree in trees if tree.find(EVENT, "event")]  # type: ignore[union-attr]


def entries(trees: list[Tree]) -> list[str]:
    """Texts of the items that these messages notify of."""
    return [item.text_of("urn:e", "entry") for items in events(trees) for item in items.find_all(EVENT, "item")]


def items(peer: Peer, more: str = "", node: str = "news", paging: str = "") -> list[str]:
    pubsub = ok(peer, "get", f"<items node='{node}'{more}/>{paging}")
    assert pubsub is not None
    found = pubsub.find(ns.PUBSUB, "items")
    assert found is not None
    return [item.attributes["id"] for item in found.children]


class TestNodes:
    def test_a_node_is_made_and_is_whose_maker_it_is(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        assert ok(joe, "set", "<create node='news'/>") is None
        pubsub = ok(joe, "get", "<affiliations/>")
        assert pubsub is not None
        assert pubsub.children[0].children[0].attributes == {"node": "news", "affiliation": "owner"}

    def test_or_gets_a_name(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        pubsub = ok(joe, "set", "<create/>")
        assert pubsub is not None
        assert pubsub.children[0].attributes["node"].startswith("node-")

    def test_there_is_one_of_each_name(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        refused(joe, "set", "<create node='news'/>", "conflict")
        refused(joe, "set", "<create node='__sys__x'/>", "not-acceptable")

    def test_its_owner_configures_it(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        form = (
            "<configure node='news'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='pubsub#title'><value>The news</value></field>"
            "<field var='pubsub#max_items'><value>2</value></field></x></configure>"
        )
        refused(jack, "set", form, "forbidden", namespace=ns.PUBSUB_OWNER)
        ok(joe, "set", form, ns.PUBSUB_OWNER)
        pubsub = ok(joe, "get", "<configure node='news'/>", ns.PUBSUB_OWNER)
        assert pubsub is not None
        assert b"The news" in pubsub.to_bytes()
        for i in range(3):
            publish(joe, str(i), f"i{i}")
        assert items(joe) == ["i1", "i2"]

    def test_what_cannot_be_served_is_refused(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        form = (
            "<create node='news'/><configure><x xmlns='jabber:x:data' type='submit'>"
            "<field var='pubsub#access_model'><value>whitelist</value></field></x></configure>"
        )
        refused(joe, "set", form, "not-acceptable", "unsupported-access-model")

    def test_its_owner_deletes_it_and_subscribers_are_told(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        subscribe(jack)
        refused(jack, "set", "<delete node='news'/>", "forbidden", namespace=ns.PUBSUB_OWNER)
        ok(joe, "set", "<delete node='news'/>", ns.PUBSUB_OWNER)
        (delete,) = events(jack.take())
        assert (delete.name, delete.attributes) == ("delete", {"node": "news"})
        refused(jack, "get", "<items node='news'/>", "item-not-found")
        assert "news" not in world.node.topics

    def test_nodes_survive_a_crash_with_owner_and_items(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        publish(joe, "1", "i1")
        again = world.crash()
        joe = again.bind("joe@localhost/x")
        assert items(joe) == ["i1"]
        ok(joe, "set", "<purge node='news'/>", ns.PUBSUB_OWNER)

    def test_discovery_shows_nodes_and_items(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        publish(joe, "1", "i1")
        joe.send(f"<iq type='get' id='d' to='localhost'><query xmlns='{ns.DISCO_ITEMS}'/></iq>")
        assert HOST.encode() in joe.one().to_bytes()
        joe.send(f"<iq type='get' id='d' to='{HOST}'><query xmlns='{ns.DISCO_ITEMS}'/></iq>")
        query = joe.one().find(ns.DISCO_ITEMS, "query")
        assert query is not None
        assert [item.attributes["node"] for item in query.children] == ["news"]
        joe.send(f"<iq type='get' id='d' to='{HOST}'><query xmlns='{ns.DISCO_ITEMS}' node='news'/></iq>")
        assert b"i1" in joe.one().to_bytes()
        joe.send(f"<iq type='get' id='d' to='{HOST}'><query xmlns='{ns.DISCO_INFO}' node='news'/></iq>")
        assert b"leaf" in joe.one().to_bytes()
        joe.send(f"<iq type='get' id='d' to='{HOST}'><query xmlns='{ns.DISCO_INFO}'/></iq>")
        assert b"pubsub#publish" in joe.one().to_bytes()


class TestPublishing:
    def test_subscribers_are_told_with_the_payload(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        subscription = subscribe(jack)
        assert subscription.attributes["subscription"] == "subscribed"
        assert subscription.attributes["jid"] == "jack@localhost"
        publish(joe, "hello", "i1")
        (message,) = jack.take()
        assert message.attributes["from"] == HOST
        assert message.attributes["to"] == "jack@localhost"
        (news,) = events([message])
        assert news.attributes == {"node": "news"}
        assert news.children[0].attributes == {"id": "i1", "publisher": "joe@localhost"}
        assert entries([message]) == ["hello"]

    def test_who_is_offline_is_told_at_the_next_login(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        subscribe(jack)
        jack.send("</stream:stream>")
        publish(joe, "1")
        publish(joe, "2")
        again = world.crash()
        jack = again.bind("jack@localhost/z", presence=None)
        jack.send("<presence/>")
        assert entries(jack.take()) == ["1", "2"]

    def test_b17_who_is_detached_is_told_when_it_resumes_also_after_a_crash(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x", sm=True)
        ok(joe, "set", "<create node='news'/>")
        subscribe(jack)
        jack.cut()
        publish(joe, "1")
        publish(joe, "2")
        again = world.crash()
        peer = again.peer()
        peer.login("jack")
        assert entries(peer.resume(jack.id, jack.h)) == ["1", "2"]

    def test_publishing_makes_the_node(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        publish(joe, "1", "i1", node="new")
        assert items(joe, node="new") == ["i1"]

    def test_an_item_of_the_same_id_is_replaced(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        publish(joe, "1", "i1")
        publish(joe, "2", "i2")
        publish(joe, "3", "i1")
        assert items(joe) == ["i2", "i1"]

    @pytest.mark.parametrize(
        ("publish", "condition", "specific"),
        [
            ("<publish><item><e xmlns='u'/></item></publish>", "bad-request", "nodeid-required"),
            ("<publish node='n'/>", "bad-request", "item-required"),
            ("<publish node='n'><item/></publish>", "bad-request", "payload-required"),
            ("<publish node='n'><item><a xmlns='u'/><b xmlns='u'/></item></publish>", "bad-request", "invalid-payload"),
        ],
    )
    def test_what_is_no_item_is_refused(self, world: World, publish: str, condition: str, specific: str) -> None:
        refused(world.bind("joe@localhost/x"), "set", publish, condition, specific)

    def test_who_may_not_publish_is_told(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        publish(joe, "1")
        world.permissions.forbidden.add(("joe", "publish", "exact:news"))
        joe.stream.client.session.plans.clear()  # type: ignore[union-attr]
        refused(joe, "set", "<publish node='news'><item><e xmlns='u'/></item></publish>", "forbidden")

    def test_an_item_is_retracted_and_subscribers_are_told(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        publish(joe, "1", "i1")
        subscribe(jack)
        jack.take()
        refused(jack, "set", "<retract node='news'><item id='i1'/></retract>", "forbidden")
        ok(joe, "set", "<retract node='news'><item id='i1'/></retract>")
        (news,) = events(jack.take())
        assert news.children[0].name == "retract"
        assert items(joe) == []
        refused(joe, "set", "<retract node='news'><item id='i1'/></retract>", "item-not-found")

    def test_all_are_purged_and_subscribers_are_told(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        publish(joe, "1", "i1")
        subscribe(jack)
        jack.take()
        ok(joe, "set", "<purge node='news'/>", ns.PUBSUB_OWNER)
        assert [news.name for news in events(jack.take())] == ["purge"]
        assert items(joe) == []


class TestReading:
    def test_items_come_in_order_and_in_pages(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        for i in range(5):
            publish(joe, str(i), f"i{i}")
        assert items(joe) == [f"i{i}" for i in range(5)]
        assert items(joe, " max_items='2'") == ["i3", "i4"]
        page = f"<set xmlns='{ns.RSM}'><max>2</max>"
        assert items(joe, paging=f"{page}</set>") == ["i0", "i1"]
        assert items(joe, paging=f"{page}<after>i1</after></set>") == ["i2", "i3"]
        assert items(joe, paging=f"{page}<before/></set>") == ["i3", "i4"]
        assert items(joe, paging=f"{page}<before>i3</before></set>") == ["i1", "i2"]

    def test_one_item_by_its_id(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        publish(joe, "1", "i1")
        publish(joe, "2", "i2")
        pubsub = ok(joe, "get", "<items node='news'><item id='i2'/></items>")
        assert pubsub is not None
        assert b"i1" not in pubsub.to_bytes()

    def test_unknown_and_internal_nodes_are_not_there(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        refused(joe, "get", "<items node='nothing'/>", "item-not-found")
        refused(joe, "get", "<items node='__sys__deadMessage'/>", "item-not-found")
        refused(joe, "get", "<unknown/>", "feature-not-implemented", "unsupported")

    @pytest.mark.parametrize(
        ("type", "request_", "namespace", "feature"),
        [
            ("get", "<options node='news' jid='joe@localhost'/>", ns.PUBSUB, "subscription-options"),
            ("get", "<default/>", ns.PUBSUB, "retrieve-default-sub"),
            ("set", "<affiliations node='news'/>", ns.PUBSUB_OWNER, "modify-affiliations"),
            ("set", "<subscriptions node='news'/>", ns.PUBSUB_OWNER, "manage-subscriptions"),
        ],
    )
    def test_a_feature_that_is_not_served_is_named_and_not_advertised(
        self, world: World, type: str, request_: str, namespace: str, feature: str
    ) -> None:
        # XEP-0060 §6.3.4.6, §8.8.2.2, §8.9.2.3, §10
        joe = world.bind("joe@localhost/x")
        error = ask(joe, type, request_, namespace).find(ns.CLIENT, "error")
        assert error is not None
        unsupported = error.find(ns.PUBSUB_ERRORS, "unsupported")
        assert unsupported is not None
        assert unsupported.attributes["feature"] == feature
        joe.send(f"<iq type='get' id='d' to='{HOST}'><query xmlns='{ns.DISCO_INFO}'/></iq>")
        query = joe.one().find(ns.DISCO_INFO, "query")
        assert query is not None
        assert f"{ns.PUBSUB}#{feature}" not in {each.attributes.get("var") for each in query.children}


class TestSubscribing:
    def test_a_new_subscriber_gets_the_last_item(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        publish(joe, "1")
        publish(joe, "2")
        subscribe(jack)
        assert entries(jack.others + jack.take()) == ["2"]  # type: ignore[attr-defined]

    def test_twice_is_once(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        assert subscribe(jack).attributes["subid"] == subscribe(jack).attributes["subid"]
        publish(joe, "1")
        assert entries(jack.take()) == ["1"]

    def test_subscriptions_are_listed(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        subscribe(joe)
        pubsub = ok(joe, "get", "<subscriptions/>")
        assert pubsub is not None
        assert pubsub.children[0].children[0].attributes["node"] == "news"
        owned = ok(joe, "get", "<subscriptions node='news'/>", ns.PUBSUB_OWNER)
        assert owned is not None
        assert owned.children[0].children[0].attributes["jid"] == "joe@localhost"

    def test_who_has_unsubscribed_is_told_no_more_and_nothing_is_left(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        subscribe(jack)
        ok(jack, "set", "<unsubscribe node='news' jid='jack@localhost'/>")
        publish(joe, "1")
        assert jack.take() == []
        assert len(world.node.sessions) == 2
        refused(jack, "set", "<unsubscribe node='news' jid='jack@localhost'/>", "unexpected-request", "not-subscribed")

    def test_nobody_subscribes_another(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        refused(joe, "set", "<subscribe node='news' jid='jack@localhost'/>", "bad-request", "invalid-jid")
        refused(joe, "set", "<subscribe node='nothing' jid='joe@localhost'/>", "item-not-found")
        assert len(world.node.sessions) == 1


def subscribe_resource(peer: Peer, node: str = "news") -> None:
    assert ok(peer, "set", f"<subscribe node='{node}' jid='{peer.jid}'/>") is not None


class TestSubscribingOneResource:
    """A subscription of a full JID is told at that JID, and nowhere else (XEP-0060 §6.1.6, §7.1.2)."""

    def test_it_is_told_at_once_with_its_own_address_and_others_are_not(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        jack, other = world.bind("jack@localhost/a", presence=None), world.bind("jack@localhost/b")
        publish(joe, "1")
        subscribe_resource(jack)
        told = jack.others + jack.take()  # type: ignore[attr-defined]
        assert entries(told) == ["1"]
        publish(joe, "2")
        told += jack.take()
        assert entries(told) == ["1", "2"]
        assert {tree.attributes["to"] for tree in told} == {"jack@localhost/a"}
        assert other.take() == []

    def test_while_it_is_not_there_nobody_is_told(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        jack = world.bind("jack@localhost/a")
        subscribe_resource(jack)
        jack.send("</stream:stream>")
        publish(joe, "1")
        other = world.bind("jack@localhost/b")
        again = world.bind("jack@localhost/a")
        assert entries(other.take()) == entries(again.take()) == []
        publish(joe, "2")
        assert entries(again.take()) == ["2"]
        assert other.take() == []

    def test_while_it_may_resume_its_stream_it_is_there_also_over_a_crash(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        jack = world.bind("jack@localhost/a", sm=True)
        subscribe_resource(jack)
        jack.cut()
        publish(joe, "1")
        again = world.crash()
        publish(again.bind("joe@localhost/x"), "2")
        other = again.bind("jack@localhost/b")
        resumed = again.peer()
        resumed.login("jack")
        assert entries(resumed.resume(jack.id, jack.h)) == ["1", "2"]
        assert other.take() == []

    def test_what_it_did_not_get_goes_to_no_other(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        jack = world.bind("jack@localhost/a", sm=True)
        subscribe_resource(jack)
        jack.cut()
        publish(joe, "1")
        other = world.bind("jack@localhost/b")
        world.advance(601)
        assert entries(other.take()) == []

    def test_it_and_its_account_are_subscribed_and_unsubscribed_each_by_itself(self, world: World) -> None:
        # XEP-0060 §6.1.6: different JIDs
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/a")
        ok(joe, "set", "<create node='news'/>")
        subscribe(jack)
        subscribe_resource(jack)
        pubsub = ok(jack, "get", "<subscriptions/>")
        assert pubsub is not None
        assert {each.attributes["jid"] for each in pubsub.children[0].children} == {"jack@localhost", jack.jid}
        publish(joe, "1")
        assert sorted(tree.attributes["to"] for tree in jack.take()) == ["jack@localhost", jack.jid]
        ok(jack, "set", "<unsubscribe node='news' jid='jack@localhost'/>")
        publish(joe, "2")
        assert [tree.attributes["to"] for tree in jack.take()] == [jack.jid]
        refused(jack, "set", "<unsubscribe node='news' jid='jack@localhost'/>", "unexpected-request", "not-subscribed")
        ok(jack, "set", f"<unsubscribe node='news' jid='{jack.jid}'/>")
        publish(joe, "3")
        assert jack.take() == []
        assert len(world.node.sessions) == 2

    def test_it_alone_is_told_that_the_node_is_gone(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        jack, other = world.bind("jack@localhost/a"), world.bind("jack@localhost/b")
        ok(joe, "set", "<create node='news'/>")
        subscribe_resource(jack)
        other.take()
        ok(joe, "set", "<delete node='news'/>", ns.PUBSUB_OWNER)
        assert [news.name for news in events(jack.take())] == ["delete"]
        assert other.take() == []

    def test_there_are_only_so_many_of_one_account(self, world: World) -> None:
        jack = world.bind("jack@localhost/a")
        ok(jack, "set", "<create node='news'/>")
        for i in range(MAX_LABELS):
            ok(jack, "set", f"<subscribe node='news' jid='jack@localhost/{i}'/>")
        refused(jack, "set", "<subscribe node='news' jid='jack@localhost/more'/>", "resource-constraint")


class TestUnsubscribing:
    """XEP-0060 §6.2.3."""

    @pytest.mark.parametrize(
        ("unsubscribe", "condition", "specific"),
        [
            ("jid='mary@localhost' node='news'", "unexpected-request", "not-subscribed"),  # §6.2.3.2
            ("jid='mary@localhost/other' node='news'", "unexpected-request", "not-subscribed"),
            ("jid='jack@localhost' node='news'", "forbidden", ""),  # §6.2.3.3
            ("jid='jack@localhost/x' node='news'", "forbidden", ""),
            ("jid='joe@localhost' node='news'", "forbidden", ""),
            ("jid='nobody@localhost' node='news'", "forbidden", ""),
            ("jid='mary@localhost' node='nothing'", "item-not-found", ""),  # §6.2.3.4
            ("node='news'", "bad-request", "jid-required"),
            ("jid='@@' node='news'", "bad-request", "invalid-jid"),
            ("jid='mary@localhost'", "bad-request", "nodeid-required"),
        ],
    )
    def test_each_error_has_its_condition(self, world: World, unsubscribe: str, condition: str, specific: str) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        ok(joe, "set", "<create node='news'/>")
        subscribe(jack)
        mary = world.bind("mary@localhost/x")
        refused(mary, "set", f"<unsubscribe {unsubscribe}/>", condition, specific)

    def test_another_subscription_id_is_refused(self, world: World) -> None:
        # §6.2.3.5
        jack = world.bind("jack@localhost/x")
        ok(jack, "set", "<create node='news'/>")
        id = subscribe(jack).attributes["subid"]
        unsubscribe = "<unsubscribe node='news' jid='jack@localhost' subid='{}'/>"
        refused(jack, "set", unsubscribe.format("other"), "not-acceptable", "invalid-subid")
        ok(jack, "set", unsubscribe.format(id))


class TestOneCore:
    """A topic is a node, a node is a topic."""

    def test_a_native_publish_reaches_a_subscriber_of_the_node(self, world: World) -> None:
        jack = world.bind("jack@localhost/x")
        native = world.client("mary/1")
        native.publish("news", b"first")
        subscribe(jack)
        jack.take()
        native.publish("news", b"hello")
        (news,) = events(jack.take())
        assert news.children[0].text_of(ns.CLIENT, "body") == "hello"

    def test_an_item_reaches_a_native_subscriber(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        native = world.client("mary/1")
        native.subscribe("news")
        publish(joe, "hello")
        assert native.contents == [b"<entry xmlns='urn:e'>hello</entry>"]

    def test_xml_of_a_native_client_is_a_payload(self, world: World) -> None:
        jack = world.bind("jack@localhost/x")
        native = world.client("mary/1")
        native.publish("news", b"<a><b/></a>", key="<key oid='news' contentMime='text/xml'/>")
        pubsub = ok(jack, "get", "<items node='news'/>")
        assert pubsub is not None
        item = pubsub.children[0].children[0]
        assert item.children[0].name == "a"

    def test_bytes_of_a_native_client_are_bits_of_binary(self, world: World) -> None:
        jack = world.bind("jack@localhost/x")
        native = world.client("mary/1")
        native.publish("news", b"\x00\xff", key="<key oid='news' contentMime='image/png'/>")
        pubsub = ok(jack, "get", "<items node='news'/>")
        assert pubsub is not None
        data = pubsub.children[0].children[0].find(ns.BITS_OF_BINARY, "data")
        assert data is not None
        assert (data.attributes["type"], data.text) == ("image/png", "AP8=")
