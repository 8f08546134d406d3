"""What happens, told to those who listen: the core knows nothing of them (spec xmlblaster §16.7)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.logger import Logger

log = Logger()

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened.

    Args:
        type: what, and of whom: ``client/joe/session/1/event/connect``.
        at: milliseconds since 1970.
        fields: what else is known of it.
    """

    type: str
    at: int
    fields: Mapping[str, Value]


class Events:
    """Tells what happens.

    Args:
        seconds: since 1970.

    Attributes:
        wanted: somebody listens. Whoever has to make a text for :meth:`tell` looks here first.
        dropped: events that did not reach somebody who wanted them; never falls.
        unlisted: of each event it tells whether it is to be left out where the last events are shown.
    """

    __slots__ = ("_listeners", "_seconds", "dropped", "unlisted", "wanted")

    def __init__(self, seconds: Callable[[], float] = time.time) -> None:
        self.wanted = False
        self.dropped = 0
        self.unlisted: list[Callable[[Event], bool]] = []
        self._seconds = seconds
        self._listeners: list[Callable[[Event], None]] = []

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._seconds() * 1000)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Tell somebody of everything from now on; it must not take long."""
        self._listeners.append(listener)
        self.wanted = True

    def forget(self, listener: Callable[[Event], None]) -> None:
        """Tell somebody nothing more."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        self.wanted = bool(self._listeners)

    def tell(self, type: str, **fields: Value) -> None:
        """Something happens; a listener that fails keeps nobody from going on.

        Args:
            type: what, and of whom.
            fields: what else is known of it.
        """
        if not self.wanted:
            return
        event = Event(type, self.now(), fields)
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - it is logged, and what happens goes on
                log.failure("an event could not be told")

    def of_session(self, subject: str, public_id: int, what: str, **fields: Value) -> None:
        """Something happens to a session.

        Args:
            subject: its login name.
            public_id: its number.
            what: ``connect``, ``disconnect``, …
            fields: what else is known of it.
        """
        if self.wanted:
            self.tell(f"client/{subject}/session/{public_id}/event/{what}", **fields)

    def of_topic(self, oid: str, what: str, **fields: Value) -> None:
        """Something happens to a topic.

        Args:
            oid: of it.
            what: ``alive``, ``dead``, ``subscribe`` or ``unSubscribe``.
            fields: what else is known of it.
        """
        if self.wanted:
            self.tell(f"topic/{oid}/event/{what}", **fields)
