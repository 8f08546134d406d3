"""``broker complete``: names of objects for a shell, which asks at each press of the Tab key. Help does not list it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from broker.cli.exit_status import DONE
from broker.cli.ops.address import addresses_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.problems import ProblemError, succeeded
from broker.cli.ops.values import value_at
from broker.cli.ops.verb import Form
from broker.cli.ops.verbs import VERBS
from broker.cli.options import path_of
from broker.cli.terminal import say
from broker.cli.transport import Administration
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.cli.subcommands import LaterSubcommands

MOST = 100
"""Names that a shell is given."""
PATIENCE = 0.3
"""Seconds that somebody who presses Tab waits at most."""
LISTS = {
    verb.name.partition(" ")[0]: verb
    for verb in VERBS
    if verb.form is Form.LIST and verb.name.endswith(" list") and verb.argument is None
}
"""Commands that list, by the noun whose names can be completed."""


def register(subcommands: LaterSubcommands) -> None:
    """Add ``complete``."""
    parser = subcommands.add_parser("complete", description="Print names of objects for the completion of a shell.")
    parser.add_argument("noun", choices=list(LISTS))
    parser.add_argument("prefix", nargs="?", default="")
    parser.add_argument("-d", "--data", type=path_of, default=argparse.SUPPRESS)
    parser.set_defaults(run=complete, url=None, socket=None, ca=None, token_file=None)


def complete(options: argparse.Namespace) -> int:
    """Print the names of one kind that begin so; nothing where no broker answers at once."""
    verb = LISTS[options.noun]
    described = installed_document().operation(verb.operation)
    known = {each.name for each in described.query}
    query = {"limit": str(MOST), **({"q": options.prefix} if options.prefix and "q" in known else {})}
    try:
        administration = Administration(addresses_of(options), PATIENCE)
        rows = succeeded(administration.ask(described.method, described.target({}, query))).read_object()["items"]
    except (BrokerError, ProblemError, OSError):
        return DONE  # a shell that completes has no place for an error
    for row in rows:
        name = str(value_at(row, verb.columns[0]) or "")
        if name.startswith(options.prefix):
            say(name)
    return DONE
