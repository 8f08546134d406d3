"""Requests that can not be served yet."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from broker.core.publishing import Published


class Pending(Exception):
    """The request changed nothing and may be tried again when ``ready`` fires; it fails if waiting is in vain.

    Args:
        ready: a Deferred.
    """

    def __init__(self, ready: Deferred[None]) -> None:
        super().__init__("not yet")
        self.ready = ready


class Command(Exception):
    """The message is no message but a command; its outcome is known later.

    Args:
        outcome: what the publish answers.
    """

    def __init__(self, outcome: Coroutine[Deferred[Any], Any, Published]) -> None:
        super().__init__("a command")
        self.outcome = outcome
