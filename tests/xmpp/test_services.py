"""What clients expect of a server beside messages (spec xmpp §3)."""

from __future__ import annotations

import platform

import pytest

from broker import __version__
from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.errors import BrokerError, Code
from broker.xml.tree import Tree
from broker.xmpp.features.disco import SERVER_INFO
from broker.xmpp.settings import settings_of
from broker.xmpp.wire import ns
from tests.xmpp.test_presence import friends, presences
from tests.xmpp.test_routing import condition, message
from tests.xmpp.world import Peer, World, settings


@pytest.fixture
def world() -> World:
    return World(settings(idle=-1))


def properties(values: dict[str, str]) -> Properties:
    """What an operator has set."""
    return Properties([Setting(name, value, "test") for name, value in values.items()])


def ask(peer: Peer, type: str, payload: str, to: str = "") -> Tree:
    """Ask the server or an account; returns the answer."""
    peer.take()
    target = f" to='{to}'" if to else ""
    peer.send(f"<iq type='{type}' id='q'{target}>{payload}</iq>")
    (answer,) = [tree for tree in peer.take() if tree.attributes.get("id") == "q"]
    return answer


def ok(peer: Peer, type: str, payload: str, to: str = "") -> Tree | None:
    """The same, for what must succeed; returns the payload."""
    answer = ask(peer, type, payload, to)
    assert answer.attributes["type"] == "result", answer.to_bytes()
    return answer.children[0] if answer.children else None


class TestSoftware:
    @pytest.mark.parametrize("to", ["localhost", "joe@localhost", ""])
    def test_pings_are_answered(self, world: World, to: str) -> None:
        # XEP-0199
        assert ok(world.bind("joe@localhost/x"), "get", f"<ping xmlns='{ns.PING}'/>", to) is None

    def test_a_ping_to_another_client_is_its_own_to_answer(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(f"<iq type='get' id='p' to='jack@localhost/y'><ping xmlns='{ns.PING}'/></iq>")
        assert jack.one().attributes["from"] == "joe@localhost/x"

    def test_the_version_is_told(self, world: World) -> None:
        # XEP-0092
        query = ok(world.bind("joe@localhost/x"), "get", f"<query xmlns='{ns.VERSION}'/>", "localhost")
        assert query is not None
        assert query.text_of(ns.VERSION, "version") == __version__
        assert query.find(ns.VERSION, "os") is None

    def test_the_operating_system_is_told_where_the_operator_wants_it(self) -> None:
        # XEP-0092 §5
        world = World(settings(show_system=True))
        query = ok(world.bind("joe@localhost/x"), "get", f"<query xmlns='{ns.VERSION}'/>", "localhost")
        assert query is not None
        assert query.text_of(ns.VERSION, "os") == platform.system()

    def test_the_time_is_told(self, world: World) -> None:
        # XEP-0202
        time = ok(world.bind("joe@localhost/x"), "get", f"<time xmlns='{ns.TIME}'/>", "localhost")
        assert time is not None
        assert time.text_of(ns.TIME, "utc") == "1970-01-12T13:46:40Z"


class TestDisco:
    def test_the_server_names_what_it_serves(self, world: World) -> None:
        query = ok(world.bind("joe@localhost/x"), "get", f"<query xmlns='{ns.DISCO_INFO}'/>", "localhost")
        assert query is not None
        identity = query.find(ns.DISCO_INFO, "identity")
        assert identity is not None
        assert (identity.attributes["category"], identity.attributes["type"]) == ("server", "im")
        features = {each.attributes["var"] for each in query.find_all(ns.DISCO_INFO, "feature")}
        served = {ns.PING, ns.VERSION, ns.TIME, ns.LAST, ns.PRIVATE, ns.VCARD, ns.BLOCKING, ns.CARBONS, ns.OFFLINE}
        assert served <= features

    def test_every_feature_that_is_a_request_is_served(self, world: World) -> None:
        offered = world.service.domain.features[""]
        served = {namespace for _, namespace, _ in world.service.domain.iqs[""]}
        served |= {namespace for _, namespace, _ in world.service.domain.iqs["@"]}
        assert offered - served == {ns.STABLE_ID, ns.OFFLINE}

    def test_every_request_that_is_served_is_offered(self, world: World) -> None:
        domain = world.service.domain
        offered = domain.features[""] | domain.features["@"]
        served = {namespace for where in ("", "@") for _, namespace, _ in domain.iqs[where]}
        assert served - offered == {ns.ROSTER, ns.SESSION}  # every server has a roster (RFC 6121 §2)

    def test_an_account_shows_itself_to_those_who_may_see_it(self, world: World) -> None:
        # XEP-0030 §8
        joe, _ = friends(world)
        query = ok(joe, "get", f"<query xmlns='{ns.DISCO_INFO}'/>", "jack@localhost")
        assert query is not None
        items = ok(joe, "get", f"<query xmlns='{ns.DISCO_ITEMS}'/>", "jack@localhost")
        assert items is not None
        assert [each.attributes["jid"] for each in items.children] == ["jack@localhost/y"]
        mary = world.bind("mary@localhost/m")
        for jid in ("jack@localhost", "nobody@localhost"):
            answer = ask(mary, "get", f"<query xmlns='{ns.DISCO_INFO}'/>", jid)
            assert condition(answer) == "service-unavailable"
            items = ok(mary, "get", f"<query xmlns='{ns.DISCO_ITEMS}'/>", jid)
            assert items is not None
            assert items.children == []

    def test_an_unknown_node_is_not_found(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        for namespace in (ns.DISCO_INFO, ns.DISCO_ITEMS):
            answer = ask(joe, "get", f"<query xmlns='{namespace}' node='n'/>", "localhost")
            assert condition(answer) == "item-not-found"

    def test_an_identity_without_a_name_has_no_empty_one(self, world: World) -> None:
        # XEP-0030 §3.1
        joe = world.bind("joe@localhost/x")
        query = ok(joe, "get", f"<query xmlns='{ns.DISCO_INFO}'/>", "joe@localhost")
        assert query is not None
        identity = query.find(ns.DISCO_INFO, "identity")
        assert identity is not None
        assert identity.attributes == {"category": "account", "type": "registered"}

    def test_nobody_is_told_of_contact_addresses_where_there_are_none(self, world: World) -> None:
        query = ok(world.bind("joe@localhost/x"), "get", f"<query xmlns='{ns.DISCO_INFO}'/>", "localhost")
        assert query is not None
        assert query.find(ns.DATA_FORMS, "x") is None

    def test_contact_addresses_are_told_at_the_server_only(self) -> None:
        # XEP-0157 §3, XEP-0128
        given = settings_of(properties({"xmpp.contact[abuse]": "mailto:a@b.example  xmpp:a@b.example?message;x=<&>"}))
        joe = World(settings(contacts=given.contacts)).bind("joe@localhost/x")
        query = ok(joe, "get", f"<query xmlns='{ns.DISCO_INFO}'/>", "localhost")
        assert query is not None
        (form,) = query.find_all(ns.DATA_FORMS, "x")
        assert form.attributes["type"] == "result"
        fields = {
            field.attributes["var"]: [value.text for value in field.find_all(ns.DATA_FORMS, "value")]
            for field in form.find_all(ns.DATA_FORMS, "field")
        }
        assert fields == {
            "FORM_TYPE": [SERVER_INFO],
            "abuse-addresses": ["mailto:a@b.example", "xmpp:a@b.example?message;x=<&>"],
        }
        for elsewhere in ("joe@localhost", "pubsub.localhost"):
            query = ok(joe, "get", f"<query xmlns='{ns.DISCO_INFO}'/>", elsewhere)
            assert query is not None
            assert query.find(ns.DATA_FORMS, "x") is None

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("xmpp.contact[boss]", "mailto:a@b.example", "not one of abuse, admin"),
            ("xmpp.contact[abuse]", "a@b.example", "does not begin like mailto:"),
            ("xmpp.domain", " ", "xmpp.domain: .* has no domain"),
            ("xmpp.domain", "a..b", "xmpp.domain: .* has no domain"),
            ("xmpp.domain", "joe@b.example", "is an address and no domain"),
        ],
    )
    def test_settings_that_nobody_could_use_are_refused(self, name: str, value: str, reason: str) -> None:
        with pytest.raises(BrokerError, match=reason) as raised:
            settings_of(properties({name: value}))
        assert raised.value.code is Code.RESOURCE_CONFIGURATION


class TestStorage:
    def test_private_xml_is_kept_also_over_a_crash(self, world: World) -> None:
        # XEP-0049
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", f"<query xmlns='{ns.PRIVATE}'><notes xmlns='urn:notes'>buy &lt;milk&gt;</notes></query>")
        again = world.crash()
        query = ok(
            again.bind("joe@localhost/x"), "get", f"<query xmlns='{ns.PRIVATE}'><notes xmlns='urn:notes'/></query>"
        )
        assert query is not None
        assert query.text_of("urn:notes", "notes") == "buy <milk>"

    def test_what_was_never_kept_is_empty(self, world: World) -> None:
        query = ok(world.bind("joe@localhost/x"), "get", f"<query xmlns='{ns.PRIVATE}'><n xmlns='urn:n'/></query>")
        assert query is not None
        assert query.to_bytes() == b"<query xmlns='jabber:iq:private'><n xmlns='urn:n'/></query>"

    @pytest.mark.parametrize(
        ("payload", "to", "expected"),
        [
            ("<n xmlns='urn:n'/>", "jack@localhost", "forbidden"),
            ("", "", "bad-request"),
            ("<a xmlns='urn:a'/><b xmlns='urn:b'/>", "", "bad-request"),
            (f"<n xmlns='urn:n'>{'x' * 70_000}</n>", "", "not-acceptable"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, world: World, payload: str, to: str, expected: str) -> None:
        joe = world.bind("joe@localhost/x")
        answer = ask(joe, "set", f"<query xmlns='{ns.PRIVATE}'>{payload}</query>", to)
        assert condition(answer) == expected

    def test_there_is_a_limit(self) -> None:
        world = World(settings(max_private=1))
        joe = world.bind("joe@localhost/x")
        ok(joe, "set", f"<query xmlns='{ns.PRIVATE}'><a xmlns='urn:a'/></query>")
        ok(joe, "set", f"<query xmlns='{ns.PRIVATE}'><a xmlns='urn:a'>again</a></query>")
        other = ask(world.bind("joe@localhost/z"), "set", f"<query xmlns='{ns.PRIVATE}'><c xmlns='urn:c'/></query>")
        assert condition(other) == "resource-constraint"  # whichever of its resources asks
        answer = ask(joe, "set", f"<query xmlns='{ns.PRIVATE}'><b xmlns='urn:b'/></query>")
        assert condition(answer) == "resource-constraint"

    def test_a_card_is_everybodys_to_read_and_its_owners_to_write(self, world: World) -> None:
        # XEP-0054
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        assert condition(ask(jack, "get", f"<vCard xmlns='{ns.VCARD}'/>", "joe@localhost")) == "service-unavailable"
        ok(joe, "set", f"<vCard xmlns='{ns.VCARD}'><FN>Joe</FN></vCard>")
        card = ok(jack, "get", f"<vCard xmlns='{ns.VCARD}'/>", "joe@localhost")
        assert card is not None
        assert card.text_of(ns.VCARD, "FN") == "Joe"
        assert condition(ask(jack, "set", f"<vCard xmlns='{ns.VCARD}'/>", "joe@localhost")) == "forbidden"


class TestBlocking:
    def block(self, peer: Peer, jid: str) -> None:
        ok(peer, "set", f"<block xmlns='{ns.BLOCKING}'><item jid='{jid}'/></block>")

    def test_who_is_blocked_reaches_nobody_and_sees_nobody(self, world: World) -> None:
        # XEP-0191 §3.3
        joe, jack = friends(world)
        self.block(jack, "joe@localhost")
        assert presences(joe) == [("unavailable", "jack@localhost/y")]
        joe.send(message("jack@localhost/y"))
        assert condition(joe.one()) == "service-unavailable"
        joe.send("<iq type='get' id='1' to='jack@localhost/y'><q xmlns='u'/></iq>")
        assert condition(joe.one()) == "service-unavailable"
        joe.send("<presence to='jack@localhost/y'/>")
        assert jack.come("<presence><show>away</show></presence>") == []
        assert joe.take() == []

    def test_who_blocks_cannot_write_either(self, world: World) -> None:
        joe, jack = friends(world)
        self.block(jack, "joe@localhost")
        jack.send(message("joe@localhost"))
        refused = jack.one()
        assert condition(refused) == "not-acceptable"
        error = refused.find(ns.CLIENT, "error")
        assert error is not None
        assert error.find(ns.BLOCKING_ERRORS, "blocked") is not None
        assert joe.take()[-1].name == "presence"

    def test_who_is_unblocked_sees_again(self, world: World) -> None:
        joe, jack = friends(world)
        self.block(jack, "joe@localhost")
        joe.take()
        ok(jack, "set", f"<unblock xmlns='{ns.BLOCKING}'><item jid='joe@localhost'/></unblock>")
        assert presences(joe) == [("", "jack@localhost/y")]
        joe.send(message("jack@localhost/y"))
        assert jack.bodies() == ["hi"]

    def test_the_list_survives_a_crash_and_is_pushed(self, world: World) -> None:
        one, two = world.bind("jack@localhost/1"), world.bind("jack@localhost/2")
        ok(two, "get", f"<blocklist xmlns='{ns.BLOCKING}'/>")
        self.block(one, "elsewhere.example")
        (push,) = two.take()
        assert push.find(ns.BLOCKING, "block") is not None
        again = world.crash()
        listed = ok(again.bind("jack@localhost/1"), "get", f"<blocklist xmlns='{ns.BLOCKING}'/>")
        assert listed is not None
        assert [each.attributes["jid"] for each in listed.children] == ["elsewhere.example"]
        ok(again.bind("jack@localhost/1"), "set", f"<unblock xmlns='{ns.BLOCKING}'/>")

    @pytest.mark.parametrize("jid", ["jack@localhost", "jack@localhost/y", "localhost"])
    def test_nobody_locks_themselves_out(self, world: World, jid: str) -> None:
        # XEP-0191 §3.4: the block remains until the user unblocks, so that must stay possible
        jack = world.bind("jack@localhost/y")
        self.block(jack, jid)
        for to in ("", "localhost"):
            ok(jack, "get", f"<ping xmlns='{ns.PING}'/>", to)
        ok(jack, "set", f"<unblock xmlns='{ns.BLOCKING}'><item jid='{jid}'/></unblock>")
        listed = ok(jack, "get", f"<blocklist xmlns='{ns.BLOCKING}'/>")
        assert listed is not None
        assert listed.children == []

    def test_own_resources_see_each_other_in_a_blocked_domain(self, world: World) -> None:
        one, two = world.bind("jack@localhost/1"), world.bind("jack@localhost/2")
        self.block(one, "localhost")
        two.take()
        one.send("<presence><show>away</show></presence>")
        assert presences(two) == [("", "jack@localhost/1")]

    def test_who_is_blocked_with_the_domain_sees_nobody(self, world: World) -> None:
        # XEP-0191 §3.3, §7
        joe, jack = friends(world)
        self.block(jack, "localhost")
        assert presences(joe) == [("unavailable", "jack@localhost/y")]
        ok(jack, "set", f"<unblock xmlns='{ns.BLOCKING}'/>")
        assert presences(joe) == [("", "jack@localhost/y")]

    def test_one_resource_is_blocked_and_another_is_not(self, world: World) -> None:
        joe, jack = friends(world)
        joe2 = world.bind("joe@localhost/x2")
        joe.take()
        self.block(jack, "joe@localhost/x")
        assert presences(joe) == [("unavailable", "jack@localhost/y")]
        assert presences(joe2) == []

    def test_who_is_still_blocked_by_another_entry_sees_nothing(self, world: World) -> None:
        joe, jack = friends(world)
        for jid in ("joe@localhost", "joe@localhost/x"):
            self.block(jack, jid)
        assert presences(joe) == [("unavailable", "jack@localhost/y")], "told once"
        ok(jack, "set", f"<unblock xmlns='{ns.BLOCKING}'><item jid='joe@localhost'/></unblock>")
        assert presences(joe) == []
        ok(jack, "set", f"<unblock xmlns='{ns.BLOCKING}'><item jid='joe@localhost/x'/></unblock>")
        assert presences(joe) == [("", "jack@localhost/y")]

    def test_strangers_do_not_learn_that_they_are_blocked(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        self.block(jack, "joe@localhost")
        ok(jack, "set", f"<unblock xmlns='{ns.BLOCKING}'/>")
        assert joe.take() == []

    @pytest.mark.parametrize("target", ["joe@localhost", "joe@localhost/x"])
    def test_directed_presence_is_withdrawn_once(self, world: World, target: str) -> None:
        # RFC 6121 §4.6
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        jack.send(f"<presence to='{target}'/>")
        joe.take()
        self.block(jack, "joe@localhost")
        assert presences(joe) == [("unavailable", "jack@localhost/y")]
        jack.send("<presence type='unavailable'/>")
        assert presences(joe) == []

    def test_the_list_has_a_limit_that_counts_each_address_once(self) -> None:
        world = World(settings(max_blocked=1))
        jack = world.bind("jack@localhost/y")
        twice = "<item jid='a.example'/><item jid='a.example'/>"
        ok(jack, "set", f"<block xmlns='{ns.BLOCKING}'>{twice}</block>")
        self.block(jack, "a.example")
        answer = ask(jack, "set", f"<block xmlns='{ns.BLOCKING}'><item jid='b.example'/></block>")
        assert condition(answer) == "resource-constraint"

    def test_a_list_of_others_is_nobodys_business(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        answer = ask(joe, "get", f"<blocklist xmlns='{ns.BLOCKING}'/>", "jack@localhost")
        assert condition(answer) == "forbidden"

    def test_presence_of_who_is_blocked_is_not_delivered(self, world: World) -> None:
        # XEP-0191 §3.3
        joe, jack = friends(world)
        self.block(jack, "joe@localhost")
        jack.take()
        for stanza in (
            "<presence><show>away</show></presence>",
            "<presence type='unavailable'/>",
            "<presence type='unsubscribe' to='jack@localhost'/>",
            "<presence type='subscribe' to='jack@localhost'/>",
        ):
            joe.send(stanza)
        assert presences(jack) == []

    def test_presence_to_who_blocks_is_not_answered(self, world: World) -> None:
        joe, jack = friends(world)
        self.block(jack, "joe@localhost")
        joe.take()
        joe.send("<presence type='probe' to='jack@localhost'/>")
        joe.send("<presence type='subscribe' to='jack@localhost'/>")
        assert presences(joe) == []

    def test_an_approval_in_advance_does_not_hold_for_who_is_blocked(self, world: World) -> None:
        # XEP-0191 §3.3, RFC 6121 §3.4
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        ok(joe, "get", f"<query xmlns='{ns.ROSTER}'/>")
        jack.send("<presence type='subscribed' to='joe@localhost'/>")
        self.block(jack, "joe@localhost")
        joe.send("<presence type='subscribe' to='jack@localhost'/>")
        assert presences(joe) == []

    @pytest.mark.parametrize(
        "payload",
        [f"<query xmlns='{ns.DISCO_ITEMS}'/>", f"<query xmlns='{ns.LAST}'/>", f"<vCard xmlns='{ns.VCARD}'/>"],
    )
    def test_requests_to_an_account_that_blocks_are_refused(self, world: World, payload: str) -> None:
        # XEP-0191 §3.3
        joe, jack = friends(world)
        ok(jack, "set", f"<vCard xmlns='{ns.VCARD}'><FN>Jack</FN></vCard>")
        ok(joe, "get", payload, "jack@localhost")
        self.block(jack, "joe@localhost")
        assert condition(ask(joe, "get", payload, "jack@localhost")) == "service-unavailable"

    def test_presence_to_who_is_blocked_is_refused_like_a_message(self, world: World) -> None:
        _, jack = friends(world)
        self.block(jack, "joe@localhost")
        jack.send("<presence to='joe@localhost/x'/>")
        refused = jack.one()
        assert condition(refused) == "not-acceptable"
        error = refused.find(ns.CLIENT, "error")
        assert error is not None
        assert error.find(ns.BLOCKING_ERRORS, "blocked") is not None

    @pytest.mark.parametrize("jid", ["joe@localhost/x", "localhost", "localhost/x"])
    def test_full_addresses_domains_and_their_resources_are_blocked_too(self, world: World, jid: str) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        self.block(jack, jid)
        joe.send(message("jack@localhost/y"))
        assert condition(joe.one()) == "service-unavailable"

    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            ("<block xmlns='urn:xmpp:blocking'/>", "bad-request"),
            ("<block xmlns='urn:xmpp:blocking'><item jid='@@'/></block>", "jid-malformed"),
            ("<unblock xmlns='urn:xmpp:blocking'><x xmlns='urn:x'/></unblock>", "bad-request"),
        ],
    )
    def test_nobody_and_nonsense_are_refused(self, world: World, payload: str, expected: str) -> None:
        assert condition(ask(world.bind("joe@localhost/x"), "set", payload)) == expected


class TestCarbons:
    def enable(self, peer: Peer) -> None:
        assert ok(peer, "set", f"<enable xmlns='{ns.CARBONS}'/>") is None

    def forwarded(self, tree: Tree, direction: str) -> Tree:
        copy = tree.find(ns.CARBONS, direction)
        assert copy is not None, tree.to_bytes()
        forward = copy.find(ns.FORWARD, "forwarded")
        assert forward is not None
        return forward.children[0]

    def test_the_other_resources_of_both_parties_get_copies(self, world: World) -> None:
        # XEP-0280 §7, §8
        joe, joe2 = world.bind("joe@localhost/x"), world.bind("joe@localhost/x2")
        jack, jack2 = world.bind("jack@localhost/y"), world.bind("jack@localhost/y2")
        for peer in (joe2, jack2):
            self.enable(peer)
        joe.send(message("jack@localhost/y"))
        sent = self.forwarded(joe2.take()[-1], "sent")
        assert (sent.attributes["to"], sent.text_of(ns.CLIENT, "body")) == ("jack@localhost/y", "hi")
        received = self.forwarded(jack2.take()[-1], "received")
        assert received.attributes["from"] == "joe@localhost/x"
        assert jack.bodies()[-1] == "hi"

    def test_a_message_that_waits_is_not_copied_to_whom_it_waits_for(self, world: World) -> None:
        # XEP-0280 §7, XEP-0160: else a resource gets it twice when its priority rises.
        joe, joe2 = world.bind("joe@localhost/x"), world.bind("joe@localhost/x2")
        jack = world.bind("jack@localhost/y", presence="<presence><priority>-1</priority></presence>")
        for peer in (joe2, jack):
            self.enable(peer)
        joe.send(message("jack@localhost"))
        assert jack.take() == []
        assert self.forwarded(joe2.take()[-1], "sent").text_of(ns.CLIENT, "body") == "hi"
        jack.send("<presence><priority>1</priority></presence>")
        assert jack.bodies() == ["hi"]

    def test_what_a_resource_leaves_comes_to_one_that_had_a_copy_with_the_id_of_the_copy(self, world: World) -> None:
        # XEP-0359: a copy says nothing of whether the message itself was taken.
        joe = world.bind("joe@localhost/x")
        jack = world.bind("jack@localhost/y", sm=True)
        low = world.bind("jack@localhost/low", presence="<presence><priority>-1</priority></presence>")
        self.enable(low)
        jack.cut()
        joe.send(message("jack@localhost/y"))
        copy = self.forwarded(low.take()[-1], "received").find(ns.STABLE_ID, "stanza-id")
        world.advance(world.service.settings.sm_resume_timeout + 1)
        assert [tree for tree in low.take() if tree.name == "message"] == []
        low.send("<presence><priority>1</priority></presence>")
        (original,) = [tree for tree in low.take() if tree.name == "message"]
        mark = original.find(ns.STABLE_ID, "stanza-id")
        assert copy is not None
        assert mark is not None
        assert mark.attributes == copy.attributes

    def test_a_message_to_oneself_that_waits_is_not_copied(self, world: World) -> None:
        low = "<presence><priority>-1</priority></presence>"
        one, two = world.bind("joe@localhost/1", presence=low), world.bind("joe@localhost/2", presence=low)
        self.enable(two)
        two.take()
        one.send("<message type='chat'><body>note</body></message>")
        assert two.take() == []
        two.send("<presence/>")
        assert two.bodies() == ["note"]

    @pytest.mark.parametrize("id", [" xmlns=q", "' xmlns='urn:q"])
    def test_an_attribute_that_looks_like_a_declaration_changes_no_namespace(self, world: World, id: str) -> None:
        joe, jack2 = world.bind("joe@localhost/x"), world.bind("jack@localhost/y2")
        world.bind("jack@localhost/y")
        self.enable(jack2)
        jack2.take()
        joe.send(f'<message to="jack@localhost/y" type="chat" id="{id}"><body>hi</body></message>')
        copy = self.forwarded(jack2.take()[-1], "received")
        assert (copy.namespace, copy.attributes["id"]) == (ns.CLIENT, id)

    def test_a_stanza_that_declares_its_namespace_is_copied_well(self, world: World) -> None:
        joe, joe2 = world.bind("joe@localhost/x"), world.bind("joe@localhost/x2")
        self.enable(joe2)
        joe.send("<message xmlns='jabber:client' to='jack@localhost' type='chat'><body>hi</body></message>")
        assert self.forwarded(joe2.take()[-1], "sent").text_of(ns.CLIENT, "body") == "hi"

    @pytest.mark.parametrize(
        "stanza",
        [
            "<message to='jack@localhost' type='chat'><body>x</body><private xmlns='urn:xmpp:carbons:2'/></message>",
            "<message to='jack@localhost' type='chat'><body>x</body><no-copy xmlns='urn:xmpp:hints'/></message>",
            "<message to='jack@localhost' type='headline'><body>x</body></message>",
            "<message to='jack@localhost'><x xmlns='urn:x'/></message>",
            "<message to='jack@localhost/y' type='groupchat'><body>x</body></message>",
            "<message to='jack@localhost/y' type='error'><body>x</body></message>",
        ],
    )
    def test_what_is_private_or_no_conversation_is_not_copied(self, world: World, stanza: str) -> None:
        # XEP-0280 §6.1
        joe, joe2 = world.bind("joe@localhost/x"), world.bind("joe@localhost/x2")
        jack = world.bind("jack@localhost/y")
        self.enable(joe2)
        joe2.take()
        joe.send(stanza)
        assert jack.take(), "it has a receiver"
        assert joe2.take() == []

    def test_a_message_of_an_unknown_type_is_a_normal_one(self, world: World) -> None:
        # RFC 6121 §5.2.2
        joe, joe2 = world.bind("joe@localhost/x"), world.bind("joe@localhost/x2")
        self.enable(joe2)
        joe.send("<message to='jack@localhost' type='odd'><body>hi</body></message>")
        assert self.forwarded(joe2.take()[-1], "sent").text_of(ns.CLIENT, "body") == "hi"

    def test_they_can_be_turned_off(self, world: World) -> None:
        joe, joe2 = world.bind("joe@localhost/x"), world.bind("joe@localhost/x2")
        self.enable(joe2)
        assert ok(joe2, "set", f"<disable xmlns='{ns.CARBONS}'/>") is None
        joe2.take()
        joe.send(message("jack@localhost"))
        assert joe2.take() == []


class TestActivity:
    def test_presence_waits_while_nobody_looks(self, world: World) -> None:
        # XEP-0352
        joe, jack = friends(world)
        joe.send(f"<inactive xmlns='{ns.CSI}'/>")
        for show in ("away", "dnd"):
            jack.send(f"<presence><show>{show}</show></presence>")
        assert joe.take() == []
        joe.send(f"<active xmlns='{ns.CSI}'/>")
        (seen,) = joe.take()
        assert seen.text_of(ns.CLIENT, "show") == "dnd"

    def test_messages_do_not_wait(self, world: World) -> None:
        joe, jack = friends(world)
        joe.send(f"<inactive xmlns='{ns.CSI}'/>")
        jack.send(message("joe@localhost/x"))
        assert joe.bodies() == ["hi"]

    @pytest.mark.parametrize("to", ["joe@localhost", "joe@localhost/x"])
    def test_a_message_comes_behind_what_its_sender_said_before(self, world: World, to: str) -> None:
        # RFC 6120 §10.1
        joe, jack = friends(world)
        joe.send(f"<inactive xmlns='{ns.CSI}'/>")
        jack.send("<presence><show>dnd</show></presence>")
        jack.send(message(to))
        assert [tree.name for tree in joe.take()] == ["presence", "message"]

    def test_what_was_held_is_forgotten_with_its_client(self, world: World) -> None:
        joe, jack = friends(world)
        joe.send(f"<inactive xmlns='{ns.CSI}'/>")
        jack.send("<presence><show>dnd</show></presence>")
        assert world.service.domain.delivery.held
        joe.cut()
        assert not world.service.domain.delivery.held
