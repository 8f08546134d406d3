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


def add_store_options(parser: argparse.ArgumentParser, *, subcommand: bool) -> None:
    """Add ``--data``, ``--config`` and ``--set``.

    The command and its subcommands both take them. A subcommand must not set defaults, they would hide what was given
    before its name.
    """

    def default(value: object) -> object:
        return argparse.SUPPRESS if subcommand else value

    parser.add_argument(
        "-d",
        "--data",
        metavar="DIR",
        type=Path,
        default=default(Path(DEFAULT_DATA)),
        help=f"directory of the database and everything else that must survive (default {DEFAULT_DATA})",
    )
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, default=default(None), help="property file")
    parser.add_argument(
        "-s",
        "--set",
        metavar="KEY=VALUE",
        action="append",
        dest="assignments" if subcommand else "assignments_before",
        default=[],
        help="set a property; may be repeated",
    )


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


def assignments_of(options: argparse.Namespace) -> list[str]:
    """Every ``KEY=VALUE`` that was given, before and after the subcommand's name."""
    return [*options.assignments_before, *options.assignments]
