"""Server-sent events."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock

from broker.net.http.events import COMMENT_INTERVAL, EVENT_TYPE, MAX_WAITING, EventStream
from broker.net.http.exchange import Answer, Call
from broker.net.http.routes import Route
from tests.net.http.conversation import Connection, Conversation, request

BEGIN = "retry: 2000\n\n"


class Streamer:
    """A site with a stream at ``/stream``.

    Attributes:
        stream: the last one that was asked for.
        ended: streams that are over.
    """

    def __init__(self, first: Callable[[EventStream], None] = lambda stream: None) -> None:
        self.ended: list[EventStream] = []
        self.conversation = Conversation([Route("GET", "/stream", "all", self._open)])
        self._first = first
        self.stream = EventStream(Clock(), self.ended.append)

    async def _open(self, call: Call) -> Answer:
        self.stream = EventStream(self.conversation.clock, self.ended.append)
        self._first(self.stream)
        return Answer(b"", EVENT_TYPE, stream=self.stream)

    def follow(self, method: str = "GET") -> Connection:
        connection = self.conversation.connected()
        connection.send(request("/stream", method))
        return connection


def received(connection: Connection) -> str:
    """The body so far; chunks are put together."""
    _, _, rest = connection.transport.value().partition(b"\r\n\r\n")
    text = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        text, rest = text + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return text.decode()


def test_event_has_an_id_a_type_and_one_line_of_data() -> None:
    streamer = Streamer()
    connection = streamer.follow()

    streamer.stream.tell("row", b'{"a":1}', "a")
    streamer.stream.tell("row", b'{"a":2}', "a", id="x7")

    assert received(connection) == (
        f'{BEGIN}id: 1\nevent: row\ndata: {{"a":1}}\n\nid: x7\nevent: row\ndata: {{"a":2}}\n\n'
    )
    assert b"Content-Type: text/event-stream\r\n" in connection.transport.value()
    assert b"Content-Length" not in connection.transport.value()


def test_what_is_told_before_the_header_is_sent_comes_after_it() -> None:
    connection = Streamer(lambda stream: stream.tell("row", b"{}")).follow()

    assert received(connection) == f"{BEGIN}id: 1\nevent: row\ndata: {{}}\n\n"


def test_comment_is_sent_from_time_to_time() -> None:
    connection = Streamer().follow()
    before = received(connection).count(":\n\n")

    connection.advance(COMMENT_INTERVAL)
    connection.advance(COMMENT_INTERVAL)

    assert received(connection).count(":\n\n") == before + 2
    assert not connection.is_closed()


def test_who_does_not_read_gets_the_newest_of_each_key_and_is_told_how_many_were_left_out() -> None:
    streamer = Streamer()
    connection = streamer.follow()
    assert connection.transport.producer is not None
    before = received(connection)

    streamer.stream.pauseProducing()
    for number in range(3):
        streamer.stream.tell("row", b"%d" % number, "a")
    streamer.stream.tell("row", b"9", "b")
    streamer.stream.tell("log", b"1")
    streamer.stream.tell("log", b"2")
    connection.advance(COMMENT_INTERVAL)
    assert received(connection) == before

    streamer.stream.resumeProducing()
    frames = [each.splitlines() for each in received(connection).removeprefix(before).split("\n\n") if each]
    assert frames[0] == ["event: skipped", 'data: {"count":2}']
    assert [each[-1] for each in frames[1:]] == ["data: 2", "data: 9", "data: 1", "data: 2"]


def test_no_more_waits_for_who_does_not_read_than_is_permitted() -> None:
    streamer = Streamer()
    connection = streamer.follow()
    before = received(connection)
    streamer.stream.pauseProducing()

    for number in range(100):
        streamer.stream.tell("row", b"x" * 10_000, str(number))
    streamer.stream.resumeProducing()

    came = received(connection).removeprefix(before)
    assert len(came) < MAX_WAITING + 1000
    assert "id: 100\n" in came
    assert "id: 1\n" not in came


@pytest.mark.parametrize("by", ["client", "stream", "site"])
def test_stream_is_over_once_whoever_ends_it(by: str) -> None:
    streamer = Streamer()
    connection = streamer.follow()

    if by == "client":
        connection.lose()
    elif by == "stream":
        streamer.stream.end()
    else:
        streamer.conversation.site.close_all()
        connection.advance(0)
    streamer.stream.tell("row", b"{}")
    streamer.stream.end()

    assert streamer.ended == [streamer.stream]
    assert "row" not in received(connection)
    assert not [call for call in streamer.conversation.clock.getDelayedCalls() if call.getTime() <= COMMENT_INTERVAL]


def test_connection_serves_the_next_request_after_a_stream() -> None:
    streamer = Streamer()
    connection = streamer.follow()

    streamer.stream.end()
    connection.send(request("/seen/a"))

    assert connection.answers()[-1].body == b"a"


def test_head_of_a_stream_is_answered_and_no_stream_begins() -> None:
    streamer = Streamer()

    (answer,) = streamer.follow("HEAD").answers("HEAD")

    assert (answer.status, answer.headers["content-type"]) == (200, EVENT_TYPE)
    assert streamer.ended == [streamer.stream]
