"""Requests that cannot be served yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from broker.core.verdicts import Verdicts


class Pending(Exception):
    """The request changed nothing and may be tried again when what it waits for has happened.

    Args:
        wait: begins to wait; its Deferred fails where waiting is in vain.

    Attributes:
        verdicts: of filters that were asked already; for the next try.
    """

    def __init__(self, wait: Callable[[], Deferred[None]]) -> None:
        super().__init__("not yet")
        self.wait = wait
        self.verdicts: Verdicts | None = None
