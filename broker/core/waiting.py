"""Requests that can not be served yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class Pending(Exception):
    """The request changed nothing and may be tried again when ``ready`` fires; it fails if waiting is in vain.

    Args:
        ready: a Deferred.
    """

    def __init__(self, ready: Deferred[None]) -> None:
        super().__init__("not yet")
        self.ready = ready
