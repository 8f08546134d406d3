"""A link in frames: its begin, its silence, its end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent

from broker.xmpp.wire.frame_values import BrokerHello, Goodbye, ManagerHello
from broker.xmpp.wire.frames import FROM_BROKER, Type, encode, encode_data
from tests.manager.world import ANSWER, HEADER, World, message


def goodbye(reason: str) -> bytes:
    return encode(Type.GOODBYE, payload=Goodbye(reason).encode())


def test_a_manager_names_its_process_and_its_domain_first() -> None:
    assert World().link().hello == ManagerHello("instance-1", "localhost")


def test_a_server_that_refuses_the_link_takes_no_client() -> None:
    world = World()
    wire = world.link(greets=False)
    wire.say(encode(Type.GOODBYE, payload=Goodbye("refused", "it serves another domain").encode()))
    world.person().send(HEADER)
    assert wire.end == "refused: it serves another domain"
    assert not wire.take(Type.OPEN)
    assert not len(world.links)


def test_another_manager_of_the_same_name_is_told_of_once() -> None:
    world = World()
    with capturedLogs() as events:
        world.link(others=1)
        world.link(others=1)
    texts = [formatEvent(event) for event in events]
    assert [text for text in texts if text and "same name" in text] == [
        "server:5262 has links of another manager with the same name: give each a xmpp.manager.name of its own"
    ]


def test_a_ping_is_answered_with_what_it_brought() -> None:
    wire = World().link()
    wire.say(encode(Type.PING, payload=b"abc"))
    (pong,) = wire.take(Type.PONG)
    assert pong.payload == b"abc"


def test_a_silent_server_is_asked_and_given_up() -> None:
    world = World()
    wire = world.link(idle=60)
    world.wait(31)
    assert len(wire.take(Type.PING)) == 1
    world.wait(31)
    assert wire.end == "aborted"


def test_a_server_that_answers_stays() -> None:
    world = World()
    wire = world.link(idle=60)
    for _ in range(10):
        world.wait(31)
        wire.say(encode(Type.PONG))
    assert not wire.end


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(Type.OPEN, 7, b"{}"), id="a frame of the other direction"),
        pytest.param(b"\0\0\0\0\xff" + bytes(8), id="a frame of an unknown type"),
        pytest.param(b"\xff\xff\xff\xff\x20" + bytes(8), id="a frame that is too long"),
        pytest.param(encode(Type.HELLO, payload=BrokerHello("run-2", 1, 1, 1).encode()), id="a second HELLO"),
        pytest.param(encode(Type.GOODBYE, payload=b"[]"), id="a payload that cannot be read"),
    ],
)
def test_a_server_that_breaks_the_protocol_is_told_and_left(data: bytes) -> None:
    wire = World().link()
    wire.say(data)
    (frame,) = wire.take(Type.GOODBYE)
    assert Goodbye.read(frame.payload).reason == "error"
    assert wire.end == "closed"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda number: encode_data(number, 100_000, b"x"), id="a gap"),
        pytest.param(lambda number: encode_data(number, 0, b"<a></b>"), id="no XML"),
        pytest.param(lambda number: encode(Type.ACK, number, b"\xff" * 8), id="acknowledged and never sent"),
    ],
)
def test_a_session_that_is_out_of_step_breaks_the_link_off(make: object) -> None:
    world = World()
    wire = world.link()
    person, talk = world.session(wire)
    assert callable(make)
    wire.say(make(talk.number))
    assert len(wire.take(Type.GOODBYE)) == 1
    wire.lose()
    assert not person.socket.end


def test_nothing_is_written_behind_the_servers_goodbye() -> None:
    world = World()
    wire = world.link()
    person, _ = world.logged_in(wire)
    wire.take()
    wire.say(goodbye("shutdown"))
    person.send(message())
    assert not wire.take()
    assert wire.end == "closed"


def test_no_session_begins_on_a_link_that_the_server_leaves() -> None:
    world = World()
    wire, other = world.link(), world.link()
    wire.say(goodbye("shutdown"))
    other.take()
    world.person().send(HEADER)
    assert len(other.take(Type.OPEN)) == 1


def test_a_server_of_another_version_is_left() -> None:
    world = World()
    wire = world.link(version=2)
    assert wire.end == "closed"
    assert not len(world.links)


offsets = st.one_of(st.integers(0, 300), st.integers(0, (1 << 64) - 1)).map(lambda offset: offset.to_bytes(8, "big"))
values = [b"{}", b'{"handled":1}', b'{"condition":"conflict"}', b'{"account":"joe"}', b'{"reason":"shutdown"}']
payloads = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda offset, data: offset + data, offsets, st.binary(max_size=40)),
    offsets,
    st.sampled_from(values),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(FROM_BROKER)), st.integers(0, 3), payloads), max_size=12))
def test_whatever_a_server_sends_costs_the_link_at_most(frames: list[tuple[Type, int, bytes]]) -> None:
    world = World()
    wire = world.link()
    world.logged_in(wire)
    world.session(wire)
    for type, session, payload in frames:
        if not wire.end:
            wire.say(encode(type, session, payload))
    if not wire.end:
        wire.lose()
    person, talk = world.session(world.link())
    talk.say(ANSWER)
    assert person.take() == ANSWER
