"""A manager that stops: clients go on elsewhere, and the server has all that they have sent."""

from __future__ import annotations

from broker.xmpp.wire import ns
from broker.xmpp.wire.frame_values import Goodbye
from broker.xmpp.wire.frames import Type, encode
from tests.manager.fake_server import DOMAIN, FakeServer
from tests.manager.test_routes import logged_in
from tests.manager.world import HEADER, World, message


def test_streams_are_not_ended_so_that_clients_can_resume_them() -> None:
    world = World()
    person, _ = world.logged_in(world.link())
    person.client.shut_down()
    assert not person.take()
    assert person.socket.end == "closed"


def test_clients_are_sent_to_another_host_where_there_is_one() -> None:
    world = World(xmpp_manager_otherHost="xmpp2.example.org:5222")
    person, _ = world.logged_in(world.link())
    person.client.shut_down()
    told = person.take().decode()
    assert told.startswith(
        f"<stream:error><see-other-host xmlns='{ns.STREAM_ERRORS}'>xmpp2.example.org:5222</see-other-host>"
    )
    assert told.endswith("</stream:stream>")


def test_it_waits_until_the_server_has_all_that_clients_have_sent() -> None:
    world = World()
    wire = world.link()
    person, talk = world.logged_in(wire)
    person.send(message())
    drained = world.links.drain()
    person.client.shut_down()
    person.leave()
    talk.read()
    assert not drained.called
    talk.acknowledge()
    assert drained.called


def test_it_goes_on_over_the_next_link_while_it_waits() -> None:
    world = World()
    wire = world.link()
    person, talk = world.logged_in(wire)
    person.client.received(message())
    drained = world.links.drain()
    person.leave()
    wire.lose()
    again = world.link()
    assert not drained.called
    again.offset(Type.ATTACHED, talk.number, len(talk.said))
    talk.wire = again
    assert talk.read() == message()
    talk.acknowledge()
    assert drained.called


def test_it_waits_for_the_sessions_of_a_link_that_the_server_leaves() -> None:
    world = World()
    wire = world.link()
    person, _ = world.logged_in(wire)
    person.send(message())
    wire.say(encode(Type.GOODBYE, payload=Goodbye("shutdown").encode()))
    drained = world.links.drain()
    person.leave()
    assert not drained.called
    wire.lose()
    world.link("run-2")  # which resumes nothing for a client that is gone
    assert drained.called


def test_it_says_goodbye_and_attaches_nothing_again() -> None:
    world = World()
    wire = world.link()
    world.links.drain()
    world.links.close()
    (frame,) = wire.take(Type.GOODBYE)
    assert Goodbye.read(frame.payload).reason == "drain"
    assert wire.end == "closed"


def test_nobody_new_is_carried() -> None:
    world = World()
    waiting = world.person()
    waiting.send(HEADER)
    world.links.drain()
    assert b"<system-shutdown" in waiting.take()
    world.link()
    late = world.person()
    late.send(HEADER)
    assert b"<system-shutdown" in late.take()


def test_a_server_that_speaks_routes_is_told_of_each_client_and_of_the_end() -> None:
    server = FakeServer(World(xmpp_domain=DOMAIN))
    person, id = logged_in(server)
    drained = server.world.links.drain()
    person.client.shut_down()
    person.leave()
    assert server.requests() == [("close", id)]
    assert drained.called
    server.world.links.close()
    assert server.transport.value() == b"</stream:stream>"
