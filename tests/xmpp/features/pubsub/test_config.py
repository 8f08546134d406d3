"""Configuration of nodes (XEP-0060 §8.2, §16.4.4)."""

from __future__ import annotations

import pytest

from broker.xml.tree import Tree
from broker.xmpp.features.pubsub.config import MAX_TEXT, NodeConfig, changed, fields_of, read_meta, write_meta
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import StanzaError
from tests.xmpp.features.pubsub.test_pubsub import entries, events, items, ok, publish, refused, subscribe
from tests.xmpp.world import Peer, World, settings


@pytest.fixture
def world() -> World:
    return World(settings(sm_ask=False, idle=-1))


@pytest.fixture
def joe(world: World) -> Peer:
    joe = world.bind("joe@localhost/x")
    ok(joe, "set", "<create node='news'/>")
    return joe


def submit(**values: str) -> str:
    fields = "".join(f"<field var='pubsub#{name}'><value>{value}</value></field>" for name, value in values.items())
    return f"<configure node='news'><x xmlns='jabber:x:data' type='submit'>{fields}</x></configure>"


def configure(peer: Peer, **values: str) -> None:
    ok(peer, "set", submit(**values), ns.PUBSUB_OWNER)


def form(peer: Peer, request: str = "<configure node='news'/>") -> dict[str, Tree]:
    """The fields of the form, by name without ``pubsub#``."""
    pubsub = ok(peer, "get", request, ns.PUBSUB_OWNER)
    assert pubsub is not None
    found = pubsub.children[0].find(ns.DATA_FORMS, "x")
    assert found is not None
    assert found.attributes["type"] == "form"
    return {field.attributes["var"].removeprefix("pubsub#"): field for field in found.children}


def value(field: Tree) -> str:
    return field.text_of(ns.DATA_FORMS, "value")


class TestForm:
    @pytest.mark.parametrize("request_", ["<configure node='news'/>", "<default/>"])
    def test_each_field_has_a_label_and_each_list_its_options(self, joe: Peer, request_: str) -> None:
        fields = form(joe, request_)
        assert value(fields.pop("FORM_TYPE")) == "http://jabber.org/protocol/pubsub#node_config"
        assert {"title", "max_items", "deliver_payloads", "access_model"} < set(fields)
        for name, field in fields.items():
            assert field.attributes["label"], name
            options = [each.text_of(ns.DATA_FORMS, "value") for each in field.find_all(ns.DATA_FORMS, "option")]
            if field.attributes["type"].startswith("list-"):
                assert value(field) in options, name
                assert all(each.attributes["label"] for each in field.find_all(ns.DATA_FORMS, "option"))
            else:
                assert options == []

    def test_every_value_that_it_offers_is_accepted_and_shown(self, joe: Peer) -> None:
        for name, field in form(joe).items():
            options = [each.text_of(ns.DATA_FORMS, "value") for each in field.find_all(ns.DATA_FORMS, "option")]
            match field.attributes["type"]:
                case "boolean":
                    offered = ["0", "1"]
                case "text-single":
                    offered = ["7"]
                case _:
                    offered = options
            for each in offered:
                configure(joe, **{name: each})
                assert value(form(joe)[name]) == each, name

    def test_the_whole_form_may_be_sent_back(self, joe: Peer) -> None:
        fields = form(joe)
        fields.pop("FORM_TYPE")
        configure(joe, **{name: value(field) for name, field in fields.items()})
        assert {name: value(field) for name, field in form(joe).items() if name != "FORM_TYPE"} == {
            name: value(field) for name, field in fields.items()
        }

    def test_what_was_chosen_survives_a_crash(self, world: World, joe: Peer) -> None:
        chosen = {"title": "News & more", "description": "all of it", "deliver_payloads": "0", "max_items": "3"}
        configure(joe, title="News &amp; more", description="all of it", deliver_payloads="false", max_items="3")
        again = form(world.crash().bind("joe@localhost/x"))
        assert {name: value(again[name]) for name in chosen} == chosen

    @pytest.mark.parametrize(
        ("name", "odd"),
        [
            ("access_model", "whitelist"),
            ("publish_model", "publishers"),
            ("node_type", "collection"),
            ("notification_type", "chat"),
            ("send_last_published_item", "on_sub_and_presence"),
            ("deliver_payloads", "yes"),
            ("persist_items", ""),
            ("max_items", "-1"),
            ("max_items", "many"),
            ("deliver_notifications", "0"),
            ("notify_delete", "false"),
            ("presence_based_delivery", "1"),
            ("purge_offline", "1"),
            ("subscribe", "0"),
            ("tempsub", "1"),
        ],
    )
    def test_what_nodes_cannot_do_is_refused_and_changes_nothing(self, joe: Peer, name: str, odd: str) -> None:
        before = {name: value(field) for name, field in form(joe).items()}
        refused(joe, "set", submit(title="new", **{name: odd}), "not-acceptable", namespace=ns.PUBSUB_OWNER)
        assert {name: value(field) for name, field in form(joe).items()} == before

    @pytest.mark.parametrize("name", ["deliver_notifications", "notify_delete", "subscribe"])
    def test_what_nodes_do_anyway_may_be_asked_for(self, joe: Peer, name: str) -> None:
        configure(joe, **{name: "1"})


class TestEffects:
    def test_without_payloads_subscribers_are_told_ids_only(self, world: World, joe: Peer) -> None:
        jack = world.bind("jack@localhost/y")
        configure(joe, deliver_payloads="0")
        subscribe(jack)
        publish(joe, "text", "i1")
        (news,) = events(jack.take())
        (item,) = news.children
        assert (item.attributes["id"], item.children) == ("i1", [])
        assert items(jack) == ["i1"]

    @pytest.mark.parametrize("resumable", [False, True])
    def test_subscribers_need_not_be_told_of_what_is_gone(self, world: World, joe: Peer, resumable: bool) -> None:
        jack = world.bind("jack@localhost/y", sm=resumable)
        configure(joe, notify_retract="0")
        subscribe(jack)
        publish(joe, "1", "i1")
        publish(joe, "2", "i2")
        assert entries(jack.take()) == ["1", "2"]
        ok(joe, "set", "<retract node='news'><item id='i1'/></retract>")
        ok(joe, "set", "<purge node='news'/>", ns.PUBSUB_OWNER)
        publish(joe, "3")
        assert entries(jack.take()) == ["3"]

    @pytest.mark.parametrize("chosen", ["normal", "headline"])
    def test_notifications_are_messages_of_the_type_that_is_chosen(self, world: World, joe: Peer, chosen: str) -> None:
        jack = world.bind("jack@localhost/y")
        configure(joe, notification_type=chosen)
        subscribe(jack)
        publish(joe, "1")
        assert jack.one().attributes["type"] == chosen

    def test_payloads_are_of_the_type_that_is_chosen(self, world: World, joe: Peer) -> None:
        # XEP-0060 §7.1.3.5
        configure(joe, type="urn:e")
        publish(joe, "1", "i1")
        other = "<publish node='news'><item><entry xmlns='urn:other'/></item></publish>"
        refused(joe, "set", other, "bad-request", "invalid-payload")
        configure(joe, type="")
        ok(joe, "set", other)

    @pytest.mark.parametrize(
        ("options", "met"),
        [
            ({"access_model": "open"}, True),
            ({"max_items": "3", "title": "t"}, True),
            ({"subscribe": "1", "unknown": "x"}, True),
            ({"max_items": "4"}, False),
            ({"access_model": "whitelist"}, False),
            ({"deliver_payloads": "maybe"}, False),
            ({"presence_based_delivery": "1"}, False),
        ],
    )
    def test_who_publishes_may_demand_a_configuration(
        self, world: World, joe: Peer, options: dict[str, str], met: bool
    ) -> None:
        # XEP-0060 §7.1.5
        configure(joe, max_items="3", title="t")
        form = submit(**options).removeprefix("<configure node='news'>").removesuffix("</configure>")
        item = "<publish node='news'><item id='1'><e xmlns='u'/></item></publish>"
        request = f"{item}<publish-options>{form}</publish-options>"
        if met:
            ok(joe, "set", request)
        else:
            refused(joe, "set", request, "conflict", "precondition-not-met")
        assert items(joe) == (["1"] if met else [])

    def test_what_is_told_changes_with_the_configuration(self, world: World, joe: Peer) -> None:
        jack = world.bind("jack@localhost/y")
        publish(joe, "text", "i1")
        subscribe(jack)
        assert entries(jack.others + jack.take()) == ["text"]  # type: ignore[attr-defined]
        configure(joe, deliver_payloads="0")
        mary = world.bind("mary@localhost/z")
        subscribe(mary)
        (news,) = events(mary.others + mary.take())  # type: ignore[attr-defined]
        assert news.children[0].children == []

    @pytest.mark.parametrize(("when", "sent"), [("never", []), ("on_sub", ["1"])])
    def test_the_last_item_is_sent_when_the_owner_says(
        self, world: World, joe: Peer, when: str, sent: list[str]
    ) -> None:
        jack = world.bind("jack@localhost/y")
        configure(joe, send_last_published_item=when)
        publish(joe, "1")
        subscribe(jack)
        assert entries(jack.others + jack.take()) == sent  # type: ignore[attr-defined]

    def test_title_description_and_type_are_shown_to_everybody(self, world: World, joe: Peer) -> None:
        # XEP-0060 §5.4
        configure(joe, title="News", description="all of it", type="urn:e")
        jack = world.bind("jack@localhost/y")
        jack.send(f"<iq type='get' id='1' to='pubsub.localhost'><query xmlns='{ns.DISCO_INFO}' node='news'/></iq>")
        query = jack.one().find(ns.DISCO_INFO, "query")
        assert query is not None
        shown = query.find(ns.DATA_FORMS, "x")
        assert shown is not None
        values = {field.attributes["var"]: value(field) for field in shown.children}
        assert (values["pubsub#title"], values["pubsub#description"], values["pubsub#type"]) == (
            "News",
            "all of it",
            "urn:e",
        )


class TestKeeping:
    def test_a_configuration_is_read_as_it_was_written(self) -> None:
        configs = [NodeConfig(), NodeConfig(title="a 'b' <c> \"d\"", description="é", type="urn:x")]
        for field in fields_of(NodeConfig()):
            if field.type == "boolean":
                configs.append(changed(NodeConfig(), {field.var: "0" if field.value == "1" else "1"}))
            configs += [changed(NodeConfig(), {field.var: option.value}) for option in field.options]
        for config in configs:
            read = read_meta(write_meta(config))
            assert fields_of(read)[:3] == fields_of(config)[:3]
            assert changed(read, {"pubsub#max_items": str(config.max_items)}) == config

    @pytest.mark.parametrize(
        "meta", [b"", b"<class>x</class>", b"<node p:x='1'/>", b"<node title='x'", b"<nodes a='b'/>"]
    )
    def test_meta_data_of_native_clients_configure_nothing(self, meta: bytes) -> None:
        assert read_meta(meta) == NodeConfig()

    def test_texts_are_one_line_of_limited_length(self) -> None:
        config = changed(NodeConfig(), {"pubsub#title": " a\n b ", "pubsub#description": "x" * 1000})
        assert config.title == "a b"
        assert len(config.description) == MAX_TEXT

    def test_fields_that_nobody_knows_change_nothing(self) -> None:
        assert changed(NodeConfig(), {"pubsub#unknown": "1", "title": "x", "": ""}) == NodeConfig()

    def test_a_boolean_is_one_of_four_words(self) -> None:
        for word, meant in (("0", False), ("false", False), ("1", True), ("true", True)):
            assert changed(NodeConfig(), {"pubsub#notify_retract": word}).notify_retract is meant
        with pytest.raises(StanzaError):
            changed(NodeConfig(), {"pubsub#notify_retract": "TRUE"})
