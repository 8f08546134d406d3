"""Messages for which there is no room: their sender is told, whatever a queue does with those of native publishers."""

from __future__ import annotations

import pytest

from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.model.key import DEAD_MESSAGE_OID
from broker.model.qos import Overflow
from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.xmpp.world import Peer, World, settings

JOE, JACK = "joe@localhost/x", "jack@localhost/y"
ROOM = 2
OVERFLOWS = pytest.mark.parametrize("overflow", list(Overflow))
STREAMS = pytest.mark.parametrize("stream", ["plain", "counted", "resumable"])


def full_store(overflow: Overflow) -> World:
    """A world in which few messages wait for an account that is away."""
    return World(settings(idle=-1, sm_ask=False), core=Settings(subject=QueueLimits(entries=ROOM, overflow=overflow)))


def full_queue(overflow: Overflow) -> World:
    """A world in which few messages wait for a client."""
    return World(settings(idle=-1, sm_ask=False, sm_window=1, queue=QueueLimits(entries=ROOM, overflow=overflow)))


def sender(world: World, stream: str) -> Peer:
    peer = world.bind(JOE, presence=None, sm=stream == "resumable")
    if stream == "counted":
        peer.enable(resume=False)
    return peer


def chat(peer: Peer, to: str, count: int = 1, first: int = 0) -> None:
    for number in range(first, first + count):
        peer.send(f"<message to='{to}' type='chat' id='m{number}'><body>{number}</body></message>")


def refusals(trees: list[Tree]) -> list[tuple[str, str]]:
    """Id and condition of each message that came back."""
    found = []
    for tree in trees:
        if tree.name == "message" and tree.attributes.get("type") == "error":
            error = tree.find(ns.CLIENT, "error")
            assert error is not None
            found.append((tree.attributes["id"], error.children[0].name))
    return found


def login(world: World) -> list[str]:
    jack = world.bind("jack@localhost/w", presence=None)
    jack.send("<presence/>")
    return jack.bodies()


REFUSED = [(f"m{ROOM}", "service-unavailable")]


class TestAccountThatIsAway:
    @STREAMS
    @OVERFLOWS
    def test_message_that_does_not_fit_is_refused_and_those_before_are_kept(
        self, overflow: Overflow, stream: str
    ) -> None:
        # RFC 6121 §8.5.2.2.1, XEP-0160 §2
        world = full_store(overflow)
        joe = sender(world, stream)
        chat(joe, "jack@localhost", ROOM + 1)
        assert refusals(joe.take()) == REFUSED
        if stream != "plain":
            assert joe.count() == ROOM + 1
        assert login(world) == ["0", "1"]

    @OVERFLOWS
    def test_message_that_is_refused_is_no_dead_message(self, overflow: Overflow) -> None:
        world = full_store(overflow)
        chat(sender(world, "plain"), "jack@localhost", ROOM + 1)
        assert world.broker.letters.count == 0
        assert DEAD_MESSAGE_OID not in world.node.topics

    @OVERFLOWS
    def test_refusal_and_number_of_handled_stanzas_are_committed_together(self, overflow: Overflow) -> None:
        world = full_store(overflow)
        joe = sender(world, "resumable")
        chat(joe, "jack@localhost", ROOM)
        world.store.commit()
        world.store.held = True
        chat(joe, "jack@localhost", first=ROOM)
        assert joe.take() == []
        before = world.crash(committed=False)
        assert self.resumed(before, joe) == (str(ROOM), [])

    @OVERFLOWS
    def test_refusal_comes_after_a_crash_where_the_message_is_counted(self, overflow: Overflow) -> None:
        world = full_store(overflow)
        joe = sender(world, "resumable")
        chat(joe, "jack@localhost", ROOM + 1)
        again = world.crash()
        assert self.resumed(again, joe) == (str(ROOM + 1), REFUSED)
        assert login(again) == ["0", "1"]

    def resumed(self, world: World, peer: Peer) -> tuple[str, list[tuple[str, str]]]:
        new = world.peer()
        new.login("joe")
        answer, *came = new.resume(peer.id, 0)
        return answer.attributes["h"], refusals(came)

    def test_account_that_must_be_read_first_refuses_alike(self) -> None:
        world = full_store(Overflow.DEAD_MESSAGE)
        chat(sender(world, "plain"), "jack@localhost", ROOM)
        again = world.crash()
        joe = sender(again, "resumable")
        chat(joe, "jack@localhost", 1)
        assert refusals(joe.take()) == [("m0", "service-unavailable")]
        assert joe.count() == 1

    @STREAMS
    def test_sender_that_ends_its_stream_behind_the_message_is_told(self, stream: str) -> None:
        world = full_store(Overflow.DEAD_MESSAGE)
        joe = sender(world, stream)
        chat(joe, "jack@localhost", ROOM)
        joe.send(f"<message to='jack@localhost' type='chat' id='m{ROOM}'><body>late</body></message></stream:stream>")
        assert refusals(joe.take()) == REFUSED


class TestClientWhoseQueueIsFull:
    @STREAMS
    @OVERFLOWS
    @pytest.mark.parametrize("to", ["jack@localhost", JACK], ids=["bare", "full"])
    @pytest.mark.parametrize("attached", [True, False], ids=["attached", "detached"])
    def test_message_that_does_not_fit_is_refused_and_those_before_are_kept(
        self, overflow: Overflow, stream: str, to: str, *, attached: bool
    ) -> None:
        world = full_queue(overflow)
        joe, jack = sender(world, stream), world.bind(JACK, sm=True)
        jack.ack()
        if not attached:
            jack.cut()
        chat(joe, to, ROOM + 1)
        assert refusals(joe.take()) == REFUSED
        if stream != "plain":
            assert joe.count() == ROOM + 1
        assert world.broker.letters.count == 0
        if attached:
            jack.send("</stream:stream>")
        else:
            world.advance(world.xmpp.sm_resume_timeout)
        assert login(world) == ["0", "1"]


class TestSenderThatCannotBeTold:
    def test_loses_its_stream_and_the_message_is_not_counted(self) -> None:
        # given a client that acknowledges nothing, whose queue is full of refusals
        world = full_queue(Overflow.EXCEPTION)
        joe = sender(world, "resumable")
        chat(joe, "nobody@elsewhere", ROOM)
        assert joe.count() == ROOM
        # when another message of it is refused
        chat(joe, "nobody@elsewhere", 1)
        # then it gets the refusals that waited, and nothing tells it that the last message was handled
        assert joe.names() == ["message", "error", "/"]

    def test_nor_is_a_request_counted_whose_answer_has_no_room(self) -> None:
        world = full_queue(Overflow.EXCEPTION)
        joe = sender(world, "resumable")
        chat(joe, "nobody@elsewhere", ROOM)
        joe.take()
        joe.send(f"<iq type='get' id='1'><query xmlns='{ns.ROSTER}'/></iq>")
        assert joe.names() == ["message", "error", "/"]


class TestAcceptedMessages:
    def test_are_kept_when_a_stream_ends_and_the_account_has_no_room(self) -> None:
        # given more messages for a client that is away than may wait for its account
        world = full_store(Overflow.DEAD_MESSAGE)
        joe, jack = sender(world, "plain"), world.bind(JACK, sm=True)
        jack.cut()
        chat(joe, "jack@localhost", 3 * ROOM)
        assert joe.take() == []
        # when it does not come back in time
        world.advance(world.xmpp.sm_resume_timeout)
        # then all of them wait for its account, and no more are accepted
        assert world.broker.letters.count == 0
        chat(joe, "jack@localhost")
        assert refusals(joe.take()) == [("m0", "service-unavailable")]
        assert login(world) == [str(number) for number in range(3 * ROOM)]

    def test_are_kept_when_the_stream_does_not_come_back_after_a_crash(self) -> None:
        world = full_store(Overflow.DEAD_MESSAGE)
        joe, jack = sender(world, "plain"), world.bind(JACK, sm=True)
        jack.cut()
        chat(joe, "jack@localhost", 3 * ROOM)
        again = world.crash()
        again.advance(again.xmpp.sm_resume_timeout)
        assert again.broker.letters.count == 0
        assert login(again) == [str(number) for number in range(3 * ROOM)]
