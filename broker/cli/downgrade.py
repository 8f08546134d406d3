"""``broker downgrade``: make a database one of an older version of this program again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from broker.cli.options import add_store_command, assignments_of
from broker.cli.terminal import say

if TYPE_CHECKING:
    from broker.cli.options import Subcommands

EXAMPLES = """\
examples:
  broker --data /var/lib/broker downgrade --to 0.1
  broker --data /var/lib/broker downgrade --to 0003      the revision that upgrade --check tells

The broker must not run. Run it with the new program, which knows the way back; then start the old one. What the old
schema has no place for is lost, such as roles of accounts and the audit before 0004. The database is copied to the
directory backups before.
"""


def register(subcommands: Subcommands) -> None:
    """Add ``downgrade``."""
    parser = add_store_command(
        subcommands,
        "downgrade",
        run,
        text="make a database one of an older version again",
        description="Take the schema of a database back to that of an older version of this program.",
        examples=EXAMPLES,
    )
    parser.add_argument("--to", metavar="VERSION", required=True, help="the version, or the revision of its schema")


def run(options: argparse.Namespace) -> int:
    """Take a schema back.

    Raises:
        BrokerError: see :func:`broker.store.sql.downgrade.downgrade`.
    """
    from broker.config.command_line import read_properties
    from broker.store.location import database_url
    from broker.store.sql.downgrade import downgrade, revision_for

    url = database_url(read_properties(options.config, assignments_of(options)), options.data)
    done = downgrade(url, revision_for(options.to))
    if done.before == done.after:
        say(f"schema {done.after}: nothing to do")
        return 0
    if done.copy is not None:
        say(f"copied to {done.copy}")
    say(f"schema {done.before}, changed to {done.after}: now start the broker of that version")
    return 0
