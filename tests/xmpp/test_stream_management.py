"""Stream management (XEP-0198; the cases of spec xmpp §1.9 by their numbers, and §1.10)."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from twisted.internet.defer import fail

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.core.asker import Asker
from broker.core.entries import QueueLimits
from broker.errors import BrokerError, Code
from broker.model.records import SessionRecord
from broker.xml.tree import Tree
from broker.xmpp.settings import Durable, settings_of
from broker.xmpp.wire import ns, sm
from tests.xmpp.world import HEADER, PASSWORD, Peer, World, settings

R = f"<r xmlns='{ns.SM}'/>"
ENABLE = f"<enable xmlns='{ns.SM}' resume='true'/>"
JACK = "jack@localhost/y"


@pytest.fixture
def world() -> World:
    return World()


def writer_and_two_resources(world: World) -> tuple[Peer, Peer, Peer]:
    """Joe, who writes, and two resources of jack."""
    joe = world.bind("joe@localhost/x")
    return joe, world.bind("jack@localhost/1", sm=True), world.bind("jack@localhost/2", sm=True)


def properties(values: dict[str, str]) -> Properties:
    """What an operator has set."""
    return Properties([Setting(name, value, "test") for name, value in values.items()])


def logged_in(world: World, user: str = "jack") -> Peer:
    peer = world.peer()
    peer.login(user)
    return peer


def chat(sender: Peer, to: str, *bodies: str) -> None:
    for body in bodies:
        sender.send(f"<message to='{to}' type='chat'><body>{body}</body></message>")


def texts(trees: list[Tree]) -> list[str]:
    return [tree.text_of(ns.CLIENT, "body") for tree in trees if tree.name == "message"]


class TestNegotiation:
    def test_1_it_is_a_feature_after_the_login(self, world: World) -> None:
        peer = world.peer()
        (before,) = peer.open()
        assert before.find(ns.SM, "sm") is None
        token = base64.b64encode(f"\0joe\0{PASSWORD}".encode()).decode()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>")
        peer.take()
        (after,) = peer.open()
        assert after.find(ns.SM, "sm") is not None

    def test_2_it_is_enabled_right_after_bind(self, world: World) -> None:
        peer = world.bind(JACK, presence=None)
        assert peer.enable(resume=False).name == "enabled"

    def test_3_or_after_the_old_session_request(self, world: World) -> None:
        peer = world.bind(JACK, presence=None)
        peer.send(f"<iq type='set' id='1'><session xmlns='{ns.SESSION}'/></iq>")
        peer.take()
        assert peer.enable(resume=False).name == "enabled"

    def test_4_not_before_the_login(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        peer.send(ENABLE)
        assert peer.one().find(ns.STANZAS, "unexpected-request") is not None
        assert not peer.closed

    def test_5_not_before_bind_and_then_it_still_can_be(self, world: World) -> None:
        peer = logged_in(world)
        peer.send(ENABLE)
        assert peer.one().find(ns.STANZAS, "unexpected-request") is not None
        peer.bind("y")
        assert peer.enable().name == "enabled"

    def test_6_with_resumption_it_has_an_id(self, world: World) -> None:
        answer = world.bind(JACK, presence=None).enable()
        assert answer.attributes["resume"] == "true"
        assert len(answer.attributes["id"]) > 32
        assert answer.attributes["max"] == "600"

    def test_without_resumption_it_has_none(self, world: World) -> None:
        assert world.bind(JACK, presence=None).enable(resume=False).attributes == {}

    def test_7_twice_ends_the_stream(self, world: World) -> None:
        peer = world.bind(JACK, sm=True)
        peer.send(ENABLE)
        names = peer.names()
        assert names[0] == "failed"
        assert names[-1] == "/"
        assert peer.closed
        assert world.node.sessions == {}

    def test_ids_are_never_the_same(self, world: World) -> None:
        ids = {world.bind(f"joe@localhost/{i}", presence=None).enable().attributes["id"] for i in range(5)}
        assert len(ids) == 5

    @pytest.mark.parametrize("wish", ["resume='maybe'", "resume='true' max='0'", "resume='true' max='x'"])
    def test_garbage_is_a_bad_request_and_may_be_mended(self, world: World, wish: str) -> None:
        # spec xmpp §1.3
        peer = world.bind(JACK, presence=None)
        peer.send(f"<enable xmlns='{ns.SM}' {wish}/>")
        assert peer.one().find(ns.STANZAS, "bad-request") is not None
        assert peer.enable().name == "enabled"

    @pytest.mark.parametrize(("wanted", "given"), [("60", "60"), ("600", "600"), ("100000", "86400")])
    def test_b18_the_client_may_ask_for_a_window_up_to_the_limit(self, world: World, wanted: str, given: str) -> None:
        peer = world.bind(JACK, presence=None)
        assert peer.enable(more=f" max='{wanted}'").attributes["max"] == given

    def test_it_can_be_turned_off(self) -> None:
        world = World(settings(sm_enabled=False))
        peer = world.bind(JACK, presence=None)
        assert peer.enable().find(ns.STANZAS, "feature-not-implemented") is not None
        other = logged_in(world)
        assert other.resume("x", 0)[0].find(ns.STANZAS, "feature-not-implemented") is not None

    def test_so_can_resumption(self) -> None:
        world = World(settings(sm_resume=False))
        assert world.bind(JACK, presence=None).enable().attributes == {}

    def test_the_place_to_resume_is_told(self) -> None:
        world = World(settings(sm_location="cm1.example.org:5222"))
        assert world.bind(JACK, presence=None).enable().attributes["location"] == "cm1.example.org:5222"


class TestCounting:
    def test_10_a_request_is_answered(self, world: World) -> None:
        assert world.bind(JACK, presence=None, sm=True).count() == 0

    def test_11_12_13_each_iq_counts(self, world: World) -> None:
        peer = world.bind(JACK, presence=None, sm=True)
        assert peer.count() == 0
        peer.send(f"<iq type='set' id='1'><session xmlns='{ns.SESSION}'/></iq>")
        assert peer.count() == 1
        peer.send(f"<iq type='get' id='2'><query xmlns='{ns.ROSTER}'/></iq>")
        assert peer.count() == 2

    def test_14_what_the_client_gets_does_not_count(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x", sm=True), quiet.bind(JACK)
        before = joe.count()
        chat(joe, JACK, "1")
        chat(jack, "joe@localhost/x", "2")
        assert joe.count() == before + 1
        chat(joe, JACK, "3", "4")
        assert joe.count() == before + 3

    def test_15_each_presence_counts(self, world: World) -> None:
        peer = world.bind(JACK, presence=None, sm=True)
        peer.send("<presence/><presence><show>away</show></presence><presence type='unavailable'/>")
        assert peer.count() == 3

    def test_16_what_is_refused_counts_too(self, world: World) -> None:
        peer = world.bind(JACK, presence=None, sm=True)
        peer.send("<iq type='get' id='1'><unknown xmlns='urn:unknown'/></iq><message to='@@'><body>x</body></message>")
        assert peer.count() == 2

    def test_17_what_is_no_stanza_does_not(self, world: World) -> None:
        peer = world.bind(JACK, presence=None, sm=True)
        peer.send(f"{R}<active xmlns='{ns.CSI}'/><other xmlns='urn:other'/> \n {R}")
        assert peer.count() == 0

    def test_18_an_answer_without_a_number_ends_the_stream(self, world: World) -> None:
        peer = world.bind(JACK, presence=None, sm=True)
        peer.send(f"<a xmlns='{ns.SM}'/>")
        assert any(tree.find(ns.STREAM_ERRORS, "policy-violation") for tree in peer.take())
        assert peer.closed

    @pytest.mark.parametrize("h", ["x", "-1", "4294967296", "1.0", " 1"])
    def test_so_does_one_with_something_else(self, world: World, h: str) -> None:
        peer = world.bind(JACK, presence=None, sm=True)
        peer.send(f"<a xmlns='{ns.SM}' h='{h}'/>")
        assert peer.closed

    def test_44_more_than_was_sent_ends_the_stream(self, world: World) -> None:
        peer = world.bind(JACK, presence=None, sm=True)
        peer.send(f"<a xmlns='{ns.SM}' h='5'/>")
        (error,) = [tree for tree in peer.take() if tree.name == "error"]
        assert error.find(ns.STREAM_ERRORS, "undefined-condition") is not None
        count = error.find(ns.SM, "handled-count-too-high")
        assert count is not None
        assert count.attributes == {"h": "5", "send-count": "0"}
        assert peer.closed

    def test_b2_stale_answers_change_nothing(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, "1", "2", "3")
        jack.take()
        for h in (2, 1, 2, 0):
            jack.ack(h)
        assert not jack.closed
        assert len(jack.stream.client.dispatch.unacked) == 1  # type: ignore[union-attr, arg-type]

    def test_b4_what_is_pipelined_behind_enable_counts(self, world: World) -> None:
        peer = world.bind(JACK, presence=None)
        peer.send(f"{ENABLE}<presence/><message to='joe@localhost'><body>x</body></message>{R}")
        answers = [tree for tree in peer.take() if tree.name == "a"]
        assert answers[-1].attributes["h"] == "2"

    def test_while_it_is_off_a_request_fails_and_an_answer_is_ignored(self, world: World) -> None:
        # spec xmpp §1.3
        peer = world.bind(JACK, presence=None)
        peer.send(f"{R}<a xmlns='{ns.SM}' h='7'/>")
        assert peer.one().find(ns.STANZAS, "unexpected-request") is not None
        assert not peer.closed

    def test_b1_counters_wrap(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True, presence=None)
        client = jack.stream.client
        assert client is not None
        client.dispatch.unacked = sm.Unacked(sm.MODULUS - 3)
        client.dispatch.handled = sm.MODULUS - 3
        chat(joe, JACK, "1", "2", "3", "4")
        jack.take()
        jack.ack(sm.MODULUS - 1)
        jack.ack(0)
        assert len(client.dispatch.unacked) == 1
        for _ in range(4):
            jack.send("<presence/>")
        assert jack.count() == 1
        jack.cut()
        new = logged_in(quiet)
        trees = new.resume(jack.id, 0)
        assert trees[0].attributes["h"] == "1"
        assert texts(trees) == ["4"]


class TestRequests:
    def test_49_51_a_request_follows_each_burst(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, "1")
        assert jack.names() == ["message", "r"]
        jack.ack()
        chat(joe, JACK, "2")
        assert jack.names() == ["message", "r"]

    def test_one_request_is_in_flight_at_a_time(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, "1", "2", "3")
        assert jack.names() == ["message", "r", "message", "message"]
        jack.ack(1)
        assert jack.names() == ["r"]

    def test_52_a_burst_may_be_longer(self) -> None:
        world = World(settings(sm_ack_every=2))
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, "1", "2", "3", "4")
        assert jack.names() == ["message", "message", "r", "message", "message"]

    @pytest.mark.parametrize(("ask", "every"), [(False, 1), (True, 10), (True, 3)])
    def test_a_request_is_sent_when_the_window_is_full_whatever_else_is_said(self, ask: bool, every: int) -> None:
        world = World(settings(idle=-1, sm_window=5, sm_ask=ask, sm_ack_every=every))
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True)
        chat(joe, JACK, *(str(number) for number in range(30)))
        came = jack.take()
        trees = [*came]
        while any(tree.name == "r" for tree in came):  # a client that tells only what it is asked
            jack.ack()
            came = jack.take()
            trees += came
        assert texts(trees) == [str(number) for number in range(30)]

    def test_a_full_window_is_asked_about_once(self) -> None:
        world = World(settings(idle=-1, sm_window=5, sm_ask=False))
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True)
        chat(joe, JACK, *"123456789")
        assert jack.names().count("r") == 1

    def test_an_answer_that_does_not_come_tells_of_a_dead_connection(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, "1")
        world.advance(59)
        assert not jack.closed
        world.advance(2)
        assert jack.transport.closed
        new = logged_in(world)
        assert texts(new.resume(jack.id, 0)) == ["1"]

    def test_45_a_slow_receiver_is_not_killed_but_waited_for(self) -> None:
        # MongooseIM ends the stream; spec xmpp §1.6
        world = World(settings(sm_window=3))
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, *map(str, range(10)))
        assert jack.bodies() == ["0", "1", "2"]
        jack.ack()
        assert jack.bodies() == ["3", "4", "5"]
        jack.ack()
        jack.take()
        jack.ack()
        assert jack.bodies() == ["9"]
        assert not jack.closed

    def test_50_more_offline_messages_than_the_window_come_as_they_are_acknowledged(self) -> None:
        world = World(settings(sm_window=3))
        joe = world.bind("joe@localhost/x")
        chat(joe, "jack@localhost", *map(str, range(10)))
        jack = world.bind(JACK, sm=True, presence=None)
        jack.send("<presence/>")
        got: list[str] = []
        for _ in range(10):
            got += jack.bodies()
            jack.ack()
        assert got == [str(i) for i in range(10)]


class TestResumption:
    def test_20_21_22_what_was_not_acknowledged_comes_again_in_order(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, "1", "2", "3", "4")
        jack.take()
        jack.cut()
        assert len(quiet.node.sessions) == 2
        new = logged_in(quiet)
        trees = new.resume(jack.id, 1)
        assert trees[0].name == "resumed"
        assert trees[0].attributes == {"h": "0", "previd": jack.id}
        assert texts(trees) == ["2", "3", "4"]
        assert new.transport.is_logged_in

    def test_the_record_of_the_session_is_written_once(self, quiet: World, monkeypatch: pytest.MonkeyPatch) -> None:
        jack = quiet.bind(JACK, sm=True)
        jack.cut()
        written: list[SessionRecord] = []
        monkeypatch.setattr(quiet.store, "put_session", written.append)
        assert logged_in(quiet).resume(jack.id, 0)[0].name == "resumed"
        quiet.turn()
        assert [record.attached for record in written] == [1]

    def test_resent_messages_tell_when_they_were_sent(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True, presence=None)
        chat(joe, JACK, "1")
        jack.take()
        jack.cut()
        quiet.advance(100)
        trees = logged_in(quiet).resume(jack.id, 0)
        delay = trees[1].find(ns.DELAY, "delay")
        assert delay is not None
        assert delay.attributes == {"from": "localhost", "stamp": "1970-01-12T13:46:40.000Z"}

    def test_what_came_while_the_client_was_away_comes_behind(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2")
        jack.take()
        jack.cut()
        chat(joe, JACK, "3")
        chat(joe, "jack@localhost", "4")
        assert texts(logged_in(quiet).resume(jack.id, jack.h - 1)) == ["2", "3", "4"]

    def test_8_27_the_old_connection_gets_a_conflict_and_the_new_one_stays(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        new = logged_in(world)
        assert [tree.name for tree in new.resume(jack.id, jack.h)] == ["resumed"]
        assert jack.names()[-2:] == ["error", "/"]
        assert jack.closed
        assert not new.closed
        assert new.count() == 1

    def test_9_a_dead_old_connection_sends_nothing_to_the_new_one(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        jack.cut()
        new = logged_in(world)
        new.resume(jack.id, 0)
        jack.stream.lost("again")
        jack.stream.received(b"<presence/>")
        world.turn()
        assert new.take() == []
        assert not new.closed

    def test_23_b3_a_wrong_number_leaves_the_session_to_the_right_client(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        jack.cut()
        wrong = logged_in(world)
        (error, *_) = wrong.resume(jack.id, 99)
        assert error.find(ns.STREAM_ERRORS, "undefined-condition") is not None
        assert error.find(ns.SM, "handled-count-too-high") is not None
        assert wrong.closed
        right = logged_in(world)
        assert right.resume(jack.id, 0)[0].name == "resumed"
        assert len(world.node.sessions) == 1

    def test_a_client_that_steps_behind_what_it_has_acknowledged_cannot_resume_and_may_bind(self, world: World) -> None:
        # XEP-0198 §5: what it has not got is gone, so the stream cannot go on there.
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True)
        joe.send("<message to='jack@localhost'><body>1</body></message>")
        jack.take()
        jack.ack()
        jack.cut()
        behind = logged_in(world)
        (failed,) = behind.resume(jack.id, jack.h - 1)
        assert failed.name == "failed"
        assert failed.find(ns.STANZAS, "item-not-found") is not None
        assert not behind.closed
        right = logged_in(world)
        assert right.resume(jack.id, jack.h)[0].name == "resumed"
        assert behind.bind("other") == "jack@localhost/other"

    @pytest.mark.parametrize("what", ["login name", "session"])
    def test_a_stream_that_an_administrator_has_blocked_is_not_resumed(self, world: World, what: str) -> None:
        jack = world.bind(JACK, sm=True)
        jack.cut()
        peer = logged_in(world)
        session = world.node.sessions[jack.id]
        boss = Asker("boss")
        control = world.broker.control
        control.block_session(boss, session, True) if what == "session" else control.block(boss, session.subject, True)
        (failed,) = peer.resume(jack.id, jack.h)
        assert failed.find(ns.STANZAS, "item-not-found") is not None
        control.block_session(boss, session, False) if what == "session" else control.block(
            boss, session.subject, False
        )
        assert logged_in(world).resume(jack.id, jack.h)[0].name == "resumed"

    def test_24_26_b5_an_unknown_id_is_not_found_and_bind_goes_on(self, world: World) -> None:
        peer = logged_in(world)
        (failed,) = peer.resume("unknown", 0)
        assert failed.find(ns.STANZAS, "item-not-found") is not None
        assert "h" not in failed.attributes
        peer.bind("y")
        assert peer.enable().name == "enabled"

    def test_25_another_namespace_is_not_ours(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        peer = world.bind("jack@localhost/z")
        peer.send(f"<resume xmlns='urn:xmpp:sm:2' previd='{jack.id}' h='0'/>")
        assert peer.take() == []
        assert not peer.closed
        assert not jack.closed

    @pytest.mark.parametrize("attributes", ["h='0'", "previd='x'", "previd='x' h='y'", f"previd='{'x' * 4001}' h='0'"])
    def test_an_incomplete_request_is_a_bad_one(self, world: World, attributes: str) -> None:
        peer = logged_in(world)
        peer.send(f"<resume xmlns='{ns.SM}' {attributes}/>")
        assert peer.one().find(ns.STANZAS, "bad-request") is not None
        assert peer.bind("y") == JACK

    def test_after_bind_it_is_too_late(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        other = world.bind("jack@localhost/z")
        (failed,) = other.resume(jack.id, 0)
        assert failed.find(ns.STANZAS, "unexpected-request") is not None
        assert not jack.closed

    def test_b3_nobody_resumes_the_stream_of_another(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        peer = logged_in(world, "joe")
        (failed,) = peer.resume(jack.id, 0)
        assert failed.find(ns.STANZAS, "item-not-found") is not None
        assert not jack.closed

    def test_b3_of_two_at_once_one_has_it(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        jack.cut()
        one, other = logged_in(world), logged_in(world)
        resume = f"<resume xmlns='{ns.SM}' previd='{jack.id}' h='0'/>".encode()
        one.stream.received(resume)
        other.stream.received(resume)
        world.turn()
        assert sorted((one.closed, other.closed)) == [False, True]
        assert len(world.node.sessions) == 1

    def test_b5_a_stanza_that_is_being_handled_is_counted_before_the_stream_is_resumed(self, quiet: World) -> None:
        # given a message to an account that must be read first, and a connection that is lost meanwhile
        jack, new = quiet.bind(JACK, sm=True), logged_in(quiet)
        before = jack.count()
        jack.stream.received(b"<message to='mary@localhost' type='chat'><body>once</body></message>")
        jack.stream.lost("the connection was cut")
        # when the client resumes at once
        resumed = new.resume(jack.id, jack.h)[0]
        # then it is told that the message has come, and the message comes once
        assert resumed.attributes["h"] == str(before + 1)
        mary = quiet.bind("mary@localhost/z", presence=None)
        mary.send("<presence/>")
        assert mary.bodies() == ["once"]
        assert new.count() == before + 1

    def test_a_message_whose_receiver_is_read_for_minutes_or_while_the_clock_is_set_comes(self, quiet: World) -> None:
        # given a message to an account that must be read first, while the store cannot work
        jack = quiet.bind(JACK, sm=True)
        before = jack.count()
        quiet.store.fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "away"))
        jack.send("<message to='mary@localhost' type='chat'><body>late</body></message>")
        quiet.advance(180)
        # when it works again
        quiet.store.heal()
        quiet.turn()
        # then the sender's stream goes on, and the message waits for its receiver
        assert jack.count() == before + 1
        mary = quiet.bind("mary@localhost/z", presence=None)
        mary.send("<presence/>")
        assert mary.bodies() == ["late"]

    def test_a_message_waits_while_nobody_can_tell_whether_its_receiver_exists(self, quiet: World) -> None:
        jack, new = quiet.bind(JACK, sm=True), logged_in(quiet)
        before = jack.count()
        quiet.security.broken = BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full")
        jack.send("<message to='mary@localhost' type='chat'><body>patient</body></message>")
        jack.cut()
        assert new.resume(jack.id, jack.h) == []  # what is being handled comes first
        quiet.security.broken = None
        quiet.advance(2)
        (resumed,) = new.take()
        assert resumed.attributes["h"] == str(before + 1)
        mary = quiet.bind("mary@localhost/z", presence=None)
        mary.send("<presence/>")
        assert mary.bodies() == ["patient"]

    def test_a_request_for_presence_waits_while_nobody_can_tell_whether_there_is_such_a_contact(
        self, quiet: World
    ) -> None:
        joe = quiet.bind("joe@localhost/x", sm=True)
        before = joe.count()
        quiet.security.broken = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "away")
        joe.send(f"<presence type='subscribe' to='mary@localhost'/><r xmlns='{ns.SM}'/>")
        assert joe.take() == []
        quiet.security.broken = None
        quiet.advance(2)
        assert joe.one().attributes["h"] == str(before + 1)
        mary = quiet.bind("mary@localhost/z", presence=None)
        assert [tree.attributes["type"] for tree in mary.come()] == ["subscribe"]

    def test_so_does_the_removal_of_a_contact(self, quiet: World) -> None:
        joe, mary = quiet.bind("joe@localhost/x", sm=True), quiet.bind("mary@localhost/z")
        joe.send("<presence type='subscribe' to='mary@localhost'/>")
        mary.send("</stream:stream>")
        quiet.advance(61)
        joe.take()
        quiet.security.broken = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "away")
        item = "<item jid='mary@localhost' subscription='remove'/>"
        joe.send(f"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        assert joe.take() == []
        quiet.security.broken = None
        quiet.advance(2)
        assert [tree.attributes["type"] for tree in joe.take()] == ["result"]
        mary = quiet.bind("mary@localhost/z", presence=None)
        assert mary.come() == []

    def test_28_29_carbons_stay_on(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        other = quiet.bind("jack@localhost/z")
        jack.send(f"<iq type='set' id='1'><enable xmlns='{ns.CARBONS}'/></iq>")
        jack.take()
        jack.cut()
        chat(joe, "jack@localhost/z", "1")
        new = logged_in(quiet)
        (_, copy) = new.resume(jack.id, jack.h)
        assert copy.find(ns.CARBONS, "received") is not None
        chat(joe, "jack@localhost/z", "2")
        assert new.one().find(ns.CARBONS, "received") is not None
        assert other.bodies() == ["1", "2"]

    def test_30_an_answer_reaches_the_new_connection(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.send("<iq type='get' id='ask' to='joe@localhost/x'><q xmlns='urn:q'/></iq>")
        joe.take()
        jack.cut()
        new = logged_in(quiet)
        new.resume(jack.id, jack.h)
        joe.send(f"<iq type='result' id='ask' to='{JACK}'/>")
        assert new.one().attributes["id"] == "ask"

    def test_32_a_message_amid_the_hand_over_is_delivered(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        new = logged_in(quiet)
        new.stream.received(f"<resume xmlns='{ns.SM}' previd='{jack.id}' h='0'/>".encode())
        joe.stream.received(f"<message to='{JACK}' type='chat'><body>amid</body></message>".encode())
        quiet.turn()
        assert jack.bodies() + new.bodies() == ["amid"]

    def test_36_everything_may_be_pipelined(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        jack.cut()
        peer = world.peer()
        token = base64.b64encode(f"\0jack\0{PASSWORD}".encode()).decode()
        resume = f"<resume xmlns='{ns.SM}' previd='{jack.id}' h='0'/>"
        auth = f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>"
        peer.stream.received(HEADER + auth.encode() + HEADER + resume.encode())
        world.turn()
        data = peer.transport.data
        positions = [
            data.index(each) for each in (b"<stream:stream", b"<stream:features", b"<success", b"<bind", b"<resumed")
        ]
        assert positions == sorted(positions)
        assert data.count(b"<stream:stream") == 2

    def test_it_can_be_resumed_again_and_again(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        got: list[str] = []
        for i in range(5):
            chat(joe, JACK, f"{i}a")
            got += jack.bodies()
            jack.cut()
            chat(joe, JACK, f"{i}b")
            new = logged_in(quiet)
            got += texts(new.resume(jack.id, jack.h))
            jack = new
        assert got == [f"{i}{x}" for i in range(5) for x in "ab"]

    def test_b15_a_resumed_client_is_active(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        jack.send(f"<inactive xmlns='{ns.CSI}'/>")
        jack.cut()
        new = logged_in(world)
        new.resume(jack.id, 0)
        client = new.stream.client
        assert client is not None
        assert client.active


class TestEndOfSessions:
    def test_19_a_closed_stream_leaves_its_messages_to_the_next_login(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2", "3")
        jack.take()
        jack.send("</stream:stream>")
        assert len(quiet.node.sessions) == 1
        new = quiet.bind("jack@localhost/z", presence=None)
        new.send("<presence/>")
        messages = [tree for tree in new.take() if tree.name == "message"]
        assert texts(messages) == ["1", "2", "3"]
        assert all(tree.find(ns.DELAY, "delay") for tree in messages)

    def test_the_last_counter_is_told_before_the_end(self, world: World) -> None:
        jack = world.bind(JACK, sm=True)
        jack.send("</stream:stream>")
        assert jack.names() == ["a", "/"]

    def test_46_47_60_61_after_the_window_another_resource_gets_them(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2")
        jack.take()
        jack.ack(jack.h - 1)
        jack.cut()
        chat(joe, JACK, "3")
        quiet.advance(601)
        assert len(quiet.node.sessions) == 1
        new = quiet.bind("jack@localhost/z", presence=None)
        new.send("<presence/>")
        assert new.bodies() == ["2", "3"]

    def test_b18_the_window_is_exact(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        jack.cut()
        quiet.advance(599)
        assert len(quiet.node.sessions) == 1
        quiet.advance(1.1)
        assert len(quiet.node.sessions) == 0

    def test_b19_a_clock_that_is_set_forward_ends_no_window(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        set_forward = 0.0
        quiet.node.monotonic = lambda: quiet.clock.seconds() - set_forward
        jack.cut()
        set_forward = 100_000.0
        quiet.advance(set_forward)
        assert len(quiet.node.sessions) == 1
        quiet.advance(599)
        assert len(quiet.node.sessions) == 1
        quiet.advance(2)
        assert len(quiet.node.sessions) == 0

    def test_38_39_40_a_message_to_all_resources_is_not_given_to_another_that_has_it(self, quiet: World) -> None:
        joe, one, two = writer_and_two_resources(quiet)
        one.take()
        two.take()
        chat(joe, "jack@localhost", "hi")
        assert (one.bodies(), two.bodies()) == (["hi"], ["hi"])
        two.ack()
        one.send("</stream:stream>")
        assert two.bodies() == []

    def test_39_where_none_has_acknowledged_it_one_copy_is_left(self, quiet: World) -> None:
        joe, one, two = writer_and_two_resources(quiet)
        chat(joe, "jack@localhost", "hi")
        one.cut()
        two.cut()
        quiet.advance(601)
        new = quiet.bind("jack@localhost/3", presence=None)
        new.send("<presence/>")
        assert new.bodies() == ["hi"]

    @pytest.mark.parametrize("how", ["stopped", "terminated", "replaced"])
    def test_41_42_43_a_message_is_relayed_through_sessions_once_each(self, quiet: World, how: str) -> None:
        joe = quiet.bind("joe@localhost/x")
        jack = quiet.bind(JACK, sm=True)
        chat(joe, JACK, "hi")
        for _ in range(4):
            assert jack.bodies() == ["hi"]
            if how == "stopped":
                jack.send("</stream:stream>")
            elif how == "terminated":
                jack.cut()
            jack = quiet.bind(JACK, sm=True, presence=None)
            jack.send("<presence/>")

    def test_48_56_57_an_administrator_who_ends_a_session_loses_nothing(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1")
        jack.cut()
        session = next(each for each in quiet.node.sessions.values() if each.subject.name == "jack")
        quiet.run(quiet.broker.registry.end(session, BrokerError(Code.USER_NOT_CONNECTED, "killed")))
        new = quiet.bind("jack@localhost/z", presence=None)
        new.send("<presence/>")
        assert new.bodies() == ["1"]

    def test_31_a_buffered_request_for_presence_comes_once_and_breaks_nothing(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.take()
        joe.send("<presence type='subscribe' to='jack@localhost'/>")
        chat(joe, JACK, "1")
        jack.cut()
        quiet.advance(601)
        new = quiet.bind("jack@localhost/z", presence=None)
        assert new.take() == []
        trees = new.come()
        assert [tree.attributes["type"] for tree in trees if tree.name == "presence"] == ["subscribe"]
        assert texts(trees) == ["1"]

    def test_a_request_for_presence_that_was_on_its_way_in_a_crash_comes_when_the_stream_is_resumed(
        self, quiet: World
    ) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.take()
        jack.cut()
        joe.send("<presence type='subscribe' to='jack@localhost'/>")
        again = quiet.crash()
        new = logged_in(again)
        assert [tree.name for tree in new.resume(jack.id, jack.h)] == ["resumed", "presence"]
        new.cut()
        assert [tree.name for tree in logged_in(again).resume(jack.id, new.h)] == ["resumed"]

    def test_33_unavailable_presence_reaches_whom_presence_was_directed_to_at_once(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.send("<presence to='joe@localhost/x'/>")
        joe.take()
        jack.send("<presence type='unavailable'/>")
        assert joe.one().attributes["type"] == "unavailable"

    def test_34_detaching_and_resuming_tells_contacts_nothing(self, quiet: World) -> None:
        # The suite of MongooseIM wants an unavailable presence here, which XEP-0198 §5 does not: the state is kept.
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.send("<presence to='joe@localhost/x'/>")
        joe.take()
        jack.cut()
        logged_in(quiet).resume(jack.id, jack.h)
        assert joe.take() == []

    def test_35_who_is_replaced_is_unavailable(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.send("<presence to='joe@localhost/x'/>")
        joe.take()
        quiet.bind(JACK, presence=None)
        assert joe.one().attributes["type"] == "unavailable"

    def test_62_after_the_window_contacts_see_it_leave(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.send("<presence to='joe@localhost/x'/>")
        joe.take()
        jack.cut()
        quiet.advance(170)
        assert joe.take() == []
        for _ in range(3):
            joe.send(" ")
            quiet.advance(150)
        assert joe.one().attributes == {"type": "unavailable", "from": JACK, "to": "joe@localhost/x"}

    def test_63_a_client_that_answers_no_ping_is_detached_and_loses_nothing(self) -> None:
        quiet = World(settings(sm_ask=False))
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        quiet.advance(181)
        jack.take()
        chat(joe, JACK, "1")
        joe.take()
        quiet.advance(180)
        assert jack.closed
        assert texts(logged_in(quiet).resume(jack.id, 1)) == ["1"]

    def test_b13_a_request_to_a_detached_client_is_refused_once_when_the_window_ends(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.cut()
        joe.send(f"<iq type='get' id='ask' to='{JACK}'><q xmlns='urn:q'/></iq>")
        assert joe.take() == []
        quiet.advance(601)
        error = joe.one()
        assert (error.attributes["id"], error.attributes["type"]) == ("ask", "error")
        assert error.attributes["from"] == JACK


class TestStaleCounters:
    @pytest.fixture
    def remembering(self) -> World:
        return World(settings(sm_ask=False, idle=-1, sm_stale_h=True, sm_stale_h_life=3600, sm_stale_h_interval=1800))

    def expired(self, world: World) -> str:
        jack = world.bind(JACK, sm=True)
        chat(jack, "joe@localhost", "1", "2")
        jack.cut()
        world.advance(601)
        return jack.id

    def test_53_an_expired_stream_tells_what_had_arrived(self, remembering: World) -> None:
        id = self.expired(remembering)
        peer = logged_in(remembering)
        (failed,) = peer.resume(id, 0)
        assert failed.find(ns.STANZAS, "item-not-found") is not None
        assert failed.attributes["h"] == "3"
        assert peer.bind("y") == JACK

    def test_i8_also_after_a_restart(self, remembering: World) -> None:
        id = self.expired(remembering)
        again = remembering.crash()
        assert logged_in(again).resume(id, 0)[0].attributes["h"] == "3"

    def test_54_55_it_is_forgotten_in_time(self, remembering: World) -> None:
        id = self.expired(remembering)
        remembering.advance(1800)
        assert logged_in(remembering).resume(id, 0)[0].attributes["h"] == "3"
        for _ in range(3):
            remembering.advance(1801)
        assert "h" not in logged_in(remembering).resume(id, 0)[0].attributes
        assert not remembering.store.tables.documents.keys() & {("jack", "xmpp.handled", id)}

    def test_it_is_told_to_its_owner_only(self, remembering: World) -> None:
        id = self.expired(remembering)
        assert "h" not in logged_in(remembering, "joe").resume(id, 0)[0].attributes

    def test_it_is_off_unless_it_is_turned_on(self, quiet: World) -> None:
        assert "h" not in logged_in(quiet).resume(self.expired(quiet), 0)[0].attributes


class TestCrash:
    """``kill -9`` and a restart (spec xmpp §1.8, B6–B9)."""

    def test_b7_a_detached_stream_can_be_resumed(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2")
        jack.take()
        jack.cut()
        chat(joe, JACK, "3")
        again = quiet.crash()
        trees = logged_in(again).resume(jack.id, jack.h - 1)
        assert trees[0].name == "resumed"
        assert texts(trees) == ["2", "3"]

    def test_so_can_one_that_was_attached(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2")
        jack.take()
        again = quiet.crash()
        assert texts(logged_in(again).resume(jack.id, jack.h)) == []

    def test_b6_what_was_logged_and_not_written_comes(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        quiet.store.commit()
        quiet.store.held = True
        chat(joe, JACK, "1")
        assert jack.take() == []  # I2: its number is not on disk yet
        again = quiet.crash(committed=True)
        assert texts(logged_in(again).resume(jack.id, jack.h)) == ["1"]

    def test_b6_what_was_not_committed_was_not_acknowledged_either(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x", sm=True), quiet.bind(JACK, sm=True)
        quiet.store.commit()
        quiet.store.held = True
        chat(joe, JACK, "1")
        joe.send(R)
        assert joe.take() == []  # I1: no answer before the commit
        again = quiet.crash(committed=False)
        new = logged_in(again, "joe")
        (resumed, *_) = new.resume(joe.id, joe.h)
        assert resumed.attributes["h"] == "1"  # its presence
        chat(new, JACK, "1")  # as the client must
        assert texts(logged_in(again).resume(jack.id, jack.h)) == ["1"]

    def test_b6_a_stanza_and_its_counter_are_committed_together(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x", sm=True), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1")
        quiet.store.commit()
        again = quiet.crash(committed=False)
        (resumed, *_) = logged_in(again, "joe").resume(joe.id, joe.h)
        assert resumed.attributes["h"] == "2"
        assert texts(logged_in(again).resume(jack.id, 0)) == ["1"]

    def test_b6_another_crash_amid_the_resumption_loses_nothing(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2", "3")
        jack.take()
        jack.cut()
        again = quiet.crash()
        again.store.held = True
        new = logged_in(again)
        new.stream.received(f"<resume xmlns='{ns.SM}' previd='{jack.id}' h='{jack.h - 2}'/>".encode())
        again.turn()
        third = again.crash(committed=False)
        assert texts(logged_in(third).resume(jack.id, jack.h - 2)) == ["2", "3"]

    def test_a_copy_that_nobody_resumes_is_not_given_to_a_resource_that_had_its_own(self, quiet: World) -> None:
        joe, one, two = writer_and_two_resources(quiet)
        one.take()
        two.cut()
        chat(joe, "jack@localhost", "hi")
        assert one.bodies() == ["hi"]
        one.ack()
        again = quiet.crash()
        back = logged_in(again)
        back.resume(one.id, one.h)
        again.advance(601)
        assert len(again.node.sessions) == 1
        assert back.bodies() == []

    def test_nor_where_it_is_the_resumption_that_tells_of_it(self, quiet: World) -> None:
        joe, one, two = writer_and_two_resources(quiet)
        one.take()
        two.cut()
        chat(joe, "jack@localhost", "hi")
        assert one.bodies() == ["hi"]
        again = quiet.crash()
        back = logged_in(again)
        assert texts(back.resume(one.id, one.h)) == []
        third = again.crash()
        back = logged_in(third)
        back.resume(one.id, one.h)
        third.advance(601)
        assert len(third.node.sessions) == 1
        assert back.bodies() == []

    def test_nor_to_one_that_has_yet_to_take_its_own(self, quiet: World) -> None:
        joe, one, two = writer_and_two_resources(quiet)
        one.take()
        one.cut()
        two.cut()
        chat(joe, "jack@localhost", "hi")
        again = quiet.crash()
        again.advance(300)
        back = logged_in(again)
        assert texts(back.resume(one.id, one.h)) == ["hi"]
        again.advance(301)
        assert len(again.node.sessions) == 1
        assert back.bodies() == []

    @pytest.mark.parametrize("crash", [False, True])
    def test_nor_where_it_was_on_disk_only(self, crash: bool) -> None:
        world = World(settings(sm_ask=False, idle=-1, queue=QueueLimits(cache_entries=1)))
        joe, one, two = writer_and_two_resources(world)
        one.take()
        two.cut()
        chat(joe, "jack@localhost", "1", "2", "3")
        assert one.bodies() == ["1", "2", "3"]
        one.ack()
        if crash:
            world = world.crash()
            id, h = one.id, one.h
            one = logged_in(world)
            one.resume(id, h)
        world.advance(601)
        assert len(world.node.sessions) == (1 if crash else 2)
        assert one.bodies() == []

    def test_where_no_resource_is_resumed_the_next_one_gets_one_copy(self, quiet: World) -> None:
        joe, one, two = writer_and_two_resources(quiet)
        chat(joe, "jack@localhost", "hi")
        one.take()
        two.take()
        again = quiet.crash()
        again.advance(601)
        assert len(again.node.sessions) == 0
        new = again.bind("jack@localhost/3", presence=None)
        new.send("<presence/>")
        assert new.bodies() == ["hi"]

    def test_nothing_comes_twice_where_it_could_not_be_read_at_first(
        self, quiet: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2", "3")
        assert jack.bodies() == ["1", "2", "3"]
        again = quiet.crash()
        unreadable = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no disk")
        with monkeypatch.context() as broken:
            broken.setattr(again.store, "read_entries", lambda *_: fail(unreadable))
            for _ in range(2):
                refused = logged_in(again)
                (error, *_) = refused.resume(jack.id, jack.h - 1)
                assert error.find(ns.STREAM_ERRORS, "internal-server-error") is not None
                assert refused.closed
        assert texts(logged_in(again).resume(jack.id, jack.h - 1)) == ["3"]

    def test_numbers_go_on_where_the_client_is(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2", "3")
        jack.take()
        again = quiet.crash()
        new = logged_in(again)
        new.resume(jack.id, jack.h - 2)
        new.ack(jack.h)
        assert not new.closed
        third = again.crash()
        assert texts(logged_in(third).resume(jack.id, jack.h)) == []

    def test_what_the_client_never_could_have_got_is_refused(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1")
        jack.take()
        again = quiet.crash()
        wrong = logged_in(again)
        assert wrong.resume(jack.id, 100_000)[0].find(ns.SM, "handled-count-too-high") is not None
        assert texts(logged_in(again).resume(jack.id, 0)) == ["1"]

    def test_i7_contacts_see_nothing_until_the_window_ends(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x", sm=True), quiet.bind(JACK, sm=True)
        jack.send("<presence to='joe@localhost/x'/>")
        joe.take()
        again = quiet.crash()
        new = logged_in(again, "joe")
        assert [tree.name for tree in new.resume(joe.id, joe.h)] == ["resumed"]
        again.advance(599)
        assert new.take() == []
        again.advance(2)
        assert new.one().attributes["type"] == "unavailable"

    def test_i6_b8_the_window_begins_anew(self, quiet: World) -> None:
        jack = quiet.bind(JACK, sm=True)
        jack.cut()
        quiet.advance(500)
        quiet.store.commit()
        quiet.clock.rightNow += 100_000  # the machine was off
        again = quiet.crash()
        again.advance(599)
        assert logged_in(again).resume(jack.id, jack.h)[0].name == "resumed"

    def test_i3_presence_and_carbons_are_as_they_were(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x"), quiet.bind(JACK, sm=True)
        jack.send(
            f"<iq type='set' id='1'><enable xmlns='{ns.CARBONS}'/></iq><presence><priority>-1</priority></presence>"
        )
        again = quiet.crash()
        new = logged_in(again)
        new.resume(jack.id, jack.h)
        client = new.stream.client
        assert client is not None
        assert client.stream.carbons
        assert client.stream.priority == -1
        assert "priority" in client.stream.presence
        assert joe.jid

    def test_b10_offline_messages_stay_until_they_are_acknowledged(self, quiet: World) -> None:
        joe = quiet.bind("joe@localhost/x")
        chat(joe, "jack@localhost", "1", "2", "3")
        jack = quiet.bind(JACK, sm=True, presence=None)
        jack.send("<presence/>")
        assert jack.bodies() == ["1", "2", "3"]
        jack.ack(jack.h - 2)
        again = quiet.crash()
        assert texts(logged_in(again).resume(jack.id, jack.h - 2)) == ["2", "3"]

    def test_b10_who_does_not_come_back_gets_them_at_the_next_login(self, quiet: World) -> None:
        joe = quiet.bind("joe@localhost/x")
        chat(joe, "jack@localhost", "1", "2")
        jack = quiet.bind(JACK, sm=True, presence=None)
        jack.send("<presence/>")
        jack.take()
        again = quiet.crash()
        again.advance(601)
        new = again.bind("jack@localhost/z", presence=None)
        new.send("<presence/>")
        assert new.bodies() == ["1", "2"]

    def test_b9_nothing_is_acknowledged_that_cannot_be_stored(self, quiet: World) -> None:
        joe = quiet.bind("joe@localhost/x", sm=True)
        quiet.store.commit()
        quiet.store.held = True  # the disk is full
        chat(joe, "jack@localhost", "1")
        joe.send(R)
        quiet.advance(10)
        assert joe.take() == []
        quiet.store.held = False
        quiet.store.commit()
        quiet.turn()
        assert joe.names() == ["a"]

    def test_without_durability_nothing_is_written_and_nothing_survives(self) -> None:
        world = World(settings(sm_ask=False, sm_durable=Durable.NO))
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True)
        chat(joe, JACK, "1")
        jack.cut()
        assert logged_in(world).resume(jack.id, 1)[0].name == "resumed"
        again = world.crash()
        assert logged_in(again).resume(jack.id, 1)[0].name == "failed"
        assert not again.store.tables.sessions

    def test_messages_only_keeps_messages(self) -> None:
        world = World(settings(sm_ask=False, sm_durable=Durable.MESSAGES))
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True)
        chat(joe, JACK, "1")
        jack.cut()
        again = world.crash()
        assert logged_in(again).resume(jack.id, 1)[0].name == "failed"
        new = again.bind("jack@localhost/z", presence=None)
        new.send("<presence/>")
        assert new.bodies() == ["1"]

    def test_state_in_memory_makes_no_message_volatile(self) -> None:
        in_memory = settings_of(properties({"modules.mod_stream_management.backend": "memory"}))
        world = World(replace(in_memory, plain_without_tls=True, idle=-1))
        joe, jack = world.bind("joe@localhost/x"), world.bind(JACK, sm=True)
        chat(joe, "mary@localhost", "offline")
        chat(joe, JACK, "queued")
        jack.cut()
        again = world.crash()
        assert logged_in(again).resume(jack.id, 0)[0].name == "failed"
        for jid, body in (("mary@localhost/z", "offline"), ("jack@localhost/z", "queued")):
            new = again.bind(jid, presence=None)
            new.send("<presence/>")
            assert new.bodies() == [body]

    @pytest.mark.parametrize(
        ("durable", "backend", "kept"),
        [
            ("yes", "sql", Durable.YES),
            ("yes", "memory", Durable.MESSAGES),
            ("messages", "memory", Durable.MESSAGES),
            ("no", "memory", Durable.NO),
            ("no", "sql", Durable.NO),
        ],
    )
    def test_backend_says_where_the_state_of_streams_is_and_nothing_else(
        self, durable: str, backend: str, kept: Durable
    ) -> None:
        given = {"sm.durable": durable, "modules.mod_stream_management.backend": backend}
        assert settings_of(properties(given)).sm_durable is kept

    def test_b16_a_stop_in_good_order_is_no_end_either(self, quiet: World) -> None:
        joe, jack = quiet.bind("joe@localhost/x", sm=True), quiet.bind(JACK, sm=True)
        chat(joe, JACK, "1")
        jack.take()
        quiet.broker.stop()
        quiet.turn()
        assert jack.names() == ["a"]  # and no end of the stream (I10)
        again = quiet.crash()
        new = logged_in(again)
        assert texts(new.resume(jack.id, 0)) == ["1"]


class TestNothingStays:
    def test_after_all_of_it_nothing_is_left(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x", sm=True), world.bind(JACK, sm=True)
        chat(joe, JACK, "1", "2")
        jack.cut()
        new = logged_in(world)
        new.resume(jack.id, 1)
        new.ack()
        new.send("</stream:stream>")
        joe.ack(0)
        joe.send("</stream:stream>")
        world.store.commit()
        world.turn()
        assert world.node.sessions == {}
        assert world.node.subjects == {}
        assert world.node.queues == {}
        assert world.service.domain.clients == {}
        assert world.timers == 0
        tables = world.store.tables
        assert not tables.sessions
        assert not tables.handled
        assert not tables.messages
