"""``broker backup``: a verified copy of the database, while the broker runs or not."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from broker.cli.options import add_store_command, assignments_of
from broker.cli.terminal import complain, say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.cli.options import Subcommands
    from broker.store.manifest import Counts

EXAMPLES = """\
examples:
  broker --data /var/lib/broker backup
  broker backup --set backup.directory=/backup --set backup.keep=30

A broker that runs goes on meanwhile. The backup holds every message that was acknowledged before it began. What is
printed last is the path of the backup; its manifest is beside it. See also: broker restore --help
"""


def register(subcommands: Subcommands) -> None:
    """Add ``backup``."""
    add_store_command(
        subcommands,
        "backup",
        run,
        text="make a verified copy of the database",
        description="Make a copy of the SQLite database of a data directory, and verify it.",
        examples=EXAMPLES,
    )


def run(options: argparse.Namespace) -> int:
    """Make a backup; print what is in it, and its path.

    Raises:
        BrokerError: see :func:`broker.store.sql.backup.take_backup`.
    """
    from broker.config.command_line import read_properties
    from broker.store.backup_settings import backup_settings_of
    from broker.store.location import database_url
    from broker.store.sql.backup import take_backup

    properties = read_properties(options.config, assignments_of(options))
    url = database_url(properties, options.data)
    backup, manifest = take_backup(url, backup_settings_of(properties, options.data.absolute()))
    write_down(url, "backup", str(backup))
    if manifest.counts is None:
        say(f"schema {manifest.revision} is older than this program: verified, but not recovered")
    else:
        say(contents(manifest.counts))
    say(f"{manifest.size_bytes} bytes, in {manifest.duration_milliseconds / 1000:.1f} s")
    say(str(backup))
    return 0


def write_down(url: str, action: str, target: str) -> None:
    """Write into the audit of a database what was done with it; where that cannot be, say so.

    Args:
        url: of the database.
        action: what was done.
        target: to what.
    """
    from broker.cli.user import who_am_i
    from broker.store.sql.audit_note import note

    try:
        note(url, who_am_i(), action, target)
    except BrokerError as error:
        complain(f"the audit does not have it: {error.message}")


def contents(counts: Counts) -> str:
    """One line of what is in a database."""
    found = {
        "accounts": counts.accounts,
        "topics": counts.topics,
        "sessions": counts.sessions,
        "subscriptions": counts.subscriptions,
        "queued messages": counts.entries,
        "dead messages": counts.dead_messages,
        "records that cannot be read": counts.unreadable,
    }
    return ", ".join(f"{name}: {count}" for name, count in found.items())
