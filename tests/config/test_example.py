"""The example file shows every property with its default."""

from __future__ import annotations

from pathlib import Path

from broker.config.declared import load
from broker.config.example import write
from broker.config.kinds import INTEGER
from broker.config.options import Registry
from broker.config.syntax import parse
from tests.config.examples import check_defaults

EXAMPLE = Path(__file__).parents[2] / "etc" / "broker.properties"


def test_the_example_file_is_what_the_declarations_say() -> None:
    assert EXAMPLE.read_text("utf-8") == write(load()), "run: python -m broker.config.example > etc/broker.properties"


def test_the_example_file_itself_sets_nothing() -> None:
    assert parse(EXAMPLE.read_text("utf-8"), "example") == []


def test_every_example_is_the_default() -> None:
    check_defaults(EXAMPLE, load())


def test_indexed_properties_are_shown_in_their_group() -> None:
    registry = Registry()
    registry.declare("a/b", INTEGER, 1, "B.")
    registry.declare_indexed("a/c", "C.", "d")

    assert write(registry).endswith("# B. (whole number)\n#a/b=1\n\n# C.\n#a/c[d]=\n")
