"""The targets, found by their modules' names; imported only when they are wanted, so that imports can be watched."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.fuzz import targets

CORPUS = Path(__file__).parent / "corpus"
"""The kept inputs: a directory for each target."""
LONGEST = 4096
"""Bytes of an input, unless the target says otherwise."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target.

    Args:
        name: of its module.
        run: raises where an invariant is broken.
        tokens: that inputs are made of, beside what is found by chance.
        longest: most bytes of an input.
    """

    name: str
    run: Callable[[bytes], None]
    tokens: tuple[bytes, ...]
    longest: int

    @property
    def kept(self) -> list[Path]:
        """The inputs in the repository."""
        return sorted((CORPUS / self.name).glob("*"))


def names() -> list[str]:
    """All targets."""
    return sorted(module.name for module in pkgutil.iter_modules(targets.__path__))


def load(name: str) -> Target:
    """Import a target."""
    module = import_module(f"{targets.__name__}.{name}")
    return Target(name, module.target, getattr(module, "TOKENS", ()), getattr(module, "LONGEST", LONGEST))
