"""The ``broker`` command: its options and its subcommands.

Exit status: see :mod:`broker.cli.exit_status`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from broker.cli.ops.verbs import ASKING, help_of
from broker.cli.options import add_store_options
from broker.cli.subcommands import CommandParser, LaterSubcommands, Register, add_subcommands
from broker.cli.terminal import complain, give_up_output, open_standard_streams, reason_of, say
from broker.errors import BrokerError, Code
from broker.escape import escaped
from broker.model.number import whole_or_none
from broker.model.text import is_xml_text

if TYPE_CHECKING:
    from broker.cli.options import Run

EXAMPLES = """\
examples:
  broker check                       look for what would go wrong
  broker run                         start the broker on ./data
  broker user add joe                make an account; asks for the password
  broker subscribe --user joe --oid weather
  broker publish --user joe --oid weather "sunny"
  broker status                      the broker at a glance
  broker queues list --min-entries 1 what waits, the longest queue first
  broker --data /var/lib/broker user list
  broker COMMAND --help              options and examples of one command
"""

RUN_LEVEL = "run-level"
TAKE_A_VALUE = ("-d", "--data", "-c", "--config", "-s", "--set")
"""Options before the command."""


def _module(name: str) -> Register:
    """What adds the subcommands of a module, which is imported then and no sooner."""

    def register(subcommands: LaterSubcommands) -> None:
        import_module(f"broker.cli.{name}").register(subcommands)

    return register


def _asking(first: str) -> Register:
    """The same for commands that ask a broker, by their first word."""

    def register(subcommands: LaterSubcommands) -> None:
        import_module("broker.cli.ops.register").registering(first)(subcommands)

    return register


COMMANDS: tuple[tuple[Mapping[str, str | None], Register], ...] = (
    ({"run": "start the broker"}, _module("run")),
    (
        {"manager": "start a connection manager, which holds the connections of XMPP clients for a server"},
        _module("manager"),
    ),
    ({"user": "make, list, change and remove accounts"}, _module("user")),
    ({"backup": "make a verified copy of the database"}, _module("backup")),
    ({"restore": "make a data directory out of a backup"}, _module("restore")),
    ({"upgrade": "tell what the next start would change in the database"}, _module("upgrade")),
    ({"downgrade": "make a database one of an older version again"}, _module("downgrade")),
    ({"compact": "make the database file as small as its contents"}, _module("compact")),
    (
        {"defaults": "print a file to begin with: properties, plugin file, alerts, dashboard, unit"},
        _module("defaults"),
    ),
    ({"check": "look for what would keep a broker from starting, or go wrong later"}, _module("check.command")),
    ({"completion": "print a script that lets a shell complete the command line"}, _module("completion")),
    ({"complete": None}, _module("ops.complete")),
    (
        {
            "subscribe": "print messages as they arrive",
            "publish": "publish a message on a topic",
            "send": "send a message to somebody",
            "get": "print the newest messages of topics",
            "erase": "erase topics",
            "ping": "ask a broker how it is",
        },
        _module("client_commands"),
    ),
    *(({first: help_of(first)}, _asking(first)) for first in ASKING),
)
"""Subcommands, with what they do and what adds them; their default ``run`` is a :data:`broker.cli.options.Run`."""


class _Version(argparse.Action):
    """``--version``, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from broker import __version__

        say(f"broker {__version__}")
        parser.exit()


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
    if not has_output and getattr(options, "needs_output", True):
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
    given = sys.argv[1:] if arguments is None else list(arguments)
    options, rest = parser.parse_known_args(_with_verb_of_run_level(_with_descending_sort(given)))
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


def _place_of_command(arguments: Sequence[str]) -> int:
    """The place of the first argument that is neither an option nor its value."""
    place = 0
    while place < len(arguments) and arguments[place].startswith("-"):
        place += 2 if arguments[place] in TAKE_A_VALUE else 1
    return place


def _with_verb_of_run_level(arguments: Sequence[str]) -> list[str]:
    """``run-level`` as ``run-level show``, and ``run-level 3 9`` as ``run-level set 3 9``."""
    place = _place_of_command(arguments) + 1
    if arguments[place - 1 : place] != [RUN_LEVEL]:
        return list(arguments)
    after = arguments[place : place + 1]
    if not after or (after[0].startswith("-") and after[0] not in ("-h", "--help")):
        return [*arguments[:place], "show", *arguments[place:]]
    if whole_or_none(after[0], 0) is not None:
        return [*arguments[:place], "set", *arguments[place:]]
    return list(arguments)


def _with_descending_sort(arguments: Sequence[str]) -> list[str]:
    """``--sort -entries`` as one argument; argparse takes the second for an option."""
    joined: list[str] = []
    for each in arguments:
        if joined and joined[-1] == "--sort" and each.startswith("-"):
            joined[-1] = f"--sort={each}"
        else:
            joined.append(each)
    return joined


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = CommandParser(
        prog="broker",
        description="A durable XML message broker.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    add_store_options(parser, subcommand=False)
    subcommands = add_subcommands(parser, "COMMAND")
    for helps, register in COMMANDS:
        subcommands.add_later(helps, register)
    return parser
