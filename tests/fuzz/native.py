"""What the targets of the native protocol have in common."""

from __future__ import annotations

from broker.native.wire.frames import Frame
from tests.fuzz.store import check_store
from tests.fuzz.support import require
from tests.native.peer import Listener, Peer

LONGEST_ANSWER = 64 * 1024
LONG_AFTER = 100_000.0


def finish(peer: Peer, received: int, answers: int = 0) -> list[Frame]:
    """What the broker wrote are frames of some size; then the connection goes."""
    written = len(peer.transport.value())
    require(written <= LONGEST_ANSWER + 300 * received + answers, f"{written} bytes in answer to {received}")
    frames = peer.frames()
    require(peer._reader.error is None, f"the broker wrote what is no frame: {peer._reader.error}")
    require(not peer._reader._buffer or peer.closed, "the broker wrote half a frame")
    for frame in frames:
        frame.units()
    require(len(peer.stream._request_queue) <= listener_limit(peer), "more requests wait than may")
    peer.hang_up()
    return frames


def listener_limit(peer: Peer) -> int:
    """Requests that may wait; those of the last read come on top."""
    return 2 * peer.listener.limits.max_pending


def ended(listener: Listener) -> None:
    """Time passes, and nothing is left of the connections."""
    require(not listener.factory.connections, "a connection is left")
    require(not listener.factory.admission.strangers, "a stranger is left")
    for _ in range(2):
        listener.world.advance(LONG_AFTER)
    require(not listener.world.node.sessions, "a session is left")
    check_store(listener.world.store)
