"""Parsers of the commands that ask a broker, made of the table of :mod:`broker.cli.ops.verbs`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from broker.cli.exit_status import EXIT_STATUS
from broker.cli.ops.address import add_address_options
from broker.cli.ops.document import installed_document
from broker.cli.ops.parameters import (
    EXPECTED,
    FILTER,
    SELECTIONS,
    add_body_parameter,
    add_query_parameter,
    known_parameters,
)
from broker.cli.ops.problems import explained
from broker.cli.ops.verb import Form, Verb
from broker.cli.ops.verbs import NOUNS, VERBS
from broker.cli.options import at_least, filled, pause
from broker.cli.subcommands import add_subcommands
from broker.config.nearest import nearest

if TYPE_CHECKING:
    from broker.cli.subcommands import LaterSubcommands, Register

WATCH_SECONDS = 2.0
OF_PAGES = ("limit", "cursor")
"""Parameters that a command uses itself."""
OF_EVENTS = ("limit", "after", "follow")
OF_LISTS = (*OF_PAGES, "sort")
"""Those that make no difference to a number of objects."""
_RUNNERS = {
    Form.LIST: ("lists", "list_rows"),
    Form.COUNT: ("lists", "count_rows"),
    Form.SHOW: ("objects", "show"),
    Form.CHANGE: ("changes", "change"),
    Form.WHY: ("why", "why"),
    Form.TOP: ("top", "top"),
    Form.STATUS: ("status", "status"),
    Form.DIAGNOSE: ("diagnose", "diagnose"),
    Form.TAIL: ("tail", "tail"),
    Form.EVENTS: ("events", "events"),
    Form.HEALTH: ("health", "health"),
    Form.METRICS: ("metrics", "metrics"),
    Form.API: ("api", "api"),
    Form.EXPORT: ("definitions", "export"),
    Form.IMPORT: ("definitions", "import_"),
}
"""Module and function that runs a command; it is imported when it does."""


def registering(first: str) -> Register:
    """What adds the commands whose first word is this one."""

    def register(subcommands: LaterSubcommands) -> None:
        if first in NOUNS:
            _add_noun(subcommands, first)
        else:
            _add_verb(subcommands, first, next(verb for verb in VERBS if verb.name == first))

    return register


def _add_noun(subcommands: LaterSubcommands, noun: str) -> None:
    parser = subcommands.add_parser(noun, help=NOUNS[noun], description=f"About {NOUNS[noun]}.")
    verbs = add_subcommands(parser, "ACTION")
    for verb in VERBS:
        first, _, second = verb.name.partition(" ")
        if first == noun:
            verbs.add_later({second: verb.help}, _adds(second, verb))


def _adds(name: str, verb: Verb) -> Register:
    def register(subcommands: LaterSubcommands) -> None:
        _add_verb(subcommands, name, verb)

    return register


def _add_verb(subcommands: LaterSubcommands, name: str, verb: Verb) -> None:
    parser = subcommands.add_parser(
        name,
        help=verb.help,
        description=f"{verb.help[0].upper()}{verb.help[1:]}.",
        epilog=_epilog(verb),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_arguments(parser, verb)
    add_address_options(parser)
    runner = _RUNNERS[verb.form]
    parser.set_defaults(run=_runs(verb, *runner), parser=parser)


def _runs(verb: Verb, module: str, function: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        if verb.offline:
            without = import_module("broker.cli.ops.without_broker")
            if without.nobody_listens(options):
                status: int = without.change_accounts(options, verb)
                return status
        do: Callable[[argparse.Namespace, Verb], int] = getattr(import_module(f"broker.cli.ops.{module}"), function)
        return explained(lambda: do(options, verb))

    return run


def _epilog(verb: Verb) -> str:
    examples = "".join(f"  {each}\n" for each in verb.examples)
    return (f"examples:\n{examples}" if examples else "") + EXIT_STATUS


def _add_arguments(parser: argparse.ArgumentParser, verb: Verb) -> None:
    form = verb.form
    if verb.argument is not None:
        parser.add_argument("target", metavar=verb.argument.metavar, type=filled, help=verb.argument.help)
    if form is Form.API:
        parser.add_argument("method", metavar="METHOD", type=str.upper, help="GET, POST, PUT, PATCH or DELETE")
        parser.add_argument("path", metavar="PATH", type=filled, help="with its query; /api/v1 may be left out")
        parser.add_argument("body", metavar="JSON", nargs="?", help="of a change; - reads it from standard input")
        return
    if form is Form.TAIL:
        for parameter in installed_document().operation(verb.operation).query:
            add_query_parameter(parser, parameter)
        parser.add_argument("--json", action="store_true", help="one JSON object a message")
        return
    if form is Form.EVENTS:
        for parameter in known_parameters(installed_document().operation(verb.operation).query, OF_EVENTS):
            add_query_parameter(parser, parameter)
        parser.add_argument("--limit", metavar="N", type=at_least(1), help="events of the past at most (default 20)")
        parser.add_argument("--follow", action="store_true", help="go on with what happens, until Ctrl-C")
        parser.add_argument("--json", action="store_true", help="one JSON object an event, as the API has it")
        return
    if form in (Form.EXPORT, Form.IMPORT):
        _add_definitions(parser, verb)
        return
    if form is Form.HEALTH:
        parser.add_argument(
            "what",
            metavar="WHAT",
            nargs="?",
            default="ready",
            help="live, ready (default), checks, or one of these, such as disk",
        )
        parser.add_argument(
            "--strict", action="store_true", help="a store that cannot commit counts at once, and not after a minute"
        )
    if form is Form.DIAGNOSE:
        parser.add_argument(
            "--bundle", metavar="FILE", type=filled, help="write all that helps to find out into a ZIP archive instead"
        )
        parser.add_argument("--anonymise", action="store_true", help="in the bundle, names are signs without meaning")
    if form is Form.METRICS:
        parser.add_argument(
            "name", metavar="NAME", nargs="?", type=filled, help="of those wanted; * stands for any text"
        )
    if form in (Form.LIST, Form.COUNT):
        described = installed_document().operation(verb.operation, verb.rows)
        filters = parser.add_argument_group("filters")
        left_out = OF_PAGES if form is Form.LIST else OF_LISTS
        for parameter in known_parameters(described.query, (*left_out, *dict(verb.fixed))):
            add_query_parameter(filters, parameter)
    if form is Form.LIST:
        parser.add_argument(
            "--limit", metavar="N", type=at_least(1), help="rows at most (default: all; 100 at a terminal)"
        )
        parser.add_argument(
            "--columns",
            metavar="A,B",
            type=_columns(verb),
            help=f"fields that are shown (default {','.join(verb.columns)})",
        )
    if form is Form.CHANGE:
        _add_change(parser, verb)
        return
    if form is Form.TOP:
        parser.add_argument(
            "--interval",
            metavar="S",
            type=pause,
            default=WATCH_SECONDS,
            help=f"seconds between two looks (default {WATCH_SECONDS:g})",
        )
        return
    if form is not Form.METRICS:
        output = parser.add_mutually_exclusive_group()
        output.add_argument("--json", action="store_true", help=_json_help(form))
        quiet = "names only" if form is Form.LIST else "print nothing; the exit status says it"
        output.add_argument("--quiet", action="store_true", help=quiet)
    parser.add_argument(
        "--watch",
        metavar="S",
        nargs="?",
        type=pause,
        const=WATCH_SECONDS,
        help=f"again every so many seconds (default {WATCH_SECONDS:g}), until Ctrl-C",
    )


def _add_change(parser: argparse.ArgumentParser, verb: Verb) -> None:
    described = installed_document().operation(verb.operation)
    left_out = {*dict(verb.fixed), verb.secret, verb.confirm[0], *((EXPECTED, "filter") if verb.rehearsed else ())}
    if verb.takes is not None:
        left_out |= {each.name for each in described.body} - {*verb.takes, *verb.positional}
    members = known_parameters(described.body, left_out)
    by_name = {each.name: each for each in members}
    for name in verb.positional:
        add_body_parameter(parser, by_name[name], positional=True)
    if verb.rehearsed:
        which = parser.add_argument_group("which", "one of these at least; all that are given must hold")
        for parameter in known_parameters(installed_document().operation(verb.rehearsed).query, OF_LISTS):
            add_query_parameter(which, parameter, FILTER)
    group = parser.add_argument_group("change")
    for parameter in members:
        if parameter.name not in verb.positional:
            add_body_parameter(parser if parameter.name in SELECTIONS else group, parameter)
    for parameter in described.query:
        add_query_parameter(group, parameter)
    if verb.secret:
        group.add_argument(
            "--password-stdin", action="store_true", help="read it from the first line of standard input"
        )
    if verb.loses:
        group.add_argument("--yes", action="store_true", help="do not ask")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help=_json_help(verb.form))
    output.add_argument("--quiet", action="store_true", help="print nothing; the exit status says it")


def _add_definitions(parser: argparse.ArgumentParser, verb: Verb) -> None:
    for parameter in known_parameters(installed_document().operation(verb.operation).query, dict(verb.fixed)):
        add_query_parameter(parser, parameter)
    if verb.form is Form.EXPORT:
        parser.add_argument("--output", metavar="FILE", help="write it there, readable for you only")
        parser.add_argument("--json", action="store_true", help="in one line, and not one object a line")
        return
    parser.add_argument("--reason", metavar="TEXT", help="for the log and the audit")
    parser.add_argument("--yes", action="store_true", help="do not ask before something is deleted")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help=_json_help(verb.form))
    output.add_argument("--quiet", action="store_true", help="print nothing; the exit status says it")


def _columns(verb: Verb) -> Callable[[str], list[str]]:
    """The type of an option that names fields of rows."""
    known = [*installed_document().operation(verb.operation, verb.rows).fields, *verb.columns]
    objects = {field.rpartition(".")[0] for field in known} - {""}

    def columns(text: str) -> list[str]:
        names = [each.strip() for each in text.split(",")]
        for name in names:
            if name not in known and name not in objects:
                near = nearest(name, known)
                hint = f"is {near} meant?" if near else f"there are {', '.join(known)}"
                raise argparse.ArgumentTypeError(f"there is no field {name!a}; {hint}")
        return names

    return columns


def _json_help(form: Form) -> str:
    return "one JSON object a row, as the API has it" if form is Form.LIST else "the JSON of the API"
