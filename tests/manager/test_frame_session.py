"""A client's stream in frames, from its begin to its end."""

from __future__ import annotations

import pytest

from broker.xmpp.wire import ns
from broker.xmpp.wire.frame_values import Closed, Secured, Tls
from broker.xmpp.wire.frames import Type
from tests.manager.world import ANSWER, AUTH, CLIENT, FEATURES, HEADER, SUCCESS, WINDOW, World, message

START_TLS = f"<starttls xmlns='{ns.TLS}'/>".encode()
PROCEED = f"<proceed xmlns='{ns.TLS}'/>".encode()


class TestBegin:
    def test_a_connection_without_a_stream_is_unknown_to_the_server(self) -> None:
        world = World()
        wire = world.link()
        wire.take()
        world.person().send(HEADER[:20])
        assert not wire.take()

    def test_a_stream_is_opened_with_the_address_of_its_client(self) -> None:
        world = World()
        _person, talk = world.session(world.link())
        assert (talk.open.address, talk.open.port, talk.open.local_port) == (CLIENT, 40_000, 5222)
        assert talk.open.tls is None
        assert talk.read() == HEADER

    def test_what_the_server_sends_comes_as_it_is(self) -> None:
        world = World()
        person, talk = world.session(world.link())
        talk.say(ANSWER + FEATURES)
        assert person.take() == ANSWER + FEATURES

    def test_a_refused_client_gets_a_header_and_the_stream_error(self) -> None:
        world = World()
        person, talk = world.session(world.link())
        talk.refuse("policy-violation")
        told = person.take()
        assert told.startswith(b"<?xml version='1.0'?><stream:stream ")
        assert b"<policy-violation" in told
        assert told.endswith(b"</stream:stream>")
        assert person.socket.end == "closed"

    def test_nobody_beyond_the_number_of_sessions_is_carried(self) -> None:
        world = World()
        wire = world.link(sessions=1)
        world.session(wire)
        person = world.person()
        person.send(HEADER)
        assert b"<resource-constraint" in person.take()

    def test_a_client_without_a_stream_is_given_up(self) -> None:
        world = World()
        person = world.person()
        world.wait(world.settings.header_timeout)
        assert b"<connection-timeout" in person.take()
        assert person.socket.end == "closed"


class TestTls:
    def test_it_begins_when_the_client_was_told_to(self) -> None:
        world = World()
        person, talk = world.session(world.link())
        talk.say(ANSWER + FEATURES)
        person.send(START_TLS)
        talk.wire.offset(Type.START_TLS, talk.number, talk.sent + len(PROCEED))
        assert not person.socket.starts_tls
        talk.say(PROCEED)
        assert person.socket.starts_tls

    def test_the_server_learns_what_the_client_is_bound_to(self) -> None:
        world = World()
        person, talk = world.session(world.link())
        talk.say(ANSWER + FEATURES)
        person.send(START_TLS)
        talk.say(PROCEED)
        talk.wire.offset(Type.START_TLS, talk.number, talk.sent)
        person.finish_tls()
        (frame,) = talk.heard(Type.SECURED)
        secured = Secured.read(frame.payload)
        assert secured.offset == len(talk.said) == len(HEADER + START_TLS)
        assert secured.tls == Tls(
            "TLSv1.3", "TLS_AES_256_GCM_SHA384", "localhost", bindings={"tls-exporter": b"\x01\x02"}
        )

    def test_what_came_in_clear_behind_the_request_is_never_seen(self) -> None:
        world = World()
        person, talk = world.session(world.link())
        talk.say(ANSWER + FEATURES)
        person.send(START_TLS + AUTH)
        talk.say(PROCEED)
        talk.wire.offset(Type.START_TLS, talk.number, talk.sent)
        person.finish_tls()
        person.send(HEADER)
        assert talk.read() == HEADER + START_TLS + HEADER


class TestLogin:
    def test_the_stream_begins_anew_behind_it(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link(), managed=False)
        assert talk.said == HEADER + AUTH + HEADER
        assert person.socket.account == "joe"

    def test_a_client_that_does_not_wait_for_the_answer_is_read_behind_it(self) -> None:
        world = World()
        person, talk = world.session(world.link())
        talk.say(ANSWER + FEATURES)
        person.send(AUTH + HEADER + message())
        assert talk.read() == HEADER + AUTH
        talk.say(SUCCESS)
        assert talk.read() == HEADER + message()

    def test_longer_stanzas_are_for_those_who_have_logged_in(self) -> None:
        world = World(xmpp_maxStanzaBeforeLogin="1000")
        wire = world.link()
        stranger, _ = world.session(wire)
        stranger.send(message("x" * 1000))
        assert b"<policy-violation" in stranger.take()
        person, talk = world.logged_in(wire)
        person.send(message("x" * 1000))
        assert talk.read() == message("x" * 1000)


class TestClient:
    def test_elements_are_passed_on_when_they_are_whole(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        person.send(message()[:10])
        assert not talk.read()
        person.send(message()[10:] + message()[:5])
        assert talk.read() == message()

    def test_white_space_between_them_is_passed_on_as_a_sign_of_life(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        person.send(b"\r\n  ")
        assert talk.read() == b" "

    @pytest.mark.parametrize(
        ("data", "condition"),
        [
            (b"<message></iq>", b"not-well-formed"),
            (b"<message>&#1;</message>", b"not-well-formed"),
            (b"<!-- -->", b"restricted-xml"),
            (b"<a>" * 65, b"policy-violation"),
            (b"text", b"bad-format"),
        ],
    )
    def test_what_is_no_stream_ends_it_and_the_server_sees_nothing_of_it(self, data: bytes, condition: bytes) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        person.send(message() + data)
        assert condition in person.take()
        person.leave()
        assert talk.read() == message()
        assert len(talk.heard(Type.CLOSED)) == 1

    @pytest.mark.parametrize("data", [b"<a></b>", b"<a>&#1;</a>", b"<a>" * 7000, b"<a>" + b"x" * 20_000])
    def test_what_is_no_stream_may_come_right_behind_the_header(self, data: bytes) -> None:
        world = World()
        person, talk = world.session(world.link(), stream=HEADER + data)
        talk.opened()
        talk.say(ANSWER + FEATURES)
        told = person.take()
        assert told.endswith(b"</stream:error></stream:stream>")
        assert person.socket.end == "closed"

    def test_a_client_that_ends_its_stream_gets_the_servers_end(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        person.send(b"</stream:stream>")
        assert talk.read() == b"</stream:stream>"
        talk.say(b"</stream:stream>")
        talk.wire.offset(Type.CLOSE, talk.number, talk.sent)
        assert person.take() == b"</stream:stream>"
        assert person.socket.end == "closed"

    def test_the_end_has_the_prefix_that_the_client_has_chosen(self) -> None:
        world = World()
        person, talk = world.session(
            world.link(), stream=HEADER.replace(b"stream:stream", b"s:stream").replace(b":stream=", b":s=")
        )
        person.send(b"</s:stream>")
        assert talk.read().endswith(b"</s:stream>")


class TestRest:
    def test_a_client_that_has_rested_goes_on_as_before(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        for _ in range(3):
            person.client.rest()
        person.send(message("1"))
        assert talk.read() == message("1")
        talk.say(message("2"))
        assert person.take() == message("2")

    def test_half_a_stanza_outlives_a_rest(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        person.send(message()[:12])
        talk.say(message()[:12])
        for _ in range(3):
            person.client.rest()
        person.send(message()[12:])
        talk.say(message()[12:])
        assert talk.read() == message()
        assert person.take() == message()


class TestEnd:
    def test_the_server_is_told_behind_all_that_came(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        person.client.received(message())
        person.leave()
        frames = [frame.type for frame in talk.wire.take(Type.DATA, Type.CLOSED)]
        assert frames == [Type.DATA, Type.CLOSED]

    def test_the_session_is_kept_until_the_server_has_all(self) -> None:
        world = World()
        wire = world.link()
        person, talk = world.logged_in(wire)
        person.send(message())
        person.leave()
        (frame,) = talk.heard(Type.CLOSED)
        assert Closed.read(frame.payload).reason == "connection lost"
        assert wire.link.load == 1
        talk.acknowledge()
        assert wire.link.load == 0

    def test_a_session_whose_connection_the_server_closes_is_told_to_be_closed(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        talk.tell(Type.ABORT)
        assert person.socket.end == "aborted"
        person.leave()
        assert len(talk.heard(Type.CLOSED)) == 1

    def test_frames_of_a_session_that_is_over_are_ignored(self) -> None:
        world = World()
        wire = world.link()
        person, talk = world.logged_in(wire)
        person.leave()
        talk.acknowledge()
        talk.say(message())
        assert not wire.end


class TestWindow:
    def test_a_client_is_not_read_while_the_server_has_not_taken_what_it_sent(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        data = message("x" * 900) * 12
        person.send(data)
        assert len(talk.read()) == WINDOW
        assert person.socket.reasons
        talk.acknowledge()
        assert not person.socket.reasons
        assert talk.read() == data[WINDOW:]

    def test_the_server_is_told_what_the_client_has_taken(self) -> None:
        world = World()
        _person, talk = world.logged_in(world.link())
        talk.say(message())
        assert talk.acknowledged == talk.sent

    def test_it_is_not_told_while_the_client_does_not_read(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        before = talk.sent
        person.client.set_writable(False)
        talk.say(message())
        assert talk.acknowledged == before
        person.client.set_writable(True)
        world.turn()
        assert talk.acknowledged == talk.sent

    def test_half_an_element_is_not_given_to_a_client(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        talk.say(message() + message("again")[:20])
        assert person.take() == message()
        talk.say(message("again")[20:])
        assert person.take() == message("again")

    def test_an_element_longer_than_the_window_comes_all_the_same(self) -> None:
        world = World()
        person, talk = world.logged_in(world.link())
        long = message("x" * 3 * WINDOW)
        for start in range(0, len(long), WINDOW // 2):
            talk.say(long[start : start + WINDOW // 2])
            assert talk.sent - talk.acknowledged <= WINDOW // 2 + 1
        assert person.take() == long
        talk.say(message())
        assert person.take() == message()

    def test_clients_take_turns_on_a_link(self) -> None:
        world = World()
        wire = world.link(window=1 << 20)
        (busy, one), (other, two) = world.logged_in(wire), world.logged_in(wire)
        busy.client.received(message("x" * 200_000))
        other.client.received(message())
        world.turn()
        order = [frame.session for frame in wire.take(Type.DATA)]
        assert order.index(two.number) == 1
        assert order.count(one.number) > 3
