"""A stream of messages, and peers that keep no measure."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from wsproto.frame_protocol import Opcode

from broker.net.http.websocket.codec import CloseCode
from broker.net.http.websocket.stream import CLOSE_TIMEOUT, MESSAGE_TIMEOUT, PINGS_AT_ONCE, WebSocketStream
from tests.net.http.websocket.client import ClientSide, frame


class FakeConnection:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False
        self.pauses: dict[str, float] = {}

    def write(self, data: bytes) -> None:
        """Keep it, unless it is closed."""
        if not self.closed:
            self.data += data

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class Notes:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.signs_of_life = 0
        self.lost_because = ""

    def connected(self) -> None:
        """Nothing to note."""

    def message(self, text: bytes) -> None:
        """Note it."""
        self.messages.append(text)

    def alive(self) -> None:
        """Note it."""
        self.signs_of_life += 1

    def turn(self) -> None:
        """Nothing to note."""

    def set_writable(self, writable: bool) -> None:
        """Nothing to note."""

    def shut_down(self) -> None:
        """Nothing to note."""

    def lost(self, reason: str) -> None:
        """Note it."""
        self.lost_because = reason


class Conversation:
    """A stream and its client."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.connection: Any = FakeConnection()
        self.notes = Notes()
        self.client = ClientSide()
        self.stream = WebSocketStream(self.connection, self.clock, 100, 8)
        self.stream.messages = self.notes

    def send(self, data: bytes) -> None:
        """The client sends."""
        self.stream.received(data)

    def take(self) -> list[bytes]:
        """What the client has got."""
        data, self.connection.data = self.connection.data, b""
        return self.client.receive(data)

    def closed_with(self) -> CloseCode | None:
        """The code that the stream has closed with."""
        self.take()
        return None if self.client.closed is None else CloseCode(self.client.closed)


@pytest.fixture
def talk() -> Conversation:
    return Conversation()


def test_messages_go_both_ways(talk: Conversation) -> None:
    talk.send(talk.client.text("<a/>") + talk.client.text("<b/>"))
    talk.stream.send(b"<c/>")
    assert talk.notes.messages == [b"<a/>", b"<b/>"]
    assert talk.take() == [b"<c/>"]


def test_a_ping_is_answered_and_a_pong_is_a_sign_of_life(talk: Conversation) -> None:
    talk.send(talk.client.ping())
    talk.stream.ping()
    talk.take()
    assert (talk.client.pings, talk.client.pongs, talk.notes.signs_of_life) == (1, 1, 0)
    talk.send(talk.client.pong())
    assert talk.notes.signs_of_life == 1


def test_more_pings_than_anybody_needs_close_the_connection(talk: Conversation) -> None:
    talk.send(talk.client.ping() * PINGS_AT_ONCE)
    assert talk.closed_with() is None
    talk.send(talk.client.ping())
    assert talk.closed_with() is CloseCode.POLICY_VIOLATION
    assert talk.connection.closed


def test_pings_at_a_measured_pace_go_on_for_ever(talk: Conversation) -> None:
    for _ in range(10 * PINGS_AT_ONCE):
        talk.send(talk.client.ping())
        talk.clock.advance(0.2)
    assert talk.closed_with() is None


@pytest.mark.parametrize("beginning", [frame(Opcode.TEXT, b"<a", last=False), frame(Opcode.TEXT, b"<a/>")[:1]])
def test_a_message_that_does_not_end_in_time_closes_the_connection(talk: Conversation, beginning: bytes) -> None:
    talk.send(beginning)
    talk.clock.advance(MESSAGE_TIMEOUT)
    assert talk.closed_with() is CloseCode.POLICY_VIOLATION


def test_bytes_and_pings_that_trickle_give_a_message_no_more_time(talk: Conversation) -> None:
    talk.send(frame(Opcode.TEXT, b"<a", last=False))
    for _ in range(5):
        talk.clock.advance(MESSAGE_TIMEOUT / 5)
        talk.send(frame(Opcode.CONTINUATION, b"x", last=False) + talk.client.ping())
    assert talk.connection.closed


def test_messages_that_end_in_time_may_come_for_ever(talk: Conversation) -> None:
    for _ in range(10):
        talk.send(frame(Opcode.TEXT, b"<a", last=False))
        talk.clock.advance(MESSAGE_TIMEOUT / 2)
        talk.send(frame(Opcode.CONTINUATION, b"/>"))
    talk.clock.advance(10 * MESSAGE_TIMEOUT)
    assert len(talk.notes.messages) == 10
    assert not talk.connection.closed


def test_a_client_that_is_not_read_from_has_more_time(talk: Conversation) -> None:
    talk.send(frame(Opcode.TEXT, b"<a", last=False))
    talk.connection.pauses = {"store behind": 0.0}
    talk.clock.advance(MESSAGE_TIMEOUT)
    assert not talk.connection.closed
    talk.connection.pauses = {}
    talk.clock.advance(MESSAGE_TIMEOUT)
    assert talk.connection.closed


def test_a_client_that_closes_is_answered_and_the_connection_is_closed(talk: Conversation) -> None:
    talk.send(talk.client.close())
    assert talk.closed_with() is CloseCode.NORMAL
    assert talk.connection.closed


def test_the_connection_is_closed_when_the_client_has_answered(talk: Conversation) -> None:
    talk.stream.close(CloseCode.NORMAL)
    assert talk.closed_with() is CloseCode.NORMAL
    assert not talk.connection.closed
    talk.send(talk.client.answer_close())
    assert talk.connection.closed


def test_it_is_closed_all_the_same_where_the_client_does_not_answer(talk: Conversation) -> None:
    talk.stream.close(CloseCode.NORMAL)
    talk.clock.advance(CLOSE_TIMEOUT)
    assert talk.connection.closed


def test_messages_behind_the_own_close_are_passed_over(talk: Conversation) -> None:
    talk.stream.close(CloseCode.NORMAL)
    talk.send(talk.client.text("<a/>"))
    assert talk.notes.messages == []


def test_nothing_is_sent_behind_the_own_close(talk: Conversation) -> None:
    talk.stream.close(CloseCode.NORMAL)
    talk.take()
    talk.stream.send(b"<a/>")
    talk.stream.ping()
    talk.stream.close(CloseCode.GOING_AWAY)
    assert not talk.connection.data


def test_what_may_not_come_closes_the_connection_with_its_code(talk: Conversation) -> None:
    talk.send(talk.client.binary(b"x"))
    assert talk.closed_with() is CloseCode.UNSUPPORTED
    assert talk.connection.closed


def test_no_timer_is_left_of_a_connection_that_is_lost(talk: Conversation) -> None:
    talk.send(frame(Opcode.TEXT, b"<a", last=False))
    talk.stream.lost("cut")
    assert talk.notes.lost_because == "cut"
    assert not talk.clock.getDelayedCalls()
