"""Which messages a client's connection manager was handed, so that it gives back no others (spec §4.3)."""

from __future__ import annotations

from array import array
from contextlib import suppress

from broker.xml.fingerprint import fingerprint
from broker.xmpp.wire import ns, routes

REMEMBERED = 600.0
"""Seconds for which they are remembered behind the last one: a manager has delivered them by then, or never will."""
MAX_MESSAGES = 1024
"""That are remembered of one client, the newest ones."""
_OWN = frozenset({routes.NAMESPACE, routes.PAYLOAD})
"""Namespaces that a manager may write in the place of ``jabber:client``."""


class HandedMessages:
    """The messages of one client that its manager may not have delivered, each as eight bytes.

    Managers write a message anew when they give it back, so what counts is what it says, not how it is written.
    """

    __slots__ = ("_is_new", "_marks", "_since")

    def __init__(self) -> None:
        self._marks: array[int] | None = None  # most clients are handed few
        self._is_new = False  # there is one that rest() has not seen
        self._since = 0.0

    def add(self, message: bytes) -> None:
        """A message goes to the manager; one that is not well-formed cannot be given back, either."""
        with suppress(ValueError):
            self._remember(_mark(message))

    def _remember(self, mark: int) -> None:
        if self._marks is None:
            self._marks = array("Q")
        elif len(self._marks) >= MAX_MESSAGES:
            del self._marks[0]
        self._marks.append(mark)
        self._is_new = True

    def rest(self, now: float) -> None:
        """Take less memory where nothing was added for long; to be called now and then.

        Args:
            now: in seconds, by a clock that nobody sets.
        """
        if self._is_new:
            self._is_new = False
            self._since = now
        elif self._marks is not None and now - self._since >= REMEMBERED:
            self._marks = None

    def take(self, message: bytes) -> bool:
        """The manager gives a message back; tells whether it was handed it, and has not given it back before."""
        marks = self._marks
        if marks is None:
            return False
        try:
            marks.remove(_mark(message))
        except ValueError:
            return False
        return True


def _mark(message: bytes) -> int:
    return fingerprint(message, ns.CLIENT, _OWN)
