"""Tables of attributes: what can be read and changed of one kind of thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attributes(Generic[T]):
    """The attributes of one kind of thing, by name (spec xmlblaster §16.1).

    Args:
        readers: give a value, or what is awaited for it.
        writers: change it; they raise BrokerError for a text that is no value.
        operations: do something, with an argument that may be empty, and give its outcome.
    """

    readers: Mapping[str, Callable[[T], object]]
    writers: Mapping[str, Callable[[T, str], None]] = field(default_factory=dict)
    operations: Mapping[str, Callable[[T, str], Awaitable[object]]] = field(default_factory=dict)

    @property
    def readable(self) -> list[str]:
        """Names that a ``get`` may use."""
        return sorted({*self.readers, *self.operations})

    @property
    def changeable(self) -> list[str]:
        """Names that a ``publish`` may use."""
        return sorted({*self.writers, *self.operations})


AnyAttributes = Attributes[Any]
"""Attributes of a thing whose kind is known at run time only."""
