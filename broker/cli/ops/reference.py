"""The table of commands in ``docs/commands.md``: ``python -m broker.cli.ops.reference`` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from broker.cli.ops.parameters import option_of
from broker.cli.ops.verb import Form, Verb
from broker.cli.ops.verbs import VERBS

BEGIN, END = "<!-- commands: begin -->\n", "<!-- commands: end -->\n"
"""Lines of the document that the table stands between."""


def reference() -> str:
    """The table."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    yield "| command | what it does | asks for |"
    yield "|---|---|---|"
    for verb in VERBS:
        asked = ", ".join(f"`{each}`" for each in verb.operations) or "any"
        yield f"| `broker {verb.name}{_arguments(verb)}` | {verb.help} | {asked} |"


def _arguments(verb: Verb) -> str:
    match verb.form:
        case Form.API:
            return " METHOD PATH [JSON]"
        case Form.HEALTH:
            return " [WHAT]"
        case Form.METRICS:
            return " [NAME]"
        case _:
            names = [] if verb.argument is None else [verb.argument.metavar]
            names += [option_of(name).strip("-").upper() for name in verb.positional]
            return "".join(f" {name}" for name in names)


if __name__ == "__main__":
    sys.stdout.write(reference())
