"""Why a connection is not read from."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol


class Held(Hashable, Protocol):
    """What can be kept from being read from, as :class:`broker.net.transport.Connection` can."""

    def hold(self, reason: str) -> None:
        """Read nothing until every reason is released."""

    def release(self, reason: str) -> None:
        """A reason is gone."""


class ReadPauses:
    """The reasons not to read from a peer; it is read from while there are none."""

    __slots__ = ("_reasons",)

    def __init__(self) -> None:
        self._reasons: set[str] = set()

    def add(self, transport: Any, reason: str) -> None:
        """Read nothing until every reason is gone.

        Args:
            transport: of the connection; ``None`` while there is none.
            reason: that is now.
        """
        if not self._reasons and transport is not None:
            transport.pauseProducing()
        self._reasons.add(reason)

    def remove(self, transport: Any, reason: str) -> None:
        """A reason is gone.

        Args:
            transport: of the connection; ``None`` where it is not to be read from any more.
            reason: that was.
        """
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons and transport is not None:
                transport.resumeProducing()

    def clear(self, transport: Any) -> None:
        """All reasons are gone.

        Args:
            transport: of the connection.
        """
        if self._reasons:
            self._reasons.clear()
            transport.resumeProducing()
