"""Looking at many objects without keeping everybody else waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from twisted.internet.task import deferLater

T = TypeVar("T")

SLICE = 0.005
"""Seconds after which others have their turn."""
BETWEEN_LOOKS = 32
"""Objects between two looks at the clock."""


async def scan(objects: Iterable[T], look: Callable[[T], None], reactor: Any) -> None:
    """Look at objects, in slices.

    Args:
        objects: a list of them, or what goes through lists, since what they are kept in changes meanwhile.
        look: at one of them; it is called with each once.
        reactor: gives others their turn.
    """
    until = time.perf_counter() + SLICE
    for number, each in enumerate(objects, 1):
        look(each)
        if number % BETWEEN_LOOKS == 0 and time.perf_counter() >= until:
            await deferLater(reactor, 0)
            until = time.perf_counter() + SLICE
