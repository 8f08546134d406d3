"""Turns of others, as tests want them."""

from __future__ import annotations

from collections.abc import Callable

from broker.core.pace import SLICE


class EachStepIsATurn:
    """Work takes so long that each step of it is a turn of its own.

    Attributes:
        meanwhile: what others do before the next turn.
        accounts: whose turns there were.
    """

    def __init__(self) -> None:
        self.accounts: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self._now = 0.0

    def seconds(self) -> float:
        """Another slice is over."""
        self._now += SLICE
        return self._now

    def after_others(self, account: str, work: Callable[[], None]) -> None:
        """Others have their turns, once each."""
        self.accounts.append(account)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        work()
