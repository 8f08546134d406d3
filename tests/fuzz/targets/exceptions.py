"""What a peer says in exceptions, method names and counts of units."""

from __future__ import annotations

from broker.errors import BrokerError
from broker.native.wire.frames import Frame, FrameError, FrameReader, Kind
from broker.native.wire.methods import (
    MAX_CODE,
    MAX_TEXT,
    SERVER_METHODS,
    check_units,
    decode_exception,
    encode_exception,
    find_method,
)
from tests.fuzz.support import Choices, require, tried

TOKENS = (b"\0", b"user.wrongApiUsage", b"communication.noConnection", *SERVER_METHODS)


def target(data: bytes) -> None:
    """First byte: length of a method name; the rest is the body of an exception."""
    choices = Choices(data)
    method = tried(find_method, SERVER_METHODS, choices.some())
    if method is not None:
        tried(check_units, method, choices.byte())
    frame = Frame(Kind.EXCEPTION, b"1", b"publish", b"", choices.rest())
    try:
        error = decode_exception(frame)
    except FrameError:
        return
    require(len(str(error.code)) <= MAX_CODE, "a long code")
    require(max(len(error.message), len(error.location)) <= MAX_TEXT, "a long text")
    if "\0" not in f"{error.code}{error.message}{error.location}":
        require(told_again(error) == error.args, "an exception is another one when it is told again")


def told_again(error: BrokerError) -> tuple[object, ...]:
    """What a peer reads of an exception that is passed on; texts may be cut, and for an empty one it takes the key."""
    reader = FrameReader(1 << 20)
    (frame,) = reader.feed(encode_exception(b"1", b"publish", b"", error, "node", "version", "now"))
    again = decode_exception(frame)
    if (
        len(str(error.code).encode()) > MAX_CODE
        or len(max(error.message, error.location, key=size).encode()) > MAX_TEXT
    ):
        return error.args
    return again.code, again.message if error.message else "", again.location


def size(text: str) -> int:
    """Bytes of a text."""
    return len(text.encode())
