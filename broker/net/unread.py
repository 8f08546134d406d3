"""What the peers of one account have not taken, over all of its connections together."""

from __future__ import annotations

from typing import Protocol


class UnreadTotal(Protocol):
    """Counts for an account, as :class:`broker.core.quotas.Usage` does."""

    def count_unread(self, change: int) -> str:
        """Count bytes more or less; says why the connection that adds them is to be given up, or is empty."""


class Unread:
    """The part of one connection in the total of its account.

    Attributes:
        size: bytes that count.
    """

    __slots__ = ("_total", "size")

    def __init__(self) -> None:
        self._total: UnreadTotal | None = None
        self.size = 0

    def belong(self, total: UnreadTotal | None) -> None:
        """The peer has logged in, and its bytes count from now on; not where there is no total."""
        self._total = total
        if total is not None:
            total.count_unread(self.size)

    def set(self, size: int) -> str:
        """So many bytes are not taken; see :meth:`UnreadTotal.count_unread`."""
        change, self.size = size - self.size, size
        return "" if self._total is None or not change else self._total.count_unread(change)
