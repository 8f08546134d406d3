"""Why a connection is not read from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, MutableMapping
from enum import StrEnum
from typing import Any, Protocol


class Pause(StrEnum):
    """Why a server does not read from a client."""

    STORE_BEHIND = "storeBehind"
    ANSWERS_UNSTORED = "answersUnstored"
    REQUESTS_WAITING = "requestsWaiting"
    UNREAD_ANSWERS = "unreadAnswers"
    BUSY = "busy"
    OTHERS_FIRST = "othersFirst"


class Held(Hashable, Protocol):
    """What can be kept from being read from, as :class:`broker.net.transport.Connection` can."""

    def hold(self, reason: str) -> None:
        """Read nothing until every reason is released."""

    def release(self, reason: str) -> None:
        """A reason is gone."""


class ReadPauses:
    """The reasons not to read from a peer; it is read from while there are none.

    Args:
        seconds: of a clock.
        held: counts peers by the reasons that they are not read from; others than it has are not counted.
    """

    __slots__ = ("_held", "_reasons", "_seconds")

    def __init__(self, seconds: Callable[[], float], held: MutableMapping[str, int]) -> None:
        self._reasons: dict[str, float] = {}
        self._seconds = seconds
        self._held = held

    @property
    def since(self) -> Mapping[str, float]:
        """When each of the reasons began, by the clock."""
        return self._reasons

    def add(self, transport: Any, reason: str) -> None:
        """Read nothing until every reason is gone.

        Args:
            transport: of the connection; ``None`` while there is none.
            reason: that is now.
        """
        if not self._reasons and transport is not None:
            transport.pauseProducing()
        if reason not in self._reasons:
            self._reasons[reason] = self._seconds()
            self._count(reason, 1)

    def remove(self, transport: Any, reason: str) -> None:
        """A reason is gone.

        Args:
            transport: of the connection; ``None`` where it is not to be read from any more.
            reason: that was.
        """
        if reason in self._reasons:
            del self._reasons[reason]
            self._count(reason, -1)
            if not self._reasons and transport is not None:
                transport.resumeProducing()

    def clear(self, transport: Any) -> None:
        """All reasons are gone.

        Args:
            transport: of the connection.
        """
        if self._reasons:
            self.end()
            transport.resumeProducing()

    def end(self) -> None:
        """The peer is gone, and with it all reasons."""
        for reason in self._reasons:
            self._count(reason, -1)
        self._reasons.clear()

    def _count(self, reason: str, change: int) -> None:
        if reason in self._held:
            self._held[reason] += change
