"""``broker metrics``: what Prometheus reads, or the families of some names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from broker.cli.exit_status import DONE, FAILED
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.problems import succeeded
from broker.cli.ops.verb import Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import complain, say

_HELP = re.compile(r"# HELP (\S+)")


def metrics(options: argparse.Namespace, verb: Verb) -> int:
    """Print them."""

    def once() -> int:
        described = installed_document().operation(verb.operation)
        text = succeeded(administration_of(options).ask(described.method, described.target({}, {}))).text
        found = 0
        for family, lines in families(text):
            if options.name is None or fnmatchcase(family, options.name):
                found += 1
                for line in lines:
                    say(line)
        if found or options.name is None:
            return DONE
        complain(f"there is no metric {options.name}; broker {verb.name} prints all of them")
        return FAILED

    return watched(options.watch, once)


def families(text: str) -> Iterator[tuple[str, list[str]]]:
    """The families of an exposition: the name of each, and its lines.

    Args:
        text: in the format 0.0.4 of Prometheus, in which each begins with its ``# HELP``.
    """
    name = ""
    lines: list[str] = []
    for line in text.splitlines():
        begun = _HELP.match(line)
        if begun is not None:
            if lines:
                yield name, lines
            name, lines = begun[1], []
        lines.append(line)
    if lines:
        yield name, lines
