"""How a stream ends: what came before is handled, and the end is on disk before it is answered (RFC 6120 §4.4)."""

from __future__ import annotations

import pytest

from broker.xml.tree import Tree
from broker.xmpp.settings import Durable
from broker.xmpp.stream.ending import END_TIMEOUT
from broker.xmpp.stream.inbox import MAX_UNREAD
from broker.xmpp.wire import ns
from tests.xmpp.world import Peer, World, settings

JOE, JACK = "joe@localhost/x", "jack@localhost/y"
END = "</stream:stream>"
R = f"<r xmlns='{ns.SM}'/>"
COUNT = 50
BODIES = [str(number) for number in range(COUNT)]
STREAMS = pytest.mark.parametrize("stream", ["plain", "counted", "resumable"])


def sender(world: World, stream: str, jid: str = JOE) -> Peer:
    """A client whose stream has no stream management, is counted, or may be resumed as well."""
    peer = world.bind(jid, sm=stream == "resumable")
    if stream == "counted":
        peer.enable(resume=False)
    return peer


def to_mary(bodies: list[str] = BODIES, more: str = "") -> bytes:
    """Messages to an account that must be read first."""
    return "".join(
        f"<message to='mary@localhost' type='chat'><body>{body}</body>{more}</message>" for body in bodies
    ).encode()


def received_by_mary(world: World) -> list[str]:
    world.turn(4 * COUNT)
    mary = world.bind("mary@localhost/z", presence=None)
    mary.send("<presence/>")
    return mary.bodies()


def resumed(world: World, peer: Peer) -> Tree:
    new = world.peer()
    new.login(peer.jid.partition("@")[0])
    return new.resume(peer.id, peer.h)[0]


class TestStanzasBeforeTheEnd:
    @STREAMS
    @pytest.mark.parametrize("end", ["", END], ids=["cut", "ended"])
    def test_all_are_handled_where_the_first_waits_for_the_disk(self, quiet: World, stream: str, end: str) -> None:
        joe = sender(quiet, stream)
        joe.stream.received(to_mary() + end.encode())
        joe.stream.lost("the connection was closed")
        assert received_by_mary(quiet) == BODIES

    @STREAMS
    def test_all_are_handled_that_came_in_several_reads(self, quiet: World, stream: str) -> None:
        joe = sender(quiet, stream)
        data = to_mary()
        for start in range(0, len(data), 100):
            joe.stream.received(data[start : start + 100])
        joe.stream.lost("the connection was closed")
        assert received_by_mary(quiet) == BODIES

    @STREAMS
    def test_all_are_handled_of_a_client_that_reads_nothing(self, quiet: World, stream: str) -> None:
        joe = sender(quiet, stream)
        joe.stream.set_writable(False)
        joe.stream.received(to_mary())
        quiet.turn()
        joe.stream.lost("the connection was closed")
        assert received_by_mary(quiet) == BODIES

    @STREAMS
    def test_all_are_handled_before_another_connection_binds_the_resource(self, quiet: World, stream: str) -> None:
        joe = sender(quiet, stream)
        new = quiet.peer()
        new.login("joe")
        joe.stream.received(to_mary())
        new.bind("x")
        assert joe.closed
        assert received_by_mary(quiet) == BODIES

    def test_all_are_counted_before_the_stream_is_resumed(self, quiet: World) -> None:
        joe = sender(quiet, "resumable")
        before = joe.count()
        joe.stream.received(to_mary())
        joe.stream.lost("the connection was closed")
        assert resumed(quiet, joe).attributes["h"] == str(before + COUNT)
        assert received_by_mary(quiet) == BODIES

    def test_all_are_handled_before_the_listener_closes(self, quiet: World) -> None:
        joe = sender(quiet, "plain")
        joe.stream.received(to_mary())
        joe.stream.shut_down()
        quiet.turn(4 * COUNT)
        assert joe.closed
        assert received_by_mary(quiet) == BODIES

    def test_none_behind_the_end_of_the_stream_is_handled(self, quiet: World) -> None:
        joe = sender(quiet, "plain")
        joe.stream.received(to_mary(["before"]) + END.encode() + to_mary(["behind"]))
        joe.stream.lost("the connection was closed")
        assert received_by_mary(quiet) == ["before"]

    def test_a_stream_that_is_lost_while_it_is_held_up_is_forgotten_when_all_is_handled(self, quiet: World) -> None:
        joe = sender(quiet, "plain")
        joe.stream.received(to_mary() + b" " * MAX_UNREAD)
        joe.stream.lost("the connection was closed")
        assert JOE in quiet.service.domain.clients
        quiet.turn(4 * COUNT)
        assert JOE not in quiet.service.domain.clients

    @STREAMS
    def test_what_is_sent_to_the_client_meanwhile_waits_for_its_next_login(self, quiet: World, stream: str) -> None:
        joe, jack = sender(quiet, stream), quiet.bind(JACK)
        joe.stream.received(to_mary())
        joe.stream.lost("the connection was closed")
        jack.stream.received(f"<message to='{JOE}' type='chat'><body>late</body></message>".encode())
        quiet.turn(4 * COUNT)
        if stream == "resumable":
            quiet.advance(quiet.xmpp.sm_resume_timeout)
        again = quiet.bind("joe@localhost/w", presence=None)
        again.send("<presence/>")
        assert "late" in again.bodies()

    @STREAMS
    def test_message_that_comes_together_with_the_end_waits_for_the_next_login(self, quiet: World, stream: str) -> None:
        joe, jack = sender(quiet, stream), quiet.bind(JACK)
        jack.stream.received(f"<message to='{JOE}' type='chat'><body>late</body></message>".encode())
        joe.send(END)
        assert joe.bodies() == []
        again = quiet.bind("joe@localhost/w", presence=None)
        again.send("<presence/>")
        assert again.bodies() == ["late"]

    @STREAMS
    def test_all_are_handled_of_a_client_that_is_silent_for_too_long(self, stream: str) -> None:
        world = World(settings(sm_ask=False, idle=10, idle_ping=False))
        joe = sender(world, stream)
        joe.stream.set_writable(False)  # it reads no answers, so that what it has sent waits
        joe.stream.received(to_mary())
        world.advance(11)
        world.advance(11)
        assert joe.closed
        assert received_by_mary(world) == BODIES

    @STREAMS
    def test_refusals_are_told_before_the_end(self, quiet: World, stream: str) -> None:
        joe = sender(quiet, stream)
        joe.send(f"<message to='nobody@elsewhere' id='m' type='chat'><body>hi</body></message>{END}")
        names = joe.names()
        assert names[0] == "message"
        assert names[-1] == "/"


class TestTheAnswerToTheEnd:
    def test_waits_until_the_end_of_the_session_is_on_disk(self, quiet: World) -> None:
        joe = sender(quiet, "resumable")
        quiet.store.held = True
        joe.send(END)
        assert (joe.names(), joe.closed) == ([], False)
        quiet.store.commit()
        assert (joe.names(), joe.closed) == (["a", "/"], True)
        assert resumed(quiet.crash(committed=False), joe).name == "failed"

    def test_does_not_leave_in_a_crash_that_brings_the_session_back(self, quiet: World) -> None:
        joe = sender(quiet, "resumable")
        quiet.store.held = True
        joe.send(END)
        again = quiet.crash(committed=False)
        assert joe.names() == []
        assert resumed(again, joe).name == "resumed"

    def test_waits_until_what_the_session_leaves_behind_is_on_disk(self, quiet: World) -> None:
        joe, jack = sender(quiet, "counted"), quiet.bind(JACK)
        jack.send(f"<message to='{JOE}' type='chat'><body>unread</body></message>")
        joe.take()
        quiet.store.held = True
        joe.send(END)
        assert joe.names() == []
        quiet.store.commit()
        assert joe.names() == ["a", "/"]

    @pytest.mark.parametrize(
        "data",
        [f"<a xmlns='{ns.SM}' h='99'/>", f"<a xmlns='{ns.SM}'/>", "<broken></other>", "<message xmlns='other'/>"],
    )
    def test_a_stream_error_waits_for_it_as_well(self, quiet: World, data: str) -> None:
        joe = sender(quiet, "resumable")
        quiet.store.held = True
        joe.send(data)
        assert joe.names() == []
        quiet.store.commit()
        assert joe.names() == ["error", "/"]
        assert resumed(quiet.crash(committed=False), joe).name == "failed"

    def test_does_not_leave_at_all_where_the_disk_does_not_take_it(self, quiet: World) -> None:
        joe = sender(quiet, "resumable")
        quiet.store.held = True
        joe.send(END)
        quiet.advance(END_TIMEOUT)
        assert joe.names() == []
        assert joe.closed


class TestAcknowledgements:
    @pytest.mark.parametrize("durable", list(Durable))
    @pytest.mark.parametrize("resume", [False, True])
    def test_leave_after_the_commit_of_what_they_acknowledge(self, durable: Durable, resume: bool) -> None:
        # XEP-0198 §4: with an acknowledgement the server takes responsibility
        world = World(settings(sm_ask=False, idle=-1, sm_durable=durable))
        joe = world.bind(JOE)
        joe.enable(resume=resume)
        item = "<item jid='mary@localhost'/>"
        world.bind(JACK)  # so that no account is read
        world.store.commit()
        world.store.held = True
        joe.send(f"<iq type='set' id='1'><query xmlns='{ns.ROSTER}'>{item}</query></iq>{R}")
        joe.send(f"<message to='{JACK}' type='chat'><body>hi</body></message>{R}")
        assert "a" not in joe.names()
        world.store.commit()
        world.turn()
        assert joe.names().count("a") == 2

    def test_of_nothing_that_is_to_be_stored_leave_at_once(self) -> None:
        world = World(settings(sm_ask=False, idle=-1))
        joe = world.bind(JOE)
        joe.enable(resume=False)
        world.store.commit()
        world.store.held = True
        joe.send(f"<message to='{JOE}' type='headline'><body>hi</body></message>{R}")
        assert "a" in joe.names()
