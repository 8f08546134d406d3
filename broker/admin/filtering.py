"""Filters of lists: predicates that are made of the texts of parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import TypeVar

from broker.admin.listing import Filter, Predicate
from broker.model.number import real_or_none, whole_or_none

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def by_pattern(of: Callable[[T], str]) -> Filter[T]:
    """Texts that are equal, or where ``*`` stands at the beginning or the end of the pattern, that end or begin so.

    Args:
        of: the text of an object.
    """

    def read(pattern: str) -> Predicate[T]:
        core = pattern.removeprefix("*").removesuffix("*") if pattern != "*" else ""
        if "*" in core:
            raise ValueError("* may stand at the beginning and at the end only")
        begins, ends = pattern.startswith("*"), pattern.endswith("*")
        if begins and ends:
            return lambda each: core in of(each)
        if begins:
            return lambda each: of(each).endswith(core)
        if ends:
            return lambda each: of(each).startswith(core)
        return lambda each: of(each) == core

    return Filter(read, {"type": "string", "description": "* at the beginning or the end stands for any text."})


def by_part(of: Callable[[T], str]) -> Filter[T]:
    """Texts that have a part, in upper or lower case.

    Args:
        of: the text of an object.
    """

    def read(part: str) -> Predicate[T]:
        wanted = part.casefold()
        return lambda each: wanted in of(each).casefold()

    return Filter(read, {"type": "string", "description": "In upper or lower case."})


def by_choice(of: Callable[[T], str], values: type[E]) -> Filter[T]:
    """One of some names.

    Args:
        of: the name of an object.
        values: all that there are.
    """

    def read(text: str) -> Predicate[T]:
        if text not in list(values):
            raise ValueError(f"it is one of {', '.join(values)}")
        return lambda each: of(each) == text

    return Filter(read, {"type": "string", "enum": list(values)})


def by_any_choice(of: Callable[[T], Collection[str]], values: type[E]) -> Filter[T]:
    """One of some names, of which objects may have several.

    Args:
        of: the names of an object.
        values: all that there are.
    """

    def read(text: str) -> Predicate[T]:
        if text not in list(values):
            raise ValueError(f"it is one of {', '.join(values)}")
        return lambda each: text in of(each)

    return Filter(read, {"type": "string", "enum": list(values)})


def at_least(of: Callable[[T], float]) -> Filter[T]:
    """Numbers of at least so much.

    Args:
        of: the number of an object.
    """

    def read(text: str) -> Predicate[T]:
        least = whole_or_none(text, 0)
        if least is None:
            raise ValueError("it is a whole number of at least 0")
        return lambda each: of(each) >= least

    return Filter(read, {"type": "integer", "minimum": 0})


def at_least_part(of: Callable[[T], float]) -> Filter[T]:
    """Numbers of at least so much, such as ``0.9``.

    Args:
        of: the number of an object.
    """

    def read(text: str) -> Predicate[T]:
        least = real_or_none(text) if _DECIMAL.fullmatch(text) else None
        if least is None:
            raise ValueError("it is a number such as 0.9")
        return lambda each: of(each) >= least

    return Filter(read, {"type": "number", "minimum": 0})


def by_truth(of: Callable[[T], bool]) -> Filter[T]:
    """``true`` or ``false``.

    Args:
        of: which of these an object is.
    """

    def read(text: str) -> Predicate[T]:
        if text not in ("true", "false"):
            raise ValueError("it is true or false")
        wanted = text == "true"
        return lambda each: of(each) is wanted

    return Filter(read, {"type": "boolean"})
