"""What else than messages a stream that is resumed after a crash must not miss: answers, pushes, copies, presence."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from broker.model.records import EPHEMERAL
from broker.xml.tree import Tree
from broker.xmpp.accounts import Account, Accounts
from broker.xmpp.features.departed import PRESENT
from broker.xmpp.settings import Durable
from broker.xmpp.wire import ns
from tests.xmpp.world import Peer, World, befriend, settings

JOE, JACK = "joe@localhost/x", "jack@localhost/y"
ROSTER_GET = f"<iq type='get' id='1'><query xmlns='{ns.ROSTER}'/></iq>"
NAME_MARY = f"<iq type='set' id='2'><query xmlns='{ns.ROSTER}'><item jid='mary@localhost' name='M'/></query></iq>"


def resumed(world: World, peer: Peer) -> tuple[Peer, list[Tree]]:
    """The client of a stream goes on; with what came right after its resumption."""
    new = world.peer()
    new.login(peer.jid.partition("@")[0])
    answer, *came = new.resume(peer.id, peer.h)
    assert answer.name == "resumed", answer
    new.jid = peer.jid
    return new, came


def pushes(trees: list[Tree], namespace: str = ns.ROSTER, name: str = "query") -> list[list[str]]:
    """Addresses that each push names."""
    payloads = [tree.find(namespace, name) for tree in trees if tree.attributes.get("type") == "set"]
    return [[item.attributes["jid"] for item in payload.children] for payload in payloads if payload is not None]


def answers(trees: list[Tree]) -> list[tuple[str, str]]:
    """Id and type of each answer."""
    found = [tree.attributes for tree in trees if tree.name == "iq" and tree.attributes["type"] in ("result", "error")]
    return [(attributes["id"], attributes["type"]) for attributes in found]


class TestAnswers:
    @pytest.mark.parametrize("request_", [ROSTER_GET, NAME_MARY], ids=["get", "set"])
    def test_one_to_a_request_that_was_counted_comes_once(self, quiet: World, request_: str) -> None:
        jack = quiet.bind(JACK, sm=True)
        quiet.store.commit()
        quiet.store.held = True
        jack.send(request_)
        assert answers(jack.take()) == []  # it is not on disk yet
        new, came = resumed(quiet.crash(committed=True), jack)
        assert len(answers(came)) == 1
        assert new.count() == 2  # with its presence: it will not be sent again
        assert answers(new.take()) == []

    @pytest.mark.parametrize("request_", [ROSTER_GET, NAME_MARY], ids=["get", "set"])
    def test_request_that_was_not_counted_has_no_answer_until_it_is_sent_again(
        self, quiet: World, request_: str
    ) -> None:
        jack = quiet.bind(JACK, sm=True)
        quiet.store.commit()
        quiet.store.held = True
        jack.send(request_)
        new, came = resumed(quiet.crash(committed=False), jack)
        assert answers(came) == []
        assert new.count() == 1
        new.send(request_)
        assert len(answers(new.take())) == 1

    def test_one_that_the_client_has_counted_does_not_come_again(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        jack.send(ROSTER_GET)
        assert answers(jack.take()) == [("1", "result")]
        assert answers(resumed(quiet.crash(), jack)[1]) == []

    def test_one_that_was_on_its_way_does(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        jack.send(ROSTER_GET)
        assert answers(resumed(quiet.crash(), jack)[1]) == [("1", "result")]

    def test_refusal_of_a_message_comes(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        jack.send("<message to='nobody@localhost' id='3'><body>hi</body></message>")
        (refused,) = resumed(quiet.crash(), jack)[1]
        assert (refused.attributes["id"], refused.attributes["type"]) == ("3", "error")

    def test_requests_between_clients_and_their_answers_come(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE, sm=True), quiet.bind(JACK, sm=True)
        joe.send(f"<iq type='get' id='4' to='{JACK}'><query xmlns='a'/></iq>")
        again = quiet.crash()
        new_jack, came = resumed(again, jack)
        asked = [tree for tree in came if tree.name == "iq"]
        assert [tree.attributes["from"] for tree in asked] == [JOE]
        new_jack.send(f"<iq type='result' id='4' to='{JOE}'/>")
        assert answers(resumed(again.crash(), joe)[1]) == [("4", "result")]

    def test_answer_of_a_session_that_nobody_resumes_goes_to_no_other(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        jack.send(ROSTER_GET)
        again = quiet.crash()
        again.advance(601)
        new = again.bind("jack@localhost/z", presence=None)
        assert new.come() == []
        assert list(again.store.tables.entries()) == []

    def test_nor_does_one_of_a_session_that_cannot_be_read(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        jack.send(ROSTER_GET)
        joe.send(f"<message type='chat' to='{JACK}'><body>hi</body></message>")
        quiet.store.commit()
        tables = quiet.store.tables
        tables.sessions = {id: record._replace(state=b"x") for id, record in tables.sessions.items()}
        again = quiet.crash()
        new = again.bind("jack@localhost/z", presence=None)
        assert [tree.name for tree in new.come()] == ["message"]

    def test_none_is_stored_for_streams_that_do_not_survive_themselves(self) -> None:
        world = World(settings(sm_ask=False, sm_durable=Durable.MESSAGES))
        jack = world.bind(JACK, sm=True)
        jack.send(ROSTER_GET)
        world.store.commit()
        assert not any(entry.flags & EPHEMERAL for entry in world.store.tables.entries())
        assert answers(jack.take()) == [("1", "result")]


class TestPushes:
    def test_change_of_a_roster_comes(self, quiet: World) -> None:
        one, two = quiet.bind(JACK, sm=True), quiet.bind("jack@localhost/z")
        one.send(ROSTER_GET)
        one.take()
        two.send(NAME_MARY)
        assert pushes(resumed(quiet.crash(), one)[1]) == [["mary@localhost"]]

    def test_so_does_one_for_a_client_that_is_away(self, quiet: World) -> None:
        one, two = quiet.bind(JACK, sm=True), quiet.bind("jack@localhost/z")
        one.send(ROSTER_GET)
        one.take()
        one.cut()
        two.send(NAME_MARY)
        two.send(NAME_MARY.replace("mary", "joe"))
        assert pushes(resumed(quiet.crash(), one)[1]) == [["mary@localhost"], ["joe@localhost"]]

    def test_change_of_a_block_list_comes(self, quiet: World) -> None:
        one, two = quiet.bind(JACK, sm=True), quiet.bind("jack@localhost/z")
        one.send(f"<iq type='get' id='5'><blocklist xmlns='{ns.BLOCKING}'/></iq>")
        one.take()
        two.send(f"<iq type='set' id='6'><block xmlns='{ns.BLOCKING}'><item jid='mary@localhost'/></block></iq>")
        came = resumed(quiet.crash(), one)[1]
        assert pushes(came, ns.BLOCKING, "block") == [["mary@localhost"]]

    def test_request_for_presence_and_approval_come_once(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE, sm=True), quiet.bind(JACK, sm=True)
        joe.send(ROSTER_GET)
        joe.take()
        joe.send("<presence type='subscribe' to='jack@localhost'/>")
        joe.take()
        again = quiet.crash()
        new, came = resumed(again, jack)
        assert [tree.attributes["type"] for tree in came] == ["subscribe"]
        new.send("<presence type='subscribed' to='joe@localhost'/>")
        again = again.crash()
        _, came = resumed(again, joe)
        assert [tree.attributes.get("type") for tree in came if tree.name == "presence"] == ["subscribed", None]
        assert pushes(came) == [["jack@localhost"]]
        assert resumed(again, new)[1] == []

    @pytest.mark.parametrize("direction", ["sent", "received"])
    def test_copies_of_messages_come(self, quiet: World, direction: str) -> None:
        watching, writing = quiet.bind(JACK, sm=True), quiet.bind("jack@localhost/z")
        joe = quiet.bind(JOE)
        watching.send(f"<iq type='set' id='7'><enable xmlns='{ns.CARBONS}'/></iq>")
        watching.take()
        if direction == "sent":
            writing.send(f"<message type='chat' to='{JOE}'><body>hi</body></message>")
        else:
            joe.send("<message type='chat' to='jack@localhost/z'><body>hi</body></message>")
        (copy,) = [tree for tree in resumed(quiet.crash(), watching)[1] if tree.name == "message"]
        assert copy.find(ns.CARBONS, direction) is not None


class TestPresence:
    def test_who_has_gone_with_the_broker_is_shown_as_unavailable(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        (gone,) = resumed(quiet.crash(), jack)[1]
        assert (gone.attributes["from"], gone.attributes["type"]) == (JOE, "unavailable")

    def test_so_is_a_resource_of_the_own_account(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        quiet.bind("jack@localhost/z")
        jack.take()
        (gone,) = resumed(quiet.crash(), jack)[1]
        assert (gone.attributes["from"], gone.attributes["type"]) == ("jack@localhost/z", "unavailable")

    @pytest.mark.parametrize("available", [True, False])
    @pytest.mark.parametrize("to", [JACK, "jack@localhost"])
    def test_stranger_that_had_directed_presence_at_it_is_shown_as_unavailable(
        self, quiet: World, to: str, *, available: bool
    ) -> None:
        # RFC 6121 §4.6.3
        joe, jack = quiet.bind(JOE, presence="<presence/>" if available else None), quiet.bind(JACK, sm=True)
        joe.send(f"<presence to='{to}'/>")
        assert jack.one().attributes["from"] == JOE
        (gone,) = resumed(quiet.crash(), jack)[1]
        assert (gone.attributes["from"], gone.attributes["type"]) == (JOE, "unavailable")

    def test_stranger_that_went_while_the_client_was_away_is_shown_as_unavailable(self, quiet: World) -> None:
        for way in ("<presence type='unavailable'/>", f"<presence to='{JACK}' type='unavailable'/>", ""):
            joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
            joe.send(f"<presence to='{JACK}'/>")
            jack.take()
            jack.cut()
            if way:
                joe.send(way)
            else:
                joe.cut()
            (gone,) = resumed(quiet.crash(), jack)[1]
            assert (gone.attributes["from"], gone.attributes["type"]) == (JOE, "unavailable")
            quiet = World(settings(sm_ask=False, idle=-1))

    def test_stranger_that_took_its_presence_back_is_not_spoken_of(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        joe.send(f"<presence to='{JACK}'/>")
        joe.send(f"<presence to='{JACK}' type='unavailable'/>")
        jack.take()
        assert resumed(quiet.crash(), jack)[1] == []

    def test_contact_that_had_directed_presence_too_is_shown_as_unavailable_once(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        joe.send(f"<presence to='{JACK}'/>")
        befriend(joe, jack)
        (gone,) = resumed(quiet.crash(), jack)[1]
        assert (gone.attributes["from"], gone.attributes["type"]) == (JOE, "unavailable")

    def test_nothing_is_left_of_strangers_who_went(self, quiet: World) -> None:
        joe = quiet.bind(JOE, presence=None)
        quiet.bind(JACK, sm=True)
        joe.send(f"<presence to='{JACK}'/>")
        again = quiet.crash()
        again.store.commit()
        assert not [record for record in again.store.tables.documents.values() if record.kind == PRESENT]

    @pytest.mark.parametrize("data", [b"{", b"[]", b"[" * 99_999, b'{"available":true}', b"\xff"])
    def test_record_that_cannot_be_read_keeps_no_client_from_being_told(self, quiet: World, data: bytes) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        (record,) = [record for record in quiet.store.tables.documents.values() if record.kind == PRESENT]
        quiet.store.put_document(record._replace(data=data))
        (gone,) = resumed(quiet.crash(), jack)[1]
        assert (gone.attributes["from"], gone.attributes["type"]) == (JOE, "unavailable")

    def test_who_had_left_before_is_not_spoken_of(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        quiet.bind("jack@localhost/z").cut()
        jack.take()
        assert resumed(quiet.crash(), jack)[1] == []

    def test_who_came_back_before_is_shown_as_it_is(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        again = quiet.crash()
        again.bind(JOE)
        came = resumed(again, jack)[1]
        assert [tree.attributes.get("type") for tree in came][-1] is None
        assert {tree.attributes["from"] for tree in came} == {JOE}

    def test_it_is_told_also_where_the_broker_dies_again_before(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        third = quiet.crash().crash()
        came = resumed(third, jack)[1]
        assert {(tree.attributes["from"], tree.attributes["type"]) for tree in came} >= {(JOE, "unavailable")}

    def test_nothing_is_left_of_those_who_went(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        quiet.store.commit()
        assert [record.name for record in quiet.store.tables.documents.values() if record.kind == PRESENT] == [JOE]
        again = quiet.crash()
        again.store.commit()
        assert not [record for record in again.store.tables.documents.values() if record.kind == PRESENT]

    def test_client_that_is_back_before_its_contacts_are_read_is_told_then(
        self, quiet: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        joe, mary, jack = quiet.bind(JOE), quiet.bind("mary@localhost/z", sm=True), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        befriend(mary, jack)
        read: Deferred[None] = Deferred()
        reload = Accounts.reload

        async def late(accounts: Accounts, account: Account) -> None:
            await read
            await reload(accounts, account)

        monkeypatch.setattr(Accounts, "reload", late)
        again = quiet.crash()
        new, came = resumed(again, jack)
        assert came == []
        read.callback(None)
        again.turn()
        shown = {(tree.attributes["from"], tree.attributes.get("type")) for tree in new.take()}
        assert shown == {(JOE, "unavailable"), ("mary@localhost/z", None)}

    def test_contact_whose_stream_ended_unheard_is_shown_as_unavailable(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE, sm=True), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        joe.send("</stream:stream>")
        (gone,) = resumed(quiet.crash(), jack)[1]
        assert (gone.attributes["from"], gone.attributes["type"]) == ("joe@localhost", "unavailable")

    def test_who_is_there_is_shown_as_it_is(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE, sm=True), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        joe.send("<presence><show>away</show></presence>")
        (shown,) = resumed(quiet.crash(), jack)[1]
        assert (shown.attributes["from"], shown.text_of(ns.CLIENT, "show")) == (JOE, "away")

    def test_who_is_not_to_be_seen_any_more_is_not(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE, sm=True), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        joe.send("<presence type='unsubscribed' to='jack@localhost'/>")
        came = resumed(quiet.crash(), jack)[1]
        assert [(tree.attributes["from"], tree.attributes["type"]) for tree in came] == [(JOE, "unavailable")]

    def test_what_nobody_has_asked_to_see_is_not_shown(self, quiet: World) -> None:
        quiet.bind(JOE, sm=True)
        jack = quiet.bind(JACK, sm=True)
        assert resumed(quiet.crash(), jack)[1] == []

    def test_client_that_is_not_available_is_told_nothing(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE, sm=True), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        jack.send("<presence type='unavailable'/>")
        assert resumed(quiet.crash(), jack)[1] == []

    def test_it_is_told_once(self, quiet: World) -> None:
        joe, jack = quiet.bind(JOE, sm=True), quiet.bind(JACK, sm=True)
        befriend(joe, jack)
        again = quiet.crash()
        new, came = resumed(again, jack)
        assert [tree.name for tree in came] == ["presence"]
        assert resumed(again, new)[1] == []
