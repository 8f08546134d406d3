"""Presence, subscriptions, rosters and last activity (RFC 6121 §2–§4; spec xmpp §2.1, §2.2, §2.5)."""

from __future__ import annotations

import pytest

from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.xmpp.test_routing import condition, refusal
from tests.xmpp.world import Peer, World, befriend, settings

JACK = "jack@localhost"


@pytest.fixture
def world() -> World:
    return World(settings(idle=-1))


def interested(world: World, jid: str, **options: object) -> Peer:
    """A client that has asked for its roster."""
    peer = world.bind(jid, presence=None)
    peer.send(f"<iq type='get' id='r'><query xmlns='{ns.ROSTER}'/></iq>")
    peer.take()
    peer.send(str(options.get("presence", "<presence/>")))
    peer.take()
    return peer


def roster(peer: Peer) -> dict[str, dict[str, str]]:
    """The roster, by JID."""
    peer.take()
    peer.send(f"<iq type='get' id='r'><query xmlns='{ns.ROSTER}'/></iq>")
    query = peer.one().find(ns.ROSTER, "query")
    assert query is not None
    return {item.attributes["jid"]: item.attributes for item in query.children}


def set_item(peer: Peer, item: str) -> Tree:
    peer.take()
    peer.send(f"<iq type='set' id='s'><query xmlns='{ns.ROSTER}'>{item}</query></iq>")
    (answer,) = [tree for tree in peer.take() if tree.attributes.get("id") == "s"]
    return answer


def friends(world: World, one: str = "joe@localhost/x", other: str = "jack@localhost/y") -> tuple[Peer, Peer]:
    """Two clients that see each other."""
    joe, jack = interested(world, one), interested(world, other)
    befriend(joe, jack)
    return joe, jack


def presences(peer: Peer) -> list[tuple[str, str]]:
    """Type and sender of the presence that has come."""
    return [
        (tree.attributes.get("type", ""), tree.attributes["from"]) for tree in peer.take() if tree.name == "presence"
    ]


class TestRoster:
    def test_a_contact_is_added_changed_and_pushed_to_interested_resources(self, world: World) -> None:
        # RFC 6121 §2.1.6, §2.3
        one, two = interested(world, "joe@localhost/1"), interested(world, "joe@localhost/2")
        deaf = world.bind("joe@localhost/3")
        for peer in (one, two, deaf):
            peer.take()
        item = "<item jid='jack@localhost' name='Jack'><group>Friends</group></item>"
        one.send(f"<iq type='set' id='s'><query xmlns='{ns.ROSTER}'>{item}</query></iq>")
        assert [tree.attributes["type"] for tree in one.take()] == ["set", "result"]
        (push,) = two.take()
        query = push.find(ns.ROSTER, "query")
        assert query is not None
        (pushed,) = query.children
        assert pushed.attributes == {"jid": JACK, "name": "Jack", "subscription": "none"}
        assert pushed.text_of(ns.ROSTER, "group") == "Friends"
        assert deaf.take() == []

    def test_it_survives_a_crash(self, world: World) -> None:
        joe = interested(world, "joe@localhost/1")
        set_item(joe, "<item jid='jack@localhost' name='Jack'/>")
        again = world.crash()
        assert roster(again.bind("joe@localhost/1"))[JACK]["name"] == "Jack"

    @pytest.mark.parametrize(
        ("item", "expected"),
        [
            ("", "bad-request"),
            ("<item jid='a@localhost'/><item jid='b@localhost'/>", "bad-request"),
            ("<item/>", "bad-request"),
            ("<item jid='@@'/>", "jid-malformed"),
            (f"<item jid='a@localhost' name='{'x' * 2000}'/>", "not-acceptable"),
            ("<item jid='a@localhost'><group/></item>", "not-acceptable"),
            ("<item jid='a@localhost'><group>g</group><group>g</group></item>", "bad-request"),
            ("<item jid='a@localhost' subscription='remove'/>", "item-not-found"),
        ],
    )
    def test_what_is_no_contact_is_refused(self, world: World, item: str, expected: str) -> None:
        # RFC 6121 §2.3.3, §2.5.3
        assert condition(set_item(world.bind("joe@localhost/x"), item)) == expected

    def test_nobody_reads_the_roster_of_another(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        assert refusal(joe, f"<iq type='get' id='1' to='{JACK}'><query xmlns='{ns.ROSTER}'/></iq>") == "forbidden"

    def test_there_is_a_limit(self) -> None:
        world = World(settings(max_contacts=1))
        joe = world.bind("joe@localhost/x")
        assert set_item(joe, "<item jid='a@localhost'/>").attributes["type"] == "result"
        assert condition(set_item(joe, "<item jid='b@localhost'/>")) == "resource-constraint"

    def test_names_and_groups_have_a_limit_together(self) -> None:
        world = World(settings(max_roster_bytes=20))
        joe = world.bind("joe@localhost/x")
        long = "<item jid='a@localhost' name='123456789012345'/>"
        assert set_item(joe, long).attributes["type"] == "result"
        assert condition(set_item(joe, "<item jid='b@localhost'><group>1234567</group></item>")) == (
            "resource-constraint"
        )
        assert set_item(joe, "<item jid='b@localhost'><group>1234</group></item>").attributes["type"] == "result"
        assert condition(set_item(joe, "<item jid='b@localhost' name='123456'/>")) == "resource-constraint"

    def test_a_contact_that_is_removed_leaves_room_in_the_roster(self) -> None:
        world = World(settings(max_roster_bytes=20))
        joe = world.bind("joe@localhost/x")
        for _ in range(3):
            set_item(joe, "<item jid='a@localhost' name='123456789012345'/>")
            assert set_item(joe, "<item jid='a@localhost' subscription='remove'/>").attributes["type"] == "result"
        assert set_item(joe, "<item jid='b@localhost' name='123456789012345'/>").attributes["type"] == "result"

    def test_a_roster_over_its_limit_is_kept_and_may_shrink(self) -> None:
        world = World(settings())
        joe = world.bind("joe@localhost/x")
        set_item(joe, "<item jid='a@localhost' name='123456789012345'/>")
        world.store.commit()
        again = World(settings(max_roster_bytes=5), store=world.crashed(), clock=world.clock)
        joe = again.bind("joe@localhost/x")
        assert condition(set_item(joe, "<item jid='b@localhost' name='1'/>")) == "resource-constraint"
        assert set_item(joe, "<item jid='a@localhost' name='1234567'/>").attributes["type"] == "result"

    def test_one_that_has_not_changed_is_not_sent_again(self, world: World) -> None:
        # RFC 6121 §2.6
        joe = world.bind("joe@localhost/x")
        joe.send(f"<iq type='get' id='1'><query xmlns='{ns.ROSTER}' ver=''/></iq>")
        query = joe.one().find(ns.ROSTER, "query")
        assert query is not None
        version = query.attributes["ver"]
        joe.send(f"<iq type='get' id='2'><query xmlns='{ns.ROSTER}' ver='{version}'/></iq>")
        assert joe.one().children == []
        set_item(joe, "<item jid='jack@localhost'/>")
        joe.send(f"<iq type='get' id='3'><query xmlns='{ns.ROSTER}' ver='{version}'/></iq>")
        assert len(joe.one().children) == 1

    def test_who_is_removed_is_unsubscribed_in_both_directions(self, world: World) -> None:
        # RFC 6121 §2.5.2
        joe, jack = friends(world)
        set_item(joe, "<item jid='jack@localhost' subscription='remove'/>")
        types = [type for type, _ in presences(jack)]
        assert "unsubscribe" in types
        assert "unsubscribed" in types
        assert "unavailable" in types
        assert roster(joe) == {}
        assert roster(jack)["joe@localhost"]["subscription"] == "none"


class TestSubscriptions:
    def test_a_request_is_asked_and_approved(self, world: World) -> None:
        # RFC 6121 §3.1
        joe, jack = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
        joe.send(f"<presence type='subscribe' to='{JACK}'/>")
        assert presences(jack) == [("subscribe", "joe@localhost")]
        assert roster(joe)[JACK]["ask"] == "subscribe"
        assert roster(jack) == {}
        jack.send("<presence type='subscribed' to='joe@localhost'/>")
        assert presences(joe) == [("subscribed", JACK), ("", "jack@localhost/y")]
        assert roster(joe)[JACK]["subscription"] == "to"
        assert roster(jack)["joe@localhost"]["subscription"] == "from"

    def test_a_request_to_somebody_who_is_away_is_asked_at_each_login_until_it_is_answered(self, world: World) -> None:
        # RFC 6121 §3.1.3
        joe = interested(world, "joe@localhost/x")
        joe.send(f"<presence type='subscribe' to='{JACK}'/>")
        again = world.crash()
        for _ in range(2):
            jack = again.bind("jack@localhost/y", presence=None)
            jack.send("<presence/>")
            assert ("subscribe", "joe@localhost") in presences(jack)
            jack.send("</stream:stream>")
        jack = again.bind("jack@localhost/y")
        jack.send("<presence type='unsubscribed' to='joe@localhost'/>")
        jack.send("</stream:stream>")
        jack = again.bind("jack@localhost/y", presence=None)
        assert jack.come() == []
        assert roster(again.bind("joe@localhost/x"))[JACK]["subscription"] == "none"

    @pytest.mark.parametrize(("length", "kept"), [(500, True), (1500, False)])
    def test_a_request_that_is_too_long_to_be_kept_is_refused(self, length: int, kept: bool) -> None:
        world = World(settings(max_request=1000))
        joe = world.bind("joe@localhost/x")
        joe.send(f"<presence type='subscribe' to='{JACK}'><status>{'x' * length}</status></presence>")
        answers = [tree for tree in joe.take() if tree.name == "presence"]
        assert [condition(tree) for tree in answers] == ([] if kept else ["not-acceptable"])
        jack = world.bind("jack@localhost/y", presence=None)
        jack.send("<presence/>")
        assert (("subscribe", "joe@localhost") in presences(jack)) is kept
        assert (JACK in roster(joe)) is kept

    def test_no_more_requests_wait_for_an_account_than_it_may_have_contacts(self) -> None:
        # RFC 6121 §3.1.3, the security warning
        world = World(settings(max_contacts=1))
        for name in ("joe", "mary"):
            world.bind(f"{name}@localhost/x").send(f"<presence type='subscribe' to='{JACK}'/>")
        jack = world.bind("jack@localhost/y", presence=None)
        jack.send("<presence/>")
        assert [each for each in presences(jack) if each[0] == "subscribe"] == [("subscribe", "joe@localhost")]

    def test_a_refusal_is_told(self, world: World) -> None:
        joe, jack = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
        joe.send(f"<presence type='subscribe' to='{JACK}'/>")
        jack.send("<presence type='unsubscribed' to='joe@localhost'/>")
        assert ("unsubscribed", JACK) in presences(joe)
        assert "ask" not in roster(joe)[JACK]

    def test_who_was_approved_before_need_not_ask(self, world: World) -> None:
        # RFC 6121 §3.4
        joe, jack = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
        jack.send("<presence type='subscribed' to='joe@localhost'/>")
        assert roster(jack)["joe@localhost"]["approved"] == "true"
        joe.send(f"<presence type='subscribe' to='{JACK}'/>")
        assert ("subscribed", JACK) in presences(joe)
        assert roster(jack)["joe@localhost"]["subscription"] == "from"

    def test_who_takes_back_its_approval_is_gone_for_the_other(self, world: World) -> None:
        # RFC 6121 §3.2
        joe, jack = friends(world)
        jack.send("<presence type='unsubscribed' to='joe@localhost'/>")
        assert sorted(presences(joe)) == [("unavailable", "jack@localhost/y"), ("unsubscribed", JACK)]
        assert roster(joe)[JACK]["subscription"] == "from"
        assert roster(jack)["joe@localhost"]["subscription"] == "to"

    def test_who_does_not_want_to_see_any_more_does_not(self, world: World) -> None:
        # RFC 6121 §3.3
        joe, jack = friends(world)
        joe.send(f"<presence type='unsubscribe' to='{JACK}'/>")
        assert ("unsubscribe", "joe@localhost") in presences(jack)
        jack.send("<presence><show>away</show></presence>")
        assert ("", "jack@localhost/y") not in presences(joe)

    @pytest.mark.parametrize("type", ["subscribed", "unsubscribed", "unsubscribe"])
    def test_answers_that_nobody_asked_for_change_nothing(self, world: World, type: str) -> None:
        # RFC 6121 Appendix A.3
        joe, jack = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
        joe.send(f"<presence type='{type}' to='{JACK}'/>")
        assert presences(jack) == []
        assert roster(jack) == {}


class TestPresence:
    def test_p1_available_presence_goes_to_subscribers_and_other_resources(self, world: World) -> None:
        joe, jack = friends(world)
        other = interested(world, "jack@localhost/z")
        joe.take()
        jack.take()
        jack.send("<presence><show>away</show><status>lunch</status></presence>")
        assert presences(joe) == [("", "jack@localhost/y")]
        (seen,) = other.take()
        assert seen.text_of(ns.CLIENT, "status") == "lunch"
        assert seen.attributes == {"from": "jack@localhost/y", "to": "jack@localhost"}

    def test_a_resource_is_told_its_own_presence_as_its_account_is(self, world: World) -> None:
        # RFC 6121 §4.2.2, §4.4.2, §4.5.2: everybody is subscribed to their own presence.
        one, two = world.bind("joe@localhost/1", presence=None), world.bind("joe@localhost/2")
        for presence in (
            "<presence id='p1'><status>hi</status></presence>",
            "<presence id='p2'><show>away</show></presence>",
            "<presence id='p3' type='unavailable'/>",
        ):
            one.send(presence)
            own = next(tree for tree in one.take() if tree.attributes["from"] == one.jid)
            other = two.one()
            assert own == other
            assert own.attributes["to"] == "joe@localhost"
            assert own.attributes["id"] in presence

    def test_a_resource_that_has_left_is_told_nothing_more(self, world: World) -> None:
        joe, jack = friends(world)
        joe.send("<presence type='unavailable'/>")
        joe.take()
        jack.send("<presence><show>away</show></presence>")
        joe.send("<presence type='unavailable' id='again'/>")
        assert joe.take() == []

    def test_broadcast_presence_is_addressed_to_the_account_and_keeps_its_id_and_language(self, world: World) -> None:
        # RFC 6121 §4.2.2, §8.5.2.1.2: the address is not rewritten; RFC 6120 §8.1.5
        joe, jack = friends(world)
        joe.take()
        jack.send("<presence id='p1' xml:lang='de'><status>da</status></presence>")
        expected = {"from": "jack@localhost/y", "to": "joe@localhost", "id": "p1", "xml:lang": "de"}
        assert joe.one().attributes == expected
        jack.send("<presence id='p2' type='unavailable'/>")
        gone = {"from": "jack@localhost/y", "to": "joe@localhost", "id": "p2", "type": "unavailable"}
        assert joe.one().attributes == gone

    @pytest.mark.parametrize("to", ["jack@localhost", "jack@localhost/y"])
    def test_directed_presence_and_its_withdrawal_keep_their_address(self, world: World, to: str) -> None:
        # RFC 6121 §4.6.2, §4.6.3
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(f"<presence to='{to}' id='p1'/>")
        assert jack.one().attributes == {"from": "joe@localhost/x", "to": to, "id": "p1"}
        joe.send("<presence type='unavailable' id='p2'/>")
        assert jack.one().attributes == {"from": "joe@localhost/x", "to": to, "id": "p2", "type": "unavailable"}

    def test_who_comes_later_is_told_since_when_others_are_there(self, world: World) -> None:
        # RFC 6121 §4.3.2, XEP-0203
        joe, jack = friends(world)
        joe.send("</stream:stream>")
        jack.send("<presence id='p1'><show>away</show></presence>")
        world.advance(100)
        other = world.bind("joe@localhost/2")
        said = {jack.jid: "1970-01-12T13:46:40.000Z", other.jid: "1970-01-12T13:48:20.000Z"}
        world.advance(100)
        joe = world.bind("joe@localhost/x", presence=None)
        told = {tree.attributes["from"]: tree for tree in joe.come()}
        assert set(told) == set(said)
        for jid, tree in told.items():
            delay = tree.find(ns.DELAY, "delay")
            assert delay is not None
            assert delay.attributes == {"from": "localhost", "stamp": said[jid]}
            assert tree.attributes["to"] == joe.jid
        assert told[jack.jid].attributes["id"] == "p1"

    def test_presence_as_it_is_broadcast_is_not_marked_as_late(self, world: World) -> None:
        joe, jack = friends(world)
        world.advance(10)
        jack.send("<presence/>")
        assert joe.one().find(ns.DELAY, "delay") is None

    def test_who_is_approved_is_told_since_when_the_other_is_there(self, world: World) -> None:
        # RFC 6121 §3.1.5
        joe, jack = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
        world.advance(10)
        joe.send(f"<presence type='subscribe' to='{JACK}'/>")
        jack.send("<presence type='subscribed' to='joe@localhost'/>")
        shown = next(tree for tree in joe.take() if tree.attributes["from"] == "jack@localhost/y")
        delay = shown.find(ns.DELAY, "delay")
        assert delay is not None
        assert delay.attributes["stamp"] == "1970-01-12T13:46:40.000Z"
        assert shown.attributes["to"] == "joe@localhost"

    def test_the_last_unavailable_presence_tells_when_it_was_said(self, world: World) -> None:
        # RFC 6121 §4.3.2, XEP-0203
        joe, jack = friends(world)
        jack.send("<presence type='unavailable'><status>gone fishing</status></presence>")
        joe.send("</stream:stream>")
        world.advance(100)
        (last,) = world.bind("joe@localhost/x", presence=None).come()
        delay = last.find(ns.DELAY, "delay")
        assert delay is not None
        assert delay.attributes["stamp"] == "1970-01-12T13:46:40.000Z"

    def test_when_presence_was_said_survives_a_crash(self, world: World) -> None:
        joe, first = friends(world)
        first.send("</stream:stream>")
        jack = world.bind("jack@localhost/y", sm=True)
        joe.send("</stream:stream>")
        again = world.crash()
        again.advance(50)
        (shown,) = again.bind("joe@localhost/x", presence=None).come()
        assert shown.attributes["from"] == jack.jid
        delay = shown.find(ns.DELAY, "delay")
        assert delay is not None
        assert delay.attributes["stamp"] == "1970-01-12T13:46:40.000Z"

    def test_a_probe_of_one_resource_is_answered_for_that_one(self, world: World) -> None:
        # RFC 6121 §4.3.2
        joe, jack = friends(world)
        interested(world, "jack@localhost/z")
        joe.take()
        joe.send(f"<presence type='probe' to='{jack.jid}'/>")
        assert presences(joe) == [("", jack.jid)]
        joe.send("<presence type='probe' to='jack@localhost/none'/>")
        assert presences(joe) == [("unavailable", "jack@localhost/none")]

    def test_p1_a_new_resource_is_told_who_is_there_once(self, world: World) -> None:
        joe, _ = friends(world)
        joe.send("</stream:stream>")
        again = world.bind("joe@localhost/x", presence=None)
        assert [tree.attributes["from"] for tree in again.come()] == ["jack@localhost/y"]
        assert again.come("<presence><show>away</show></presence>") == []

    def test_p3_unavailable_presence_goes_to_subscribers_and_directed_targets(self, world: World) -> None:
        joe, jack = friends(world)
        mary = world.bind("mary@localhost/m")
        jack.send("<presence to='mary@localhost/m'/>")
        assert presences(mary) == [("", "jack@localhost/y")]
        jack.send("<presence type='unavailable'><status>bye</status></presence>")
        (gone,) = joe.take()
        assert gone.text_of(ns.CLIENT, "status") == "bye"
        assert presences(mary) == [("unavailable", "jack@localhost/y")]
        jack.send("<presence type='unavailable'/>")
        assert presences(mary) == presences(joe) == []

    def test_p4_r5_a_lost_connection_is_a_logout_told_once(self, world: World) -> None:
        joe, jack = friends(world)
        jack.cut()
        assert presences(joe) == [("unavailable", "jack@localhost/y")]

    def test_p4_r5_also_who_was_never_available_is_withdrawn_from_its_targets(self, world: World) -> None:
        mary = world.bind("mary@localhost/m")
        jack = world.bind("jack@localhost/y", presence=None)
        jack.send("<presence to='mary@localhost/m'/>")
        mary.take()
        jack.cut()
        assert presences(mary) == [("unavailable", "jack@localhost/y")]

    def test_p4_r5_a_replaced_session_does_not_mark_its_successor_offline(self, world: World) -> None:
        joe, jack = friends(world)
        new = world.bind("jack@localhost/y")
        assert presences(joe) == [("unavailable", "jack@localhost/y"), ("", "jack@localhost/y")]
        jack.cut()
        assert presences(joe) == []
        assert not new.closed

    def test_p5_a_detached_session_stays_present_until_its_window_ends(self, world: World) -> None:
        joe, first = friends(world)
        first.send("</stream:stream>")
        jack = world.bind("jack@localhost/y", sm=True)
        joe.take()
        jack.cut()
        world.advance(599)
        assert presences(joe) == []
        world.advance(2)
        assert presences(joe) == [("unavailable", "jack@localhost/y")]

    def test_p6_directed_presence_may_be_withdrawn(self, world: World) -> None:
        mary, jack = world.bind("mary@localhost/m"), world.bind("jack@localhost/y")
        jack.send("<presence to='mary@localhost/m'/><presence to='mary@localhost/m' type='unavailable'/>")
        assert [type for type, _ in presences(mary)] == ["", "unavailable"]
        jack.cut()
        assert presences(mary) == []

    def test_p7_a_probe_shows_what_the_prober_may_see(self, world: World) -> None:
        joe, jack = friends(world)
        joe.send(f"<presence type='probe' to='{JACK}'/>")
        assert presences(joe) == [("", "jack@localhost/y")]
        jack.send("<presence type='unavailable'><status>gone fishing</status></presence>")
        joe.take()
        joe.send(f"<presence type='probe' to='{JACK}'/>")
        (last,) = joe.take()
        assert (last.attributes["from"], last.attributes["type"]) == (JACK, "unavailable")
        assert last.text_of(ns.CLIENT, "status") == "gone fishing"

    def test_p7_a_stranger_learns_nothing(self, world: World) -> None:
        mary = world.bind("mary@localhost/m")
        world.bind("jack@localhost/y")
        for jid in (JACK, "nobody@localhost"):
            mary.send(f"<presence type='probe' to='{jid}'/>")
            assert presences(mary) == [("unsubscribed", jid)]

    def test_r6_the_last_status_answers_at_the_next_login_also_after_a_crash(self, world: World) -> None:
        joe, jack = friends(world)
        jack.send("<presence type='unavailable'><status>gone fishing</status></presence>")
        joe.take()
        again = world.crash()
        joe = again.bind("joe@localhost/x", presence=None)
        (last,) = joe.come()
        assert last.text_of(ns.CLIENT, "status") == "gone fishing"

    @pytest.mark.parametrize("priority", ["128", "-129", "x", ""])
    def test_a_priority_is_a_small_number(self, world: World, priority: str) -> None:
        peer = world.bind("joe@localhost/x", presence=None)
        assert refusal(peer, f"<presence><priority>{priority}</priority></presence>") == "bad-request"

    def test_p9_presence_of_unknown_type_or_without_address_is_refused(self, world: World) -> None:
        peer = world.bind("joe@localhost/x")
        assert refusal(peer, f"<presence type='hello' to='{JACK}'/>") == "bad-request"
        assert refusal(peer, "<presence type='subscribe'/>") == "bad-request"

    def test_presence_that_waits_for_a_detached_client_is_the_newest_only(self, world: World) -> None:
        # spec xmpp §1.6
        joe, first = friends(world)
        first.send("</stream:stream>")
        jack = world.bind("jack@localhost/y", sm=True)
        jack.take()
        jack.cut()
        for show in ("away", "dnd", "xa"):
            joe.send(f"<presence><show>{show}</show></presence>")
        new = world.peer()
        new.login("jack")
        (seen,) = [tree for tree in new.resume(jack.id, jack.h) if tree.name == "presence"]
        assert seen.text_of(ns.CLIENT, "show") == "xa"


class TestLastActivity:
    def ask(self, peer: Peer, to: str) -> Tree:
        peer.take()
        peer.send(f"<iq type='get' id='l' to='{to}'><query xmlns='{ns.LAST}'/></iq>")
        return peer.one()

    def seconds(self, peer: Peer, to: str) -> int:
        query = self.ask(peer, to).find(ns.LAST, "query")
        assert query is not None
        return int(query.attributes["seconds"])

    def test_the_server_tells_how_long_it_runs(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        world.advance(100)
        assert self.seconds(joe, "localhost") == 100

    def test_r6_a_contact_that_has_left_tells_when_and_why(self, world: World) -> None:
        joe, jack = friends(world)
        assert self.seconds(joe, JACK) == 0
        jack.send("<presence type='unavailable'><status>bye</status></presence>")
        world.advance(50)
        query = self.ask(joe, JACK).find(ns.LAST, "query")
        assert query is not None
        assert (query.attributes["seconds"], query.text) == ("50", "bye")

    def test_r6_a_farewell_that_is_too_long_to_be_kept_is_forgotten(self) -> None:
        world = World(settings(max_stored=100))
        joe, jack = friends(world)
        jack.send(f"<presence type='unavailable'><status>{'x' * 200}</status></presence>")
        query = self.ask(joe, JACK).find(ns.LAST, "query")
        assert query is not None
        assert (query.attributes["seconds"], query.text) == ("0", "")

    def test_r6_a_lost_connection_counts_too(self, world: World) -> None:
        joe, jack = friends(world)
        jack.cut()
        world.advance(30)
        assert self.seconds(joe, JACK) == 30

    def test_r6_after_a_crash_it_is_the_last_heartbeat(self, world: World) -> None:
        friends(world)
        world.advance(25)
        again = world.crash()
        again.advance(95)
        joe = again.bind("joe@localhost/x")
        assert 95 <= self.seconds(joe, JACK) <= 105

    def test_strangers_learn_nothing(self, world: World) -> None:
        mary = world.bind("mary@localhost/m")
        world.bind("jack@localhost/y")
        for jid in (JACK, "nobody@localhost"):
            assert condition(self.ask(mary, jid)) == "forbidden"
