"""A native connection from its first byte on: any bytes in any pieces."""

from __future__ import annotations

from broker.native.limits import NativeLimits
from broker.native.wire.frames import Kind, encode_frame, encode_units
from tests.fuzz.native import ended, finish
from tests.fuzz.support import Choices, quiet
from tests.native.peer import Listener
from tests.native.test_conversations import connect_unit

LIMITS = NativeLimits(max_frame=64 * 1024, max_frame_before_login=8 * 1024)
LOGIN = encode_frame(Kind.INVOKE, b"1", b"connect", b"", encode_units([connect_unit("joe")]))
TOKENS = (
    LOGIN,
    b"        10",
    encode_frame(Kind.INVOKE, b"2", b"ping", b"", b""),
    encode_frame(Kind.INVOKE, b"3", b"disconnect", b"", b""),
    encode_frame(Kind.RESPONSE, b"client/joe:update:1", b"update", b"", b""),
    encode_frame(Kind.EXCEPTION, b"client/joe:update:1", b"update", b"", b""),
    b"\0\0I\0\x001",
    b"\0",
)
LONGEST = 2048


def target(data: bytes) -> None:
    """First byte: after a login or before, and compressed or not; second: size of the pieces."""
    with quiet():
        choices = Choices(data)
        mode, size = choices.below(4), choices.byte() + 1
        listener = Listener(LIMITS, compress=mode >= 2)
        peer = listener.peer()
        if mode % 2:
            peer.connect("joe")
        rest = choices.rest()
        for start in range(0, len(rest), size):
            if peer.closed:
                break
            peer.protocol.dataReceived(rest[start : start + size])
            listener.world.turn(3)
        finish(peer, len(data))
        ended(listener)
