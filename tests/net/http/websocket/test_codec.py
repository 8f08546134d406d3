"""Frames of WebSocket, whole and byte by byte (RFC 6455 §5)."""

from __future__ import annotations

import pytest
from wsproto.frame_protocol import Opcode

from broker.net.http.websocket.codec import (
    CloseCode,
    CloseReceived,
    Event,
    Message,
    PingReceived,
    PongReceived,
    Violation,
    WebSocketCodec,
)
from tests.net.http.websocket.client import ClientSide, frame

LIMIT = 100


@pytest.fixture
def codec() -> WebSocketCodec:
    return WebSocketCodec(LIMIT, max_fragments=4)


@pytest.fixture
def client() -> ClientSide:
    return ClientSide()


def code_of(events: list[Event]) -> CloseCode:
    """With which the only event wants the connection closed."""
    (event,) = events
    assert isinstance(event, Violation)
    return event.code


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
def test_messages_come_whole_however_the_bytes_do(codec: WebSocketCodec, client: ClientSide, piece: int) -> None:
    data = client.text("<a/>") + client.text("<b", last=False) + client.ping() + client.text("/>") + client.text("ü")
    events = [event for start in range(0, len(data), piece) for event in codec.feed(data[start : start + piece])]
    assert [each.text.decode() for each in events if isinstance(each, Message)] == ["<a/>", "<b/>", "ü"]
    assert sum(isinstance(each, PingReceived) for each in events) == 1
    assert not codec.is_within_message


def test_a_message_is_written_in_one_frame_without_a_mask(codec: WebSocketCodec) -> None:
    assert codec.message("ü".encode()) == frame(Opcode.TEXT, "ü".encode(), mask=False)


def test_a_ping_is_answered_with_what_it_carries(codec: WebSocketCodec, client: ClientSide) -> None:
    (event,) = codec.feed(client.ping())
    assert event == PingReceived(frame(Opcode.PONG, b"there?", mask=False))


def test_a_pong_is_told(codec: WebSocketCodec, client: ClientSide) -> None:
    assert list(codec.feed(client.pong())) == [PongReceived()]


def test_a_close_is_answered_with_its_code_and_nothing_is_read_or_written_behind_it(
    codec: WebSocketCodec, client: ClientSide
) -> None:
    (event,) = codec.feed(client.close() + b"more")
    assert event == CloseReceived(frame(Opcode.CLOSE, b"\x03\xe8", mask=False))
    assert not list(codec.feed(b"more"))
    assert not codec.message(b"late")
    assert not codec.ping()
    assert not codec.close(CloseCode.NORMAL)


def test_the_answer_to_a_close_needs_none(codec: WebSocketCodec, client: ClientSide) -> None:
    client.receive(codec.close(CloseCode.NORMAL))
    assert list(codec.feed(client.answer_close())) == [CloseReceived(b"")]


def test_a_message_may_be_as_long_as_the_limit_and_no_longer(codec: WebSocketCodec, client: ClientSide) -> None:
    assert list(codec.feed(client.text("x" * LIMIT))) == [Message(b"x" * LIMIT)]
    assert code_of(list(codec.feed(client.text("x" * (LIMIT + 1))))) == CloseCode.TOO_BIG


def test_the_limit_counts_bytes_over_all_fragments(codec: WebSocketCodec, client: ClientSide) -> None:
    assert not list(codec.feed(client.text("ü" * 30, last=False)))
    assert code_of(list(codec.feed(client.text("ü" * 30)))) == CloseCode.TOO_BIG


def test_the_beginning_of_a_frame_that_is_too_long_is_enough(codec: WebSocketCodec, client: ClientSide) -> None:
    assert code_of(list(codec.feed(client.text("x" * 1000)[: LIMIT + 20]))) == CloseCode.TOO_BIG


def test_the_limit_may_grow_between_two_messages(codec: WebSocketCodec, client: ClientSide) -> None:
    events = codec.feed(client.text("x") + client.text("x" * 200))
    assert next(events) == Message(b"x")
    codec.max_message = 200
    assert next(events) == Message(b"x" * 200)


def test_a_message_has_so_many_fragments_and_no_more(codec: WebSocketCodec, client: ClientSide) -> None:
    for _ in range(3):
        assert not list(codec.feed(client.text("", last=False)))
    assert list(codec.feed(client.text("x"))) == [Message(b"x")]
    data = b"".join([client.text("", last=False) for _ in range(5)])
    assert code_of(list(codec.feed(data))) == CloseCode.POLICY_VIOLATION


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(Opcode.BINARY, b"x"), CloseCode.UNSUPPORTED, id="binary"),
        pytest.param(frame(Opcode.TEXT, b"x", mask=False), CloseCode.PROTOCOL_ERROR, id="without a mask"),
        pytest.param(frame(Opcode.TEXT, b"x", reserved=0x40), CloseCode.PROTOCOL_ERROR, id="compressed"),
        pytest.param(frame(Opcode.TEXT, b"\xff"), CloseCode.INVALID_DATA, id="not UTF-8"),
        pytest.param(frame(Opcode.TEXT, b"\xc3"), CloseCode.INVALID_DATA, id="half a character"),
        pytest.param(frame(Opcode.CONTINUATION, b"x"), CloseCode.PROTOCOL_ERROR, id="a part of nothing"),
        pytest.param(frame(Opcode.PING, b"x", last=False), CloseCode.PROTOCOL_ERROR, id="a ping in parts"),
        pytest.param(frame(Opcode.PING, b"x" * 126), CloseCode.PROTOCOL_ERROR, id="a long ping"),
        pytest.param(frame(Opcode.CLOSE, b"\x03"), CloseCode.PROTOCOL_ERROR, id="half a code"),
        pytest.param(
            frame(Opcode.TEXT, b"x", last=False) + frame(Opcode.TEXT, b"x"), CloseCode.PROTOCOL_ERROR, id="two at once"
        ),
    ],
)
def test_what_may_not_come_has_its_code_and_nothing_is_read_behind_it(
    codec: WebSocketCodec, data: bytes, code: CloseCode
) -> None:
    assert code_of(list(codec.feed(data + frame(Opcode.TEXT, b"y")))) == code
    assert not list(codec.feed(frame(Opcode.TEXT, b"z")))
