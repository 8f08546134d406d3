"""``broker upgrade --check``: what the next start would change in the database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from broker.cli.options import add_store_command, assignments_of
from broker.cli.terminal import say

if TYPE_CHECKING:
    from broker.cli.options import Subcommands

EXAMPLES = """\
examples:
  broker --data /var/lib/broker upgrade --check

Run it with the new program, before it is started. The schema is changed when the broker starts, and copied before.
"""


def register(subcommands: Subcommands) -> None:
    """Add ``upgrade``."""
    parser = add_store_command(
        subcommands,
        "upgrade",
        run,
        text="tell what the next start would change in the database",
        description="Tell what the start of this version changes in the schema of a database, and how long it takes.",
        examples=EXAMPLES,
    )
    parser.add_argument("--check", action="store_true", required=True, help="change nothing; tell what would be done")


def run(options: argparse.Namespace) -> int:
    """Tell what an upgrade would do.

    Raises:
        BrokerError: see :func:`broker.store.sql.upgrade_check.check_upgrade`.
    """
    from broker.config.command_line import read_properties
    from broker.store.location import database_url
    from broker.store.sql.upgrade_check import check_upgrade

    properties = read_properties(options.config, assignments_of(options))
    found = check_upgrade(database_url(properties, options.data))
    if not found.steps:
        say(f"schema {found.after}: up to date")
        return 0
    say(f"schema {found.before or 'none'}, to be changed to {found.after}")
    for step in found.steps:
        say(f"  {step}")
    if found.irreversible:
        say(f"It cannot be undone ({found.irreversible}), but by the copy that is made before.")
    else:
        say("It can be undone.")
    if found.seconds is not None:
        say(f"On a copy of this database it took {found.seconds:.1f} s.")
    return 0
