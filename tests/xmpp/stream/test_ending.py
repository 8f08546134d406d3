"""The end of a stream (RFC 6120 §4.4, §4.9)."""

from __future__ import annotations

import pytest

from broker.xmpp.routing.domain import Client
from broker.xmpp.stream.ending import CONFLICT, END_TIMEOUT, End, Ending
from broker.xmpp.stream.tcp_framing import TcpFraming
from broker.xmpp.wire.stanza import STREAM_END
from tests.xmpp.world import FakeTransport, World

ERROR = b"<stream:error/>"


class Stream:
    """One that ends."""

    def __init__(self, world: World) -> None:
        self.transport = FakeTransport()
        framing = TcpFraming("localhost", 1000)
        framing.open()
        self.ending = Ending(self.transport, framing, world.broker, world.clock)


@pytest.fixture
def stream(quiet: World) -> Stream:
    return Stream(quiet)


@pytest.fixture
def client(quiet: World) -> Client:
    client = quiet.bind("joe@localhost/x").stream.client
    assert client is not None
    return client


class TestState:
    def test_an_open_stream_takes_bytes(self, stream: Stream) -> None:
        ending = stream.ending
        assert (ending.state, ending.is_open, ending.is_closed, ending.is_draining) == (End.OPEN, True, False, False)

    def test_a_draining_stream_takes_none_and_is_waited_for(self, stream: Stream) -> None:
        ending = stream.ending
        drained = ending.drain()
        assert (ending.state, ending.is_open, ending.is_closed, ending.is_draining) == (
            End.DRAINING,
            False,
            False,
            True,
        )
        assert not drained.called
        ending.drained()
        assert drained.called

    def test_a_lost_one_is_drained_and_then_let_go_of(self, stream: Stream) -> None:
        ending = stream.ending
        ending.lose("the network went")
        assert (ending.state, ending.is_lost, ending.is_draining, ending.is_closed) == (End.LOST, True, True, False)
        assert ending.let_go() == "the network went"
        assert (ending.state, ending.is_closed) == (End.GONE, True)

    def test_a_lost_one_may_be_let_go_of_again(self, stream: Stream) -> None:
        stream.ending.lose("once")
        stream.ending.let_go()
        stream.ending.lose("twice")
        assert stream.ending.let_go() == "twice"
        assert stream.ending.state is End.GONE

    def test_a_closed_one_whose_connection_is_lost_is_gone(self, stream: Stream) -> None:
        stream.ending.close()
        assert not stream.ending.is_draining
        stream.ending.lose("")
        assert stream.ending.state is End.GONE

    def test_one_that_is_closed_cannot_be_closed_again(self, stream: Stream) -> None:
        stream.ending.close()
        with pytest.raises(KeyError):
            stream.ending.close()


class TestWithoutClient:
    def test_the_end_is_written_at_once(self, stream: Stream) -> None:
        stream.ending.end(None)
        assert (stream.transport.data, stream.transport.closed) == (STREAM_END, "closed")

    @pytest.mark.parametrize("condition", ["connection-timeout", "not-well-formed", CONFLICT])
    def test_an_error_is_written_at_once(self, stream: Stream, condition: str) -> None:
        assert stream.ending.fail(None, condition, ERROR)
        assert (stream.transport.data, stream.transport.closed) == (ERROR + STREAM_END, "closed")
        assert stream.ending.is_closed


class TestWithClient:
    def test_the_end_waits_for_that_of_the_session_on_disk(self, quiet: World, stream: Stream, client: Client) -> None:
        quiet.store.held = True
        stream.ending.end(client)
        quiet.turn()
        assert stream.ending.is_closed
        assert (client.session.ended, stream.transport.data) == (True, b"")
        quiet.store.commit()
        assert stream.transport.data.endswith(STREAM_END)
        assert stream.transport.closed

    def test_the_connection_is_closed_where_the_disk_does_not_take_it(
        self, quiet: World, stream: Stream, client: Client
    ) -> None:
        quiet.store.held = True
        stream.ending.end(client)
        quiet.advance(END_TIMEOUT)
        assert (stream.transport.data, stream.transport.closed) == (b"", "closed")

    def test_nothing_is_waited_for_when_the_connection_is_lost(
        self, quiet: World, stream: Stream, client: Client
    ) -> None:
        quiet.store.held = True
        stream.ending.end(client)
        stream.ending.lose("")
        quiet.advance(END_TIMEOUT)
        assert not stream.transport.closed

    @pytest.mark.parametrize("condition", ["connection-timeout", "system-shutdown"])
    def test_an_error_of_the_connection_leaves_the_session(
        self, stream: Stream, client: Client, condition: str
    ) -> None:
        assert not stream.ending.fail(client, condition, ERROR)
        assert stream.transport.data == ERROR + STREAM_END
        assert not stream.ending.is_closed
        assert not client.session.ended

    def test_a_conflict_leaves_the_session_to_the_other_connection(self, stream: Stream, client: Client) -> None:
        assert stream.ending.fail(client, CONFLICT, ERROR)
        assert stream.transport.data == ERROR + STREAM_END
        assert not client.session.ended

    def test_another_error_ends_the_session(self, quiet: World, stream: Stream, client: Client) -> None:
        assert stream.ending.fail(client, "policy-violation", ERROR)
        quiet.turn()
        assert client.session.ended
        assert stream.transport.data == ERROR + STREAM_END
