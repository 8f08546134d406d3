"""How long a listener that closes waits for its peers (spec xmpp §2.5; RFC 6120 §4.4)."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any, NamedTuple, Protocol

from broker.timers import cancel

LOOKS = 2
"""In the time that a peer has to close its side."""


class Peer(Hashable, Protocol):
    """A connection that is to end."""

    def left(self) -> int | None:
        """Bytes that the peer has not taken; ``None`` where the last of them is not written yet."""

    def let_go(self) -> None:
        """Close now, without waiting for the peer's side; what it has taken stays with it."""

    def abort(self) -> None:
        """Close now; what is not taken is lost."""


class _Look(NamedTuple):
    left: int
    same: int


class Shutdown:
    """Lets go of peers that do not close their side, each as soon as there is no use in waiting for it.

    A peer that has taken everything has ``grace`` seconds to close its side. One that has not may go on as long as it
    takes something in any time twice as long, up to ``timeout`` for all. They are looked at from time to time, so each
    may have a part of ``grace`` more.

    Args:
        clock: an ``IReactorTime``.
        peers: those that are still there, at any time.
        grace: seconds.
        timeout: seconds after which all that are left are aborted.
    """

    def __init__(self, clock: Any, peers: Collection[Peer], grace: float, timeout: float) -> None:
        self._clock = clock
        self._peers = peers
        self._grace = grace
        self._looks: dict[Peer, _Look] = {}
        self._overdue = clock.callLater(timeout, self._abort_all)
        self._next = clock.callLater(0, self._look)  # the last words are written by then

    def stop(self) -> None:
        """All are gone."""
        for call in (self._overdue, self._next):
            cancel(call)

    def _look(self) -> None:
        self._next = self._clock.callLater(self._grace / LOOKS, self._look)
        looks, self._looks = self._looks, {}
        for peer in list(self._peers):
            left = peer.left()
            if left is None:
                continue
            before = looks.get(peer)
            same = before.same + 1 if before is not None and left == before.left else 0
            if same >= LOOKS and not left:
                peer.let_go()
            elif same >= 2 * LOOKS:
                peer.abort()
            self._looks[peer] = _Look(left, same)

    def _abort_all(self) -> None:
        for peer in list(self._peers):
            peer.abort()
