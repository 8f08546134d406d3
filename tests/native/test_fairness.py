"""A client that asks for much does not keep others waiting, and what it has sent is served to its end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from broker.core.message import Message
from broker.native.wire.frames import Kind, Unit, encode_frame, encode_units
from tests.native.peer import Listener, Peer
from tests.native.test_conversations import KEY, MESSAGE, QUERY, connect_unit, subscriber

SLOW = 4.0
"""Seconds of the processor that a request of the hostile client takes."""


class Busy:
    """A broker whose queries take their time, which the test measures.

    Args:
        cost: seconds of the processor that a query takes, and a message to publish.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost: float = SLOW) -> None:
        self.now = 0.0
        self.listener = Listener(seconds=lambda: self.now)
        self.served = 0
        broker = self.listener.broker
        publish = broker.publisher.publish

        async def get(*_: object) -> list[tuple[Message, bool]]:
            self.now += cost
            self.served += 1
            return []

        def slow_publish(*arguments: object) -> object:
            self.now += cost
            self.served += 1
            return publish(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr("broker.net.turns.LONGEST_REST", 0.0)  # time stands still while nobody works
        monkeypatch.setattr(broker, "get", get)
        monkeypatch.setattr(broker.publisher, "publish", slow_publish)
        monkeypatch.setattr(broker, "publish", slow_publish)

    def iterate(self) -> None:
        """One iteration of the reactor: calls that are due, without those that they make."""
        clock = self.listener.world.clock
        due = [call for call in clock.calls if call.getTime() <= clock.seconds()]
        clock.calls = [call for call in clock.calls if call not in due]
        for call in due:
            call.func(*call.args, **call.kw)


def send(peer: Peer, method: bytes, units: Sequence[Sequence[Unit]]) -> None:
    """Send requests in one segment."""
    frames = [
        encode_frame(Kind.INVOKE, b"q%d" % number, method, peer.secret, encode_units(each))
        for number, each in enumerate(units)
    ]
    peer.protocol.dataReceived(b"".join(frames))


def is_answered(peer: Peer) -> bool:
    """Whether a ping is answered at once."""
    peer.protocol.dataReceived(encode_frame(Kind.INVOKE, b"ping", b"ping", peer.secret, b""))
    return [frame.request_id for frame in peer.frames()] == [b"ping"]


def test_others_are_served_between_any_two_requests_of_one_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(monkeypatch)
    mallory, innocent = busy.listener.client("mallory"), busy.listener.client("joe")
    send(mallory, b"get", [[QUERY]] * 60)
    for served in range(1, 61):
        assert busy.served == served
        assert is_answered(innocent)
        busy.iterate()
    assert [frame.request_id for frame in mallory.frames()] == [b"q%d" % number for number in range(60)]


def test_others_are_served_between_any_two_messages_of_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(monkeypatch)
    listener = busy.listener
    mallory, innocent = listener.client("mallory"), listener.client("joe")
    receiver = subscriber(listener, "jack/1")
    send(mallory, b"publish", [[Unit(b"<qos/>", KEY, b"%d" % number) for number in range(20)]])
    for served in range(1, 21):
        assert busy.served == served
        assert is_answered(innocent)
        busy.iterate()
    listener.world.turn()
    (answer,) = [frame for frame in mallory.frames() if frame.kind is Kind.RESPONSE]
    assert len(answer.units()) == 20
    assert [unit.content for unit in receiver.updates()] == [b"%d" % number for number in range(20)]


def test_two_hostile_clients_take_turns_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(monkeypatch)
    peers = [busy.listener.client("mallory"), busy.listener.client("trudy")]
    for peer in peers:
        send(peer, b"get", [[QUERY]] * 10)
    answered = [0, 0]
    for _ in range(30):
        busy.iterate()
        answered = [count + len(peer.frames()) for count, peer in zip(answered, peers, strict=True)]
        assert abs(answered[0] - answered[1]) <= 1
    assert answered == [10, 10]


def test_many_short_requests_are_served_in_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(monkeypatch, 0.00001)
    peer = busy.listener.client("joe")
    send(peer, b"publish", [[MESSAGE]] * 400)
    assert busy.served == 400


def is_aborted(peer: Peer) -> bool:
    return peer.transport.aborting


def is_let_go(peer: Peer) -> bool:
    return peer.transport.let_go


class TestAfterTheConnection:
    """What has come over a connection that is gone."""

    def test_all_messages_are_published(self, monkeypatch: pytest.MonkeyPatch) -> None:
        busy = Busy(monkeypatch)
        listener = busy.listener
        receiver = subscriber(listener, "jack/1")
        pub = listener.client("pub")
        send(pub, b"publishOneway", [[Unit(b"<qos/>", KEY, b"%d" % number)] for number in range(20)])
        assert busy.served == 1
        pub.hang_up()
        assert [unit.content for unit in receiver.updates()] == [b"%d" % number for number in range(20)]
        receiver.hang_up()

    def test_also_those_that_came_while_a_request_took_its_time(self) -> None:
        listener = Listener()
        receiver = subscriber(listener, "jack/1")
        pub = listener.client("pub")
        pub.protocol.pauseProducing()  # so they wait
        send(pub, b"publishOneway", [[Unit(b"<qos/>", KEY, b"%d" % number)] for number in range(5)])
        assert receiver.updates() == []
        pub.hang_up()
        assert [unit.content for unit in receiver.updates()] == [b"%d" % number for number in range(5)]

    def test_questions_are_not_answered_to_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # a queue would lose what they take from it
        busy = Busy(monkeypatch)
        peer = busy.listener.client("joe")
        send(peer, b"get", [[QUERY]] * 60)
        peer.hang_up()
        assert busy.served == 1

    def test_nothing_of_a_stranger_is_served(self) -> None:
        listener = Listener()
        listener.checking = []
        peer = listener.peer()
        peer.request("connect", connect_unit("joe"))
        peer.request("connect", connect_unit("jack"))
        peer.hang_up()
        listener.checking.pop().callback(None)
        listener.world.turn()
        assert not listener.checking
        assert listener.is_clean

    def test_the_session_goes_when_all_is_served(self, monkeypatch: pytest.MonkeyPatch) -> None:
        busy = Busy(monkeypatch)
        listener = busy.listener
        pub = listener.client("pub", callback="<callback/>")
        send(pub, b"publish", [[MESSAGE]] * 3)
        pub.protocol.connectionLost()
        assert listener.world.node.sessions
        listener.world.turn()
        assert not listener.world.node.sessions


class TestBrokenFraming:
    def test_requests_before_it_are_served_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        busy = Busy(monkeypatch)
        peer = busy.listener.client("joe")
        send(peer, b"publish", [[MESSAGE]] * 3)
        peer.protocol.dataReceived(b"no frame at all")
        assert not peer.closed
        busy.listener.world.turn()
        assert busy.served == 3
        assert peer.closed

    def test_requests_behind_a_body_that_cannot_be_read_are_not(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        broken = encode_frame(Kind.INVOKE, b"1", b"publish", peer.secret, b"<qos/>\0<key/>\0no length\0")
        publish = encode_frame(Kind.INVOKE, b"2", b"publish", peer.secret, encode_units([MESSAGE]))
        peer.protocol.dataReceived(broken + publish)
        assert peer.closed
        peer.hang_up()
        assert "a" not in listener.world.node.topics


class TestNotReading:
    """Peers that do not read are let go of, whatever state they are in."""

    def test_a_client_that_reads_nothing_for_30_seconds_is_let_go_of(self) -> None:
        listener = Listener()
        peer = listener.client("joe/1")
        peer.protocol.pauseProducing()
        listener.world.turn()
        listener.world.advance(29)
        assert not is_aborted(peer)
        listener.world.advance(2)
        assert is_aborted(peer)

    def test_one_whose_session_was_taken_over_has_5_seconds(self) -> None:
        listener = Listener()
        old = listener.client("joe/1")
        old.protocol.pauseProducing()
        listener.client("joe/1")
        assert old.closed
        listener.world.advance(4)
        assert not is_aborted(old)
        listener.world.advance(2)
        assert is_aborted(old)

    def test_one_that_has_logged_out_and_does_not_close_its_side_likewise(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        peer.call("disconnect", Unit(b"<qos/>"))
        assert peer.closed
        listener.world.advance(6)
        assert is_aborted(peer)

    def test_one_that_reads_is_not(self) -> None:
        listener = Listener()
        peer = listener.client("joe/1")
        peer.protocol.pauseProducing()
        listener.world.turn()
        listener.world.advance(29)
        peer.protocol.resumeProducing()
        listener.world.advance(60)
        assert not peer.closed


class TestShutDown:
    def test_what_has_come_is_served_and_answered_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        busy = Busy(monkeypatch)
        listener = busy.listener
        peer = listener.client("joe")
        send(peer, b"publish", [[MESSAGE]] * 3)
        closed = listener.factory.close_all()
        listener.world.turn()
        assert len(peer.frames()) == 3
        assert peer.closed
        assert listener.factory.connections
        peer.hang_up()
        assert closed.called

    def test_answers_that_wait_for_the_store_are_waited_for(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        listener.world.store.held = True
        peer.request("publish", Unit(b"<qos><persistent/></qos>", KEY, b"x"))
        listener.factory.close_all()
        assert not peer.closed
        listener.world.store.held = False
        listener.world.store.commit()
        listener.world.turn()
        assert [frame.method for frame in peer.frames()] == [b"publish"]
        assert peer.closed

    def test_what_comes_later_is_not_looked_at(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        listener.factory.close_all()
        peer.protocol.dataReceived(encode_frame(Kind.INVOKE, b"1", b"publish", peer.secret, encode_units([MESSAGE])))
        assert "a" not in listener.world.node.topics

    def test_a_publisher_that_waits_for_room_is_not_waited_for(self) -> None:
        listener = Listener()
        queue = "<queue relating='callback' maxEntries='1' onOverflow='block'><callback retries='-1'/></queue>"
        receiver = listener.peer()
        receiver.connect("jack/1", queue)
        receiver.call("subscribe", QUERY)
        pub = listener.client("pub")
        for _ in range(2):
            pub.request("publish", MESSAGE)
        assert len(pub.frames()) == 1
        listener.factory.close_all()
        assert pub.closed

    def test_clients_that_do_not_close_their_side_get_half_a_second(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        closed = listener.factory.close_all()
        listener.world.advance(0.25)
        assert not is_let_go(peer)
        for _ in range(3):
            listener.world.advance(0.25)
        assert is_let_go(peer)
        peer.hang_up()
        assert closed.called
