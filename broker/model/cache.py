"""Remembering what was made of short texts: a cache that counts entries only is as large as its longest ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar, TypeVarTuple, cast

LONGEST = 128
"""Characters of a text that is worth remembering; names that are in use are shorter."""

T = TypeVar("T")
Others = TypeVarTuple("Others")


def cached_if_short(entries: int) -> Callable[[Callable[[str, *Others], T]], Callable[[str, *Others], T]]:
    """Remember what a function made of its last texts, unless they are longer than :data:`LONGEST`.

    Args:
        entries: that are remembered. The values must be immutable, since callers share them.
    """

    def decorate(function: Callable[[str, *Others], T]) -> Callable[[str, *Others], T]:
        remembered = cast("Callable[[str, *Others], T]", lru_cache(maxsize=entries)(function))

        def look_up(text: str, *others: *Others) -> T:
            return remembered(text, *others) if len(text) <= LONGEST else function(text, *others)

        look_up.__doc__ = function.__doc__
        return look_up

    return decorate
