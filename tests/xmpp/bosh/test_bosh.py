"""Clients over BOSH, request by request (XEP-0124, XEP-0206)."""

from __future__ import annotations

import base64
import hashlib

import pytest

from broker.errors import BrokerError, Code
from broker.xmpp.bosh.channel import Origin
from broker.xmpp.bosh.settings import BoshSettings
from broker.xmpp.wire import ns
from broker.xmpp.wire.bosh import Body
from tests.xmpp.bosh.peer import FIRST_RID, BoshPeer, Office, bound
from tests.xmpp.world import Peer, World, settings

SETTINGS = BoshSettings(inactivity=60, resume_timeout=600)


@pytest.fixture
def office(quiet: World) -> Office:
    return Office(quiet, SETTINGS)


@pytest.fixture
def joe(office: Office) -> BoshPeer:
    return bound(office, "joe")


@pytest.fixture
def jack(quiet: World) -> Peer:
    return quiet.bind("jack@localhost/y", sm=True)


def chat(jack: Peer, *bodies: str) -> None:
    """Messages for joe."""
    for body in bodies:
        jack.send(f"<message to='joe@localhost/x' type='chat'><body>{body}</body></message>")


class TestTheFirstRequest:
    """Creates the session (XEP-0124 §7)."""

    def test_is_answered_with_the_terms_and_the_features(self, office: Office) -> None:
        answer = BoshPeer(office, wait=100, hold=3, ver="1.6", ack=1).first.body
        attributes = answer.attributes
        assert len(attributes["sid"]) >= 22
        assert {
            name: attributes[name] for name in ("wait", "hold", "requests", "inactivity", "polling", "maxpause")
        } == {
            "wait": "60",
            "hold": "1",
            "requests": "2",
            "inactivity": "60",
            "polling": "5",
            "maxpause": "300",
        }
        assert (attributes["ver"], attributes["from"], attributes["ack"]) == ("1.6", "localhost", str(FIRST_RID))
        assert attributes[f"{{{ns.XBOSH}}}version"] == "1.0"
        assert answer.find(ns.STREAM, "features") is not None

    @pytest.mark.parametrize(("asked", "told"), [("1.6", "1.6"), ("1.11", "1.11"), ("2.0", "1.11"), ("x", "1.11")])
    def test_is_answered_with_the_lower_version(self, office: Office, asked: str, told: str) -> None:
        assert BoshPeer(office, ver=asked).first.body.attributes["ver"] == told

    def test_says_whether_the_client_has_tls(self, office: Office) -> None:
        written = f"<body xmlns='{ns.BOSH}' rid='1' to='localhost'/>"
        assert "secure" not in office.ask(written).body.attributes
        assert office.ask(written, secure=True).body.attributes["secure"] == "true"

    def test_to_another_domain_ends_at_once(self, office: Office) -> None:
        assert BoshPeer(office, to="elsewhere").first.condition == "remote-stream-error"
        assert not len(office.sessions)

    def test_may_come_so_often_from_one_address(self, office: Office) -> None:
        written = f"<body xmlns='{ns.BOSH}' rid='1' to='localhost'/>"
        for _ in range(10):
            assert not office.ask(written, host="192.0.2.1").condition
        assert office.ask(written, host="192.0.2.1").condition == "policy-violation"
        assert not office.ask(written, host="192.0.2.2").condition

    def test_is_refused_where_too_many_have_not_logged_in(self, quiet: World) -> None:
        office = Office(quiet, BoshSettings(max_strangers=1))
        bound(office, "joe")
        BoshPeer(office)
        assert BoshPeer(office).first.condition == "policy-violation"


def test_an_unknown_session_is_not_found(office: Office) -> None:
    assert office.ask(f"<body xmlns='{ns.BOSH}' rid='1' sid='nobody'/>").condition == "item-not-found"


def test_neither_starttls_nor_stream_management_is_offered(office: Office) -> None:
    peer = BoshPeer(office)
    assert peer.first.answer is not None
    assert b"starttls" not in peer.first.answer
    token = base64.b64encode(b"\0joe\0secret").decode()
    peer.ask(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>")
    restarted = peer.ask(xmpp_restart="true", to="localhost")
    assert restarted.answer is not None
    assert ns.BIND.encode() in restarted.answer
    assert ns.SM.encode() not in restarted.answer


def test_a_failed_login_is_answered_and_may_be_tried_again(office: Office) -> None:
    peer = BoshPeer(office)
    token = base64.b64encode(b"\0joe\0wrong").decode()
    assert peer.ask(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>").names == ["failure"]
    peer.login("joe")


def test_messages_go_both_ways(joe: BoshPeer, jack: Peer) -> None:
    waiting = joe.ask()
    chat(jack, "to you")
    assert waiting.bodies == ["to you"]
    joe.message("jack@localhost/y", "to you, too")
    assert jack.bodies() == ["to you, too"]


def test_stanzas_without_a_namespace_are_of_the_client(joe: BoshPeer, jack: Peer) -> None:
    joe.ask("<message to='jack@localhost/y' type='chat'><body>x y</body></message>")
    assert jack.bodies() == ["x y"]


def test_what_is_written_in_one_turn_goes_together(joe: BoshPeer, jack: Peer) -> None:
    chat(jack, "a", "b")
    assert joe.ask().bodies == ["a", "b"]


def test_a_request_waits_for_something_to_say_and_no_longer_than_it_may(joe: BoshPeer) -> None:
    waiting = joe.ask()
    joe.office.world.advance(59)
    assert waiting.answer is None
    joe.office.world.advance(1)
    assert waiting.names == []


def test_a_new_request_releases_the_one_that_waits(joe: BoshPeer) -> None:
    first, second = joe.ask(), joe.ask()
    assert first.names == []
    assert first.body.attributes["ack"] == str(second.rid)
    assert second.answer is None


def test_without_hold_each_request_is_answered_at_once(office: Office) -> None:
    joe = bound(office, "joe", hold=0)
    office.world.advance(10)
    assert joe.ask().names == []


def test_a_gap_of_one_is_waited_for(joe: BoshPeer, jack: Peer) -> None:
    joe.rid += 1
    late = joe.message("jack@localhost/y", "second")
    assert jack.bodies() == []
    joe.message("jack@localhost/y", "first", rid=late.rid - 1)
    assert jack.bodies() == ["first", "second"]


def test_a_gap_above_the_window_ends_the_session(joe: BoshPeer) -> None:
    waiting = joe.ask()
    assert joe.ask(rid=joe.rid + 3).condition == "item-not-found"
    assert waiting.condition == "item-not-found"
    assert joe.ask().condition == "item-not-found"


def test_a_page_that_is_behind_does_not_end_the_session_of_another(joe: BoshPeer, jack: Peer) -> None:
    for _ in range(12):
        joe.ask()
    assert joe.ask(rid=FIRST_RID).condition == "item-not-found"
    waiting = joe.ask()
    chat(jack, "still here")
    assert waiting.bodies == ["still here"]


def test_a_request_that_comes_again_is_answered_the_same_and_has_no_effect_twice(joe: BoshPeer, jack: Peer) -> None:
    sent = joe.message("jack@localhost/y", "once")
    chat(jack, "hi")
    again = joe.message("jack@localhost/y", "once", rid=sent.rid)
    assert again.answer == sent.answer
    assert jack.bodies() == ["once"]


def test_a_request_that_comes_again_while_it_waits_takes_its_place(joe: BoshPeer, jack: Peer) -> None:
    first = joe.ask()
    again = joe.ask(rid=first.rid)
    assert first.names == []
    chat(jack, "hi")
    assert again.bodies == ["hi"]


def test_a_lost_request_carries_nothing(joe: BoshPeer, jack: Peer) -> None:
    lost = joe.ask()
    lost.lose()
    chat(jack, "hi")
    assert joe.ask(rid=lost.rid).bodies == ["hi"]


def test_a_client_that_goes_on_behind_a_lost_request_gets_everything(joe: BoshPeer, jack: Peer) -> None:
    joe.ask().lose()
    chat(jack, "hi")
    assert joe.ask().bodies == ["hi"]


def test_messages_are_settled_when_the_client_has_proved_to_have_them(office: Office, jack: Peer) -> None:
    joe = bound(office, "joe", ack=1)
    client = office.world.service.domain.clients["joe@localhost/x"]
    waiting = joe.ask()
    chat(jack, "hi")
    assert waiting.bodies == ["hi"]
    assert client.dispatch.in_flight
    joe.ask(ack=waiting.rid)
    office.world.turn()
    assert not client.dispatch.in_flight


def test_of_a_client_that_says_nothing_the_window_proves_it(joe: BoshPeer, jack: Peer) -> None:
    client = joe.office.world.service.domain.clients["joe@localhost/x"]
    waiting = joe.ask()
    chat(jack, "hi")
    assert waiting.bodies == ["hi"]
    for _ in range(2):
        joe.ask()
        assert client.dispatch.in_flight
    joe.ask()
    assert not client.dispatch.in_flight


def test_more_messages_than_the_window_of_acknowledgements_come_in_order(joe: BoshPeer, jack: Peer) -> None:
    sent = [str(number) for number in range(350)]
    chat(jack, *sent)
    got: list[str] = []
    asked = joe.ask()
    while len(got) < len(sent):
        following = joe.ask()
        if asked.answer is not None:
            got += asked.bodies
        asked = following
        assert joe.rid < FIRST_RID + 100
    assert got == sent


def test_too_many_requests_at_once_end_the_session(joe: BoshPeer) -> None:
    peer = BoshPeer(joe.office)
    peer.rid += 1
    peer.ask()  # waits for the one before it
    peer.rid += 1
    assert peer.ask().condition == "item-not-found"


def test_polling_too_often_ends_the_session(office: Office) -> None:
    joe = bound(office, "joe", hold=0)
    joe.ask()
    assert joe.ask().condition == "policy-violation"


class TestPause:
    """A client may say that it will be silent (XEP-0124 §10)."""

    def test_is_answered_on_its_own_request_and_on_all_others(self, joe: BoshPeer) -> None:
        waiting = joe.ask()
        pause = joe.ask(pause=120)
        assert (waiting.names, pause.names) == ([], [])

    def test_carries_nothing(self, joe: BoshPeer, jack: Peer) -> None:
        waiting = joe.ask()
        waiting.lose()
        chat(jack, "hi")
        assert joe.ask(pause=120).names == []
        assert joe.ask().bodies == ["hi"]

    def test_must_not_be_longer_than_is_told(self, joe: BoshPeer) -> None:
        assert joe.ask(pause=301).condition == "policy-violation"


class TestInactivity:
    """A client without a request."""

    def test_is_waited_for_and_goes_on(self, joe: BoshPeer, jack: Peer) -> None:
        joe.ask().lose()
        joe.office.world.advance(650)
        chat(jack, "hi")
        assert joe.ask().bodies == ["hi"]

    def test_ends_its_session_in_the_end(self, joe: BoshPeer) -> None:
        joe.ask().lose()
        joe.office.world.advance(661)
        assert joe.ask().condition == "item-not-found"
        assert not joe.office.world.service.domain.clients

    def test_ends_that_of_a_stranger_sooner(self, office: Office) -> None:
        peer = BoshPeer(office)
        office.world.advance(61)
        assert peer.ask().condition == "item-not-found"
        assert not len(office.sessions)

    def test_messages_that_it_has_not_got_wait_for_its_next_session(self, joe: BoshPeer, jack: Peer) -> None:
        joe.ask().lose()
        jack.send("<message to='joe@localhost' type='chat'><body>hi</body></message>")
        joe.office.world.advance(661)
        again = BoshPeer(joe.office)
        again.login("joe")
        again.bind()
        assert again.ask(f"<presence xmlns='{ns.CLIENT}'/>").bodies == ["hi"]


class TestTheEnd:
    """Of a session (XEP-0124 §13, §17)."""

    def test_by_the_client_has_its_last_stanzas_handled_before_it_is_answered(self, joe: BoshPeer, jack: Peer) -> None:
        waiting = joe.ask()
        ended = joe.message("jack@localhost/y", "bye", type="terminate")
        assert jack.bodies() == ["bye"]
        assert waiting.names == []
        assert ended.body.attributes["type"] == "terminate"
        assert not ended.condition
        assert not len(joe.office.sessions)
        assert "joe@localhost/x" not in joe.office.world.service.domain.clients

    def test_by_a_stream_error_tells_that(self, joe: BoshPeer) -> None:
        answer = joe.ask("<message xmlns='jabber:client' from='jack@localhost'/>")
        assert answer.condition == "remote-stream-error"
        assert answer.names[0] == "invalid-from"

    def test_where_another_connection_takes_the_resource_tells_that(self, joe: BoshPeer) -> None:
        waiting = joe.ask()
        joe.office.world.bind("joe@localhost/x")
        assert waiting.condition == "remote-stream-error"
        assert waiting.names[0] == "conflict"

    def test_at_a_shutdown_requests_are_answered_with_nothing(self, joe: BoshPeer) -> None:
        waiting = joe.ask()
        joe.office.sessions.shut_down()
        joe.office.world.turn()
        assert (waiting.names, waiting.condition) == ([], "")

    def test_behind_a_shutdown_no_request_is_told_that_its_session_is_gone(self, joe: BoshPeer) -> None:
        joe.office.sessions.shut_down()
        joe.office.world.turn()
        answered, _ = joe.office.sessions.ask(Body(99, joe.sid, {}, (), 0), Origin("127.0.0.1", False, True))
        with pytest.raises(BrokerError) as caught:
            joe.office.world.run(answered)
        assert caught.value.code is Code.RESOURCE_UNAVAILABLE


def test_a_body_that_is_too_long_for_a_stranger_ends_the_session(office: Office) -> None:
    peer = BoshPeer(office)
    assert peer.ask(f"<a xmlns='b'>{'x' * 20_000}</a>").condition == "policy-violation"
    joe = bound(office, "joe")
    assert joe.ask(f"<message xmlns='jabber:client' to='joe@localhost'><a>{'x' * 20_000}</a></message>").condition == ""


def test_a_stanza_that_cannot_be_read_ends_the_session(joe: BoshPeer) -> None:
    assert joe.ask("<message xmlns='jabber:client'><x:y/></message>").condition == "remote-stream-error"


class TestKeys:
    """Requests of one client by a sequence of keys (XEP-0124 §15)."""

    KEYS = [b"seed"]  # noqa: RUF012 - it is made once
    for _ in range(6):
        KEYS.append(hashlib.sha1(KEYS[-1]).hexdigest().encode())

    def test_that_fit_are_let_through(self, office: Office) -> None:
        peer = BoshPeer(office, newkey=self.KEYS[6].decode())
        asked = [peer.ask(key=self.KEYS[number].decode()) for number in (5, 4, 3)]
        assert [each.condition for each in asked[:2]] == ["", ""]

    def test_may_begin_anew(self, office: Office) -> None:
        peer = BoshPeer(office, newkey=self.KEYS[2].decode())
        asked = [peer.ask(key=self.KEYS[1].decode(), newkey=self.KEYS[6].decode())]
        asked += [peer.ask(key=self.KEYS[number].decode()) for number in (5, 4)]
        assert [each.condition for each in asked[:2]] == ["", ""]

    @pytest.mark.parametrize("wrong", [{"key": "x"}, {}, {"newkey": "x"}])
    def test_that_do_not_fit_end_the_session(self, office: Office, wrong: dict[str, str]) -> None:
        peer = BoshPeer(office, newkey=self.KEYS[6].decode())
        assert peer.ask("", rid=None, turn=True, **wrong).condition == "item-not-found"
        assert peer.ask(key=self.KEYS[5].decode()).condition == "item-not-found"


def test_a_stream_of_another_door_is_resumed_over_bosh_and_nothing_is_lost_or_doubled(
    office: Office, jack: Peer
) -> None:
    tcp = office.world.bind("joe@localhost/x", sm=True)
    chat(jack, "one")
    assert tcp.bodies() == ["one"]
    tcp.ack()
    tcp.cut()
    chat(jack, "two")
    peer = BoshPeer(office)
    peer.login("joe")
    resumed = peer.ask(f"<resume xmlns='{ns.SM}' previd='{tcp.id}' h='{tcp.h}'/>")
    assert resumed.names[0] == "resumed"
    assert (resumed.bodies or peer.ask().bodies) == ["two"]
    waiting = peer.ask()
    chat(jack, "three")
    assert waiting.bodies == ["three"]
    for _ in range(4):
        peer.ask()
    assert not office.world.service.domain.clients["joe@localhost/x"].dispatch.in_flight


def test_a_stream_that_is_not_there_can_be_bound_instead(office: Office) -> None:
    peer = BoshPeer(office)
    peer.login("joe")
    assert peer.ask(f"<resume xmlns='{ns.SM}' previd='nobody' h='0'/>").names == ["failed"]
    assert peer.bind() == "joe@localhost/x"


def test_acknowledgements_of_the_client_are_left_out(joe: BoshPeer, jack: Peer) -> None:
    joe.ask(f"<enable xmlns='{ns.SM}'/><r xmlns='{ns.SM}'/><a xmlns='{ns.SM}' h='99'/>")
    waiting = joe.ask()
    chat(jack, "hi")
    assert waiting.bodies == ["hi"]


def test_it_works_without_stream_management() -> None:
    world = World(settings(sm_enabled=False))
    joe, jack = bound(Office(world), "joe"), world.bind("jack@localhost/y")
    waiting = joe.ask()
    chat(jack, "hi")
    assert waiting.bodies == ["hi"]
