"""``broker compact``: give the room that deleted messages had back to the file system."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from broker.cli.options import add_store_command, assignments_of
from broker.cli.terminal import say

if TYPE_CHECKING:
    from broker.cli.options import Subcommands

EXAMPLES = """\
examples:
  broker --data /var/lib/broker compact

The broker must not run. Until it is done the file system needs room for two more copies of what is left.
"""


def register(subcommands: Subcommands) -> None:
    """Add ``compact``."""
    add_store_command(
        subcommands,
        "compact",
        run,
        text="make the database file as small as its contents",
        description="Make the SQLite database of a data directory as small as its contents.",
        examples=EXAMPLES,
    )


def run(options: argparse.Namespace) -> int:
    """Compact the database, and print its size before and after.

    Raises:
        BrokerError: see :func:`broker.store.sql.compact.compact`.
    """
    from broker.config.command_line import read_properties
    from broker.store.location import database_url
    from broker.store.sql.compact import compact

    url = database_url(read_properties(options.config, assignments_of(options)), options.data)
    compacted = compact(url)
    say(f"{compacted.path.name}: {compacted.before} bytes before, {compacted.after} bytes after")
    return 0
