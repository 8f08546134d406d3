"""``broker restore``: a new data directory out of a backup."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from broker.cli.backup import contents, write_down
from broker.cli.options import add_store_command, path_of
from broker.cli.terminal import complain, reason_of, say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.cli.options import Subcommands
    from broker.store.sql.restore import Restored

REHEARSAL_FAILED = 6
"""Exit status where a backup could not be restored."""

EXAMPLES = """\
examples:
  broker restore --rehearse /backup/heron-20261130T031207Z.db       changes nothing; exit status 0 or 6
  broker --data /var/lib/broker restore /backup/heron-20261130T031207Z.db

The data directory must be empty. What restoring means:
  What was acknowledged by receivers after the backup is delivered again, marked as such.
  What was published after the backup is lost, and so are accounts, passwords and contacts of after it.
  XMPP streams cannot be resumed: their clients get item-not-found and log in anew; what waits goes to their accounts.
Never start the broker whose backup this is again on its own data: receivers would get its messages from both.
"""


def register(subcommands: Subcommands) -> None:
    """Add ``restore``."""
    parser = add_store_command(
        subcommands,
        "restore",
        run,
        text="make a data directory out of a backup",
        description="Make an empty data directory one of the broker, out of a backup with its manifest.",
        examples=EXAMPLES,
    )
    parser.add_argument("file", metavar="FILE", type=path_of, help="the backup; its manifest is beside it")
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help=f"do all of it in a temporary directory; exit status {REHEARSAL_FAILED} if it fails",
    )


def run(options: argparse.Namespace) -> int:
    """Restore, or rehearse it; print what is in the database.

    Raises:
        BrokerError: see :func:`broker.store.sql.restore.restore`.
    """
    from broker.store.location import DATABASE_FILE, SQLITE
    from broker.store.sql.restore import restore

    if options.rehearse:
        return _rehearse(options)
    restored = restore(options.file, options.data)
    write_down(f"{SQLITE}{(options.data / DATABASE_FILE).absolute()}", "restore", str(options.file))
    _tell(restored)
    say(f"restored to {options.data}; what was delivered after {restored.manifest.made_at} is delivered again")
    return 0


def _rehearse(options: argparse.Namespace) -> int:
    from broker.store.sql.restore import rehearse

    try:
        restored = rehearse(options.file)
    except BrokerError as error:
        complain(str(error))
        return REHEARSAL_FAILED
    except OSError as error:
        complain(reason_of(error))
        return REHEARSAL_FAILED
    _tell(restored)
    say(f"{options.file} can be restored; nothing was changed")
    return 0


def _tell(restored: Restored) -> None:
    manifest = restored.manifest
    whose = manifest.node or "a database before its upgrade"
    say(f"backup of {whose}, made {manifest.made_at} by version {manifest.version}")
    say(contents(restored.counts))
    if restored.streams:
        say(f"XMPP streams that cannot be resumed: {restored.streams}; what waits in them goes to their accounts")
