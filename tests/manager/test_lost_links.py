"""Links that are lost, servers that are restarted: clients stay, and nothing is lost or doubled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.xmpp.wire import ns
from broker.xmpp.wire.frame_values import Secured
from broker.xmpp.wire.frames import Type
from tests.manager.world import ANSWER, AUTH, ENABLE, FEATURES, HEADER, Person, Talk, Wire, World, message

REQUEST = f"<r xmlns='{ns.SM}'/>".encode()


def ack(h: int) -> bytes:
    return f"<a xmlns='{ns.SM}' h='{h}'/>".encode()


def attach(talk: Talk, wire: Wire, offset: int) -> int:
    """The server takes a session up on another link; returns where it is to go on."""
    talk.read()
    (frame,) = [each for each in wire.take() if (each.type, each.session) == (Type.ATTACH, talk.number)]
    talk.wire = wire
    talk.said = talk.said[:offset]
    wire.offset(Type.ATTACHED, talk.number, offset)
    return frame.offset


class TestSameServer:
    def test_a_session_goes_on_over_the_next_link(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        first.lose()
        person.send(message())
        second = world.link()
        assert attach(talk, second, len(talk.said)) == talk.sent
        assert talk.read() == message()
        assert not person.socket.end

    def test_what_the_server_has_not_got_is_sent_again(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        person.send(message("1") + message("2"))
        talk.read()
        first.lose()
        attach(talk, world.link(), len(talk.said) - len(message("2")))
        assert talk.read() == message("2")

    def test_half_an_element_of_the_server_is_completed_over_the_next_link(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        talk.say(message()[:9])
        first.lose()
        second = world.link()
        talk.sent = attach(talk, second, len(talk.said))
        talk.say(message()[9:])
        assert person.take() == message()

    def test_a_session_goes_to_another_link_that_is_open(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        second = world.link()
        first.lose()
        attach(talk, second, len(talk.said))
        person.send(message())
        assert talk.read() == message()

    def test_a_client_that_has_gone_meanwhile_is_told_with_what_it_sent(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        first.lose()
        person.client.received(message())
        person.leave()
        second = world.link()
        attach(talk, second, len(talk.said))
        assert talk.read() == message()
        assert len(talk.heard(Type.CLOSED)) == 1
        talk.acknowledge()
        assert second.link.load == 0

    def test_the_beginning_of_tls_is_told_again(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.session(first)
        talk.say(ANSWER + FEATURES)
        person.send(f"<starttls xmlns='{ns.TLS}'/>".encode())
        talk.say(f"<proceed xmlns='{ns.TLS}'/>".encode())
        first.offset(Type.START_TLS, talk.number, talk.sent)
        talk.read()
        first.lose()
        person.finish_tls()
        attach(talk, world.link(), len(talk.said))
        (frame,) = talk.heard(Type.SECURED)
        assert Secured.read(frame.payload).offset == len(talk.said)

    def test_a_client_is_read_up_to_the_window_while_there_is_no_link(self) -> None:
        world = World()
        first = world.link()
        person, _ = world.logged_in(first)
        first.lose()
        for _ in range(30):
            person.send(message("x" * 900))
        assert person.socket.reasons
        assert not person.socket.end

    def test_a_new_client_waits_for_a_link(self) -> None:
        world = World()
        person = world.person()
        person.send(HEADER + AUTH)
        wire = world.link()
        world.turn()
        assert world.talk(wire).read() == HEADER + AUTH

    def test_a_new_client_does_not_wait_for_long(self) -> None:
        world = World()
        person = world.person()
        person.send(HEADER)
        world.wait(world.settings.patience)
        told = person.take()
        assert told.startswith(b"<?xml version='1.0'?><stream:stream ")
        assert b"<remote-connection-failed" in told
        world.link()  # which is nothing to it

    def test_clients_are_told_when_no_server_comes_back(self) -> None:
        world = World()
        wire = world.link()
        person, _ = world.logged_in(wire)
        wire.lose()
        world.wait(world.settings.grace - 1)
        assert not person.take()
        world.wait(2)
        assert person.take().startswith(b"<stream:error><remote-connection-failed")
        assert person.socket.end == "closed"
        person.leave()

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_nothing_is_lost_or_doubled_whatever_is_cut_when(self, data: Any) -> None:
        world = World()
        wire = world.link()
        person, talk = world.logged_in(wire)
        before = taken = len(talk.said)
        sent = received = b""
        for number in range(data.draw(st.integers(1, 12))):
            match data.draw(st.sampled_from(["client", "server", "ack", "cut"])):
                case "client":
                    element = message(str(number) + "x" * data.draw(st.integers(0, 4000)))
                    if not person.socket.reasons:
                        sent += element
                        person.send(element)
                case "server":
                    element = message(str(number))
                    received += element
                    cut = data.draw(st.integers(0, len(element)))
                    talk.say(element[:cut])
                    talk.say(element[cut:])
                case "ack":
                    talk.read()
                    talk.acknowledge()
                    taken = len(talk.said)
                case "cut":
                    talk.read()
                    wire.lose()
                    wire = world.link()
                    taken = data.draw(st.integers(taken, len(talk.said)))
                    assert attach(talk, wire, taken) == talk.sent
        talk.read()
        for _ in range(10):
            talk.acknowledge()
            talk.read()
        assert talk.said[before:] == sent
        assert person.take() == received


class TestRestartedServer:
    def restarted(self, world: World, first: Wire) -> Wire:
        first.lose()
        return world.link("run-2")

    def resumed(self, world: World, wire: Wire, handled: int) -> Talk:
        talk = world.talk(wire)
        talk.opened(handled)
        return talk

    def test_a_stream_goes_on_without_its_clients_noticing(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        talk.say(message("1"))
        person.take()
        second = self.restarted(world, first)
        assert person.take() == REQUEST
        person.send(ack(1))
        talk = self.resumed(world, second, 0)
        resume = talk.open.resume
        assert resume is not None
        assert (resume.account, resume.previd, resume.h) == ("joe", "stream-1", 1)
        assert resume.header == HEADER.decode()
        talk.say(message("2"))
        assert person.take() == message("2")
        person.send(message("3"))
        assert talk.read() == message("3")
        assert not person.socket.end

    def test_what_the_old_server_has_not_handled_is_sent_to_the_new_one(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        person.send(message("1") + message("2") + REQUEST + message("3"))
        second = self.restarted(world, first)
        person.send(ack(0) + message("4"))
        talk = self.resumed(world, second, 2)
        assert talk.read() == REQUEST + message("3") + message("4")

    def test_a_second_beginning_of_stream_management_forgets_no_stanza(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        person.send(message("1") + ENABLE + message("2"))
        second = self.restarted(world, first)
        person.send(ack(0))
        talk = self.resumed(world, second, 0)
        assert talk.read() == message("1") + ENABLE + message("2")

    def test_a_client_whose_question_the_old_server_has_not_answered_is_told_the_counter(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        person.send(message("1") + REQUEST + message("2"))
        second = self.restarted(world, first)
        person.send(ack(0))
        person.take()
        talk = self.resumed(world, second, 2)
        assert person.take() == ack(2)
        assert not talk.read()

    def test_a_client_that_has_all_answers_is_told_nothing(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        person.send(message("1") + REQUEST)
        talk.say(ack(1))
        second = self.restarted(world, first)
        person.send(ack(0))
        person.take()
        self.resumed(world, second, 1)
        assert not person.take()

    def test_what_was_acknowledged_before_counts_with_it(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        person.send(message("1") + message("2"))
        talk.read()
        talk.acknowledge()
        person.send(message("3") + message("4"))
        second = self.restarted(world, first)
        person.send(ack(0))
        talk = self.resumed(world, second, 3)
        assert talk.read() == message("4")

    def test_the_negotiation_is_not_repeated_to_the_new_server(self) -> None:
        world = World()
        first = world.link()
        person, _ = world.logged_in(first, acknowledged=False)
        person.send(message("1"))
        second = self.restarted(world, first)
        person.send(ack(0))
        talk = self.resumed(world, second, 0)
        assert talk.read() == message("1")

    def test_stanzas_right_behind_a_resumption_count_on_from_what_was_handled_before(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first, managed=False)
        person.send(f"<resume xmlns='{ns.SM}' previd='stream-1' h='0'/>".encode() + message("6") + message("7"))
        talk.say(f"<resumed xmlns='{ns.SM}' previd='stream-1' h='5'/>".encode())
        person.take()
        second = self.restarted(world, first)
        person.send(ack(0))
        talk = self.resumed(world, second, 6)
        assert talk.read() == message("7")

    def test_half_an_element_of_the_old_server_is_forgotten(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        talk.say(message("1")[:9])
        second = self.restarted(world, first)
        assert person.take() == REQUEST
        person.send(ack(0))
        talk = self.resumed(world, second, 0)
        talk.say(message("1"))
        assert person.take() == message("1")

    def test_answers_to_the_old_server_and_early_ones_are_not_taken_for_the_managers(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        talk.say(message("1") + REQUEST + message("2"))
        second = self.restarted(world, first)
        person.send(ack(1))
        assert not second.take(Type.OPEN)
        person.send(ack(2))
        assert len(second.take(Type.OPEN)) == 1

    def test_a_client_that_does_not_answer_is_let_go_of(self) -> None:
        world = World()
        first = world.link()
        person, _ = world.logged_in(first)
        self.restarted(world, first)
        world.wait(31)
        assert person.socket.end == "aborted"

    def test_a_client_that_has_resumed_its_stream_itself_is_resumed_by_its_counters(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first, managed=False)
        person.send(f"<resume xmlns='{ns.SM}' previd='stream-7' h='5'/>".encode())
        talk.say(f"<resumed xmlns='{ns.SM}' previd='stream-7' h='3'/>".encode() + message("6"))
        person.send(message("4") + message("5"))
        second = self.restarted(world, first)
        person.send(ack(6))
        talk = self.resumed(world, second, 4)
        resume = talk.open.resume
        assert resume is not None
        assert (resume.previd, resume.h) == ("stream-7", 6)
        assert talk.read() == message("5")

    def test_an_inactive_client_stays_so(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        inactive = f"<inactive xmlns='{ns.CSI}'/>".encode()
        person.send(inactive)
        talk.read()
        talk.acknowledge()
        second = self.restarted(world, first)
        person.send(ack(0))
        assert self.resumed(world, second, 0).read() == inactive

    def test_a_stream_that_the_new_server_refuses_ends_with_its_error(self) -> None:
        world = World()
        first = world.link()
        person, _ = world.logged_in(first)
        second = self.restarted(world, first)
        person.take()
        person.send(ack(0))
        world.talk(second).refuse("conflict")
        assert person.take().startswith(b"<stream:error><conflict")

    def test_a_server_that_dies_again_meanwhile_is_asked_once_more(self) -> None:
        world = World()
        first = world.link()
        person, _ = world.logged_in(first)
        second = self.restarted(world, first)
        person.send(ack(0))
        second.lose()
        person.send(message("1"))
        third = world.link("run-2")
        person.take()
        person.send(ack(0))
        talk = self.resumed(world, third, 0)
        assert talk.read() == message("1")
        person.send(message("2"))
        assert talk.read() == message("2")

    def test_a_link_that_is_lost_while_a_client_is_asked_is_followed_by_the_next_one(self) -> None:
        world = World()
        first = world.link()
        person, _ = world.logged_in(first)
        second = self.restarted(world, first)
        second.lose()
        third = world.link("run-2")
        person.send(ack(0))
        self.resumed(world, third, 0)
        assert third.link.load == 1

    def test_a_server_that_has_forgotten_a_session_is_asked_to_resume_it(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        first.lose()
        second = world.link()
        talk.wire = second
        talk.tell(Type.UNKNOWN)
        assert person.take() == REQUEST
        person.send(ack(0))
        self.resumed(world, second, 0)
        assert not person.socket.end

    @pytest.mark.parametrize("managed", [True, False])
    def test_other_streams_end_with_system_shutdown(self, managed: bool) -> None:
        world = World()
        first = world.link()
        person: Person
        if managed:
            person, _talk = world.logged_in(first)
            person.send(b"</stream:stream>")
        else:
            person, _talk = world.logged_in(first, managed=False)
        self.restarted(world, first)
        assert (
            person.take()
            == (
                f"<stream:error><system-shutdown xmlns='{ns.STREAM_ERRORS}'/><text xmlns='{ns.STREAM_ERRORS}'"
                " xml:lang='en'>the server was restarted</text></stream:error></stream:stream>"
            ).encode()
        )

    def test_a_client_that_has_half_an_element_is_let_go_of_to_resume_itself(self) -> None:
        world = World()
        first = world.link()
        person, talk = world.logged_in(first)
        talk.say(message("x" * 9000)[:8000])
        self.restarted(world, first)
        assert person.socket.end == "aborted"
