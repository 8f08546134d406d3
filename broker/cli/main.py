"""The ``broker`` command: its options and its subcommands.

Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong usage; ``broker restore --rehearse`` adds 6.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from broker import __version__
from broker.cli import backup, client_commands, compact, defaults, manager, restore, run, upgrade, user
from broker.cli.options import add_store_options
from broker.cli.terminal import complain, give_up_output, open_standard_streams, reason_of
from broker.errors import BrokerError, Code
from broker.escape import escaped
from broker.model.text import is_xml_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.cli.options import Run, Subcommands

EXAMPLES = """\
examples:
  broker run                         start the broker on ./data
  broker user add joe                make an account; asks for the password
  broker subscribe --user joe --oid weather
  broker publish --user joe --oid weather "sunny"
  broker --data /var/lib/broker user list
  broker COMMAND --help              options and examples of one command
"""

REGISTRATIONS: tuple[Callable[[Subcommands], None], ...] = (
    run.register,
    manager.register,
    user.register,
    backup.register,
    restore.register,
    upgrade.register,
    compact.register,
    defaults.register,
    client_commands.register,
)
"""Each adds subcommands whose default ``run`` is a :data:`broker.cli.options.Run`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; those of the process where not given.

    Returns:
        The exit status. Wrong usage and ``--help`` end by :class:`SystemExit`, as :mod:`argparse` does.
    """
    has_output = open_standard_streams()
    options = parse(arguments)
    command: Run = options.run
    if not has_output and command not in (run.run, manager.run):
        complain("standard output is closed; where nobody wants it, send it to /dev/null")
        return 1
    try:
        status = command(options)
        sys.stdout.flush()  # so that it fails here if at all
        return status
    except BrokenPipeError:
        return give_up_output()
    except BrokerError as error:
        wrong_usage = error.code == Code.USER_WRONG_API_USAGE
        complain(error.message if wrong_usage else str(error))
        return 2 if wrong_usage else 1
    except OSError as error:
        complain(reason_of(error))
        return 1
    except KeyboardInterrupt:
        return 130


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of one command; wrong usage ends by :class:`SystemExit`."""
    parser = make_parser()
    options, rest = parser.parse_known_args(arguments)
    if len(rest) == 1 and getattr(options, "content", "") is None and not rest[0].startswith("-"):
        options.content = rest.pop()  # argparse gives it up where options stand between RECEIVER and CONTENT
    if rest:
        getattr(options, "parser", parser).error(f"unrecognized arguments: {escaped(' '.join(rest))}")
    for name, value in vars(options).items():
        for text in value if isinstance(value, list) else [value]:
            if name != "content" and isinstance(text, str) and not is_xml_text(text):
                # Bytes that are not UTF-8 have become half characters (PEP 383).
                reason = f"an argument is not UTF-8, or has a control character: {text!a}"
                getattr(options, "parser", parser).error(reason)
    return options


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="broker",
        description="A durable XML message broker.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"broker {__version__}")
    add_store_options(parser, subcommand=False)
    subcommands = parser.add_subparsers(metavar="COMMAND", required=True)
    for register in REGISTRATIONS:
        register(subcommands)
    return parser
