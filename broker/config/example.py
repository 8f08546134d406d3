"""Writes the commented example of a property file: ``python -m broker.config.example``."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from broker.config.declared import load
from broker.config.options import Effect, Registry

BROKER = "Properties of the broker, each with its default. Give this file with --config FILE."
BROKER_RULES = """\
# For one name, the command line (--set NAME=VALUE, or -NAME VALUE after --) beats the environment (NAME, or
# BROKER_NAME in capitals with _ for every other character), and that beats this file.
# A more specific name beats a general one:
#   /node/<id>/queue/callback/maxEntries, queue/callback/maxEntries, queue/maxEntries, maxEntries
"""
_REFERENCES = "# ${NAME} is replaced by the value of another property or of the environment.\n"
_WIDTH = 118
_CHANGES = {
    Effect.NOW: "; a change takes effect at once",
    Effect.NEW_OBJECTS: "; a change takes effect for what is new",
    Effect.LISTENER: "; a change takes effect when listeners open anew",
    Effect.RESTART: "",
}


def write(registry: Registry, title: str = BROKER, rules: str = BROKER_RULES) -> str:
    """The text of the example file.

    Args:
        registry: of the properties.
        title: says whose they are.
        rules: which of several values counts, as comments.
    """
    groups: dict[str, list[str]] = {}
    for option in registry:
        comment = textwrap.fill(
            f"{option.help} ({option.kind.label}{_CHANGES[option.change]})",
            _WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        default = option.kind.write(option.default)
        groups.setdefault(_group(option.name), []).append(f"{comment}\n#{option.name}={default}\n")
    for indexed in registry.indexed():
        groups.setdefault(_group(indexed.name), []).append(f"# {indexed.help}\n#{indexed.name}[{indexed.index}]=\n")
    return "\n".join(_blocks(f"# {title}\n#\n{rules}{_REFERENCES}", groups))


def _blocks(head: str, groups: dict[str, list[str]]) -> Iterator[str]:
    yield head
    for name, entries in sorted(groups.items()):  # the order of declaration is that of imports
        yield f"# {f' {name} ':-^{_WIDTH - 2}}\n"
        yield from entries


def _group(name: str) -> str:
    path = name.rpartition("/")[0]
    return path or name.partition(".")[0]


if __name__ == "__main__":
    sys.stdout.write(write(load()))
