"""Options that several subcommands share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from broker.config.command_line import DEFAULT_DATA
from broker.model.number import real_or_none, whole_or_none

if TYPE_CHECKING:
    Subcommands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
    """Where a module of :mod:`broker.cli` adds its subcommands."""

Run: TypeAlias = Callable[[argparse.Namespace], int]
"""What a subcommand sets as its default ``run``: takes the parsed options, returns the exit status."""


LEAST_PAUSE = 0.1
"""Seconds."""

DATA = "directory of the database and everything else that must survive"
"""What ``--data`` is for the broker."""


def add_store_command(
    subcommands: Subcommands, name: str, run: Run, *, text: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Add a subcommand that works on the database of a data directory; returns its parser.

    Args:
        subcommands: of the command.
        name: of the subcommand.
        run: what it does.
        text: what it is for, in the list of commands.
        description: the same in a sentence, for its own ``--help``.
        examples: how it is called.
    """
    parser = subcommands.add_parser(
        name,
        help=text,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser, subcommand=True)
    parser.set_defaults(run=run)
    return parser


def add_store_options(parser: argparse.ArgumentParser, *, subcommand: bool, data: str = DATA) -> None:
    """Add ``--data``, ``--config`` and ``--set``.

    The command and its subcommands both take them. A subcommand must not set defaults, they would hide what was given
    before its name.

    Args:
        parser: of the command, or of a subcommand.
        subcommand: which of the two.
        data: what ``--data`` is, for ``--help``.
    """

    def default(value: object) -> object:
        return argparse.SUPPRESS if subcommand else value

    parser.add_argument(
        "-d",
        "--data",
        metavar="DIR",
        type=path_of,
        default=default(Path(DEFAULT_DATA)),
        help=f"{data} (default {DEFAULT_DATA})",
    )
    parser.add_argument("-c", "--config", metavar="FILE", type=path_of, default=default(None), help="property file")
    parser.add_argument(
        "-s",
        "--set",
        metavar="KEY=VALUE",
        action="append",
        dest="assignments" if subcommand else "assignments_before",
        default=[],
        help="set a property; may be repeated",
    )


def filled(text: str) -> str:
    """The type of an option that is a text, and not an empty one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def path_of(text: str) -> Path:
    """The type of an option that names a file or a directory; an empty text would be the working directory."""
    return Path(filled(text))


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is a number from ``least`` on."""

    def number(text: str) -> int:
        value = whole_or_none(text, least)
        if value is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} on")
        return value

    return number


def seconds(text: str) -> float:
    """The type of an option that is a time."""
    value = real_or_none(text)
    if value is None or value < 0 or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value


def pause(text: str) -> float:
    """The type of an option that is the time between two requests."""
    value = seconds(text)
    if value < LEAST_PAUSE:
        raise argparse.ArgumentTypeError(f"{text} is too short: at least {LEAST_PAUSE:g} seconds")
    return value


def assignments_of(options: argparse.Namespace) -> list[str]:
    """Every ``KEY=VALUE`` that was given, before and after the subcommand's name."""
    return [*options.assignments_before, *options.assignments]
