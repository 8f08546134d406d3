"""Frames of WebSocket: the same messages, or the same end behind them, however the bytes are cut, and within limits."""

from __future__ import annotations

from wsproto.frame_protocol import Opcode

from broker.net.http.websocket.codec import (
    CloseReceived,
    Event,
    Message,
    PingReceived,
    Violation,
    WebSocketCodec,
)
from tests.fuzz.support import Choices, cuts, require
from tests.net.http.websocket.client import ClientSide, frame

LIMITS = (16, 200, 1 << 16)
FRAGMENTS = 8
TOKENS = (
    frame(Opcode.TEXT, b"<a/>"),
    frame(Opcode.TEXT, b"<a", last=False),
    frame(Opcode.CONTINUATION, b"/>"),
    frame(Opcode.TEXT, b"x" * 200),
    frame(Opcode.BINARY, b"x"),
    frame(Opcode.PING, b"x"),
    frame(Opcode.PONG, b""),
    frame(Opcode.CLOSE, b"\x03\xe8"),
    frame(Opcode.TEXT, b"\xc3"),
    frame(Opcode.TEXT, b"x", mask=False),
    frame(Opcode.TEXT, b"x", reserved=0x40),
    b"\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xff",
)
LONGEST = 2048


def target(data: bytes) -> None:
    """First byte: the limit; the next two: sizes of the pieces."""
    choices = Choices(data)
    limit = choices.pick(LIMITS)
    sizes = (choices.byte(), choices.byte())
    stream = choices.rest()
    whole = read([stream], limit)
    for pieces in (cuts(stream, (1,)), cuts(stream, sizes)):
        other = read(pieces, limit)
        require(other == whole, f"in {len(pieces)} pieces: {other}, not {whole}")


def read(pieces: list[bytes], limit: int) -> list[object]:
    """What comes of some bytes."""
    codec, client = WebSocketCodec(limit, FRAGMENTS), ClientSide()
    events: list[Event] = [event for piece in pieces for event in codec.feed(piece)]
    found: list[object] = []
    for event in events:
        match event:
            case Message(text):
                require(len(text) <= limit, "a message is longer than it may be")
                text.decode()
                found.append(event)
            case PingReceived(answer):
                client.receive(answer)
                found.append("ping")
            case CloseReceived():
                found.append("close")
            case Violation():
                found.append("violation")
            case _:
                found.append(event)
    ends = [each for each in found if each in ("close", "violation")]
    require(len(ends) <= 1 and (not ends or found[-1] == ends[0]), "something is read behind the end")
    return found
