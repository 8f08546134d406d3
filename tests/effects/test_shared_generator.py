"""The generator of the module ``random`` belongs to programs that run the client, and to tests: nothing here uses it.

A client reconnects in a thread of its own. Numbers that it took would be missing from a sequence that the program has
seeded, and would spoil what a test draws meanwhile; and processes that were forked would all wait for the same time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BROKER = Path(__file__).parents[2] / "broker"
OWN = frozenset({"Random", "SystemRandom"})
"""Generators of whoever makes one."""


def shared_uses(tree: ast.AST) -> Iterator[str]:
    """Where the shared generator is used."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="random"), attr=name) if name not in OWN:
                yield ast.unparse(node)
            case ast.ImportFrom(module="random", names=names):
                yield from (each.name for each in names if each.name not in OWN)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("random.uniform(0, 1)", ["random.uniform"]),
        ("from random import shuffle, Random", ["shuffle"]),
        ("chance = random.SystemRandom(); chance.uniform(0, 1)", []),
    ],
)
def test_uses_of_it_are_found(text: str, found: list[str]) -> None:
    assert list(shared_uses(ast.parse(text))) == found


def test_nothing_takes_from_it() -> None:
    uses = {
        str(path.relative_to(BROKER)): list(shared_uses(ast.parse(path.read_text("utf-8"))))
        for path in BROKER.rglob("*.py")
    }
    assert len(uses) > 100
    assert {path: found for path, found in uses.items() if found} == {}
