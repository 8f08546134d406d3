"""Commands that tell everything of one object."""

from __future__ import annotations

import argparse

from broker.cli.exit_status import DONE
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.problems import succeeded
from broker.cli.ops.tables import fields_of, write_fields
from broker.cli.ops.verb import Argument, Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import say_json
from broker.errors import BrokerError, Code


def show(options: argparse.Namespace, verb: Verb) -> int:
    """Tell everything of it."""
    described = installed_document().operation(verb.operation)
    target = described.target(path_of(verb.argument, options), {})

    def once() -> int:
        found = succeeded(administration_of(options).ask(described.method, target)).read_object()
        if options.json:
            say_json(found)
        elif not options.quiet:
            write_fields(fields_of(found), found)
        return DONE

    return watched(options.watch, once)


def path_of(argument: Argument | None, options: argparse.Namespace) -> dict[str, str]:
    """The parameters of the path that an argument on the command line stands for.

    Raises:
        BrokerError: ``user.wrongApiUsage`` where it has no ``/`` though it stands for two.
    """
    if argument is None:
        return {}
    text = str(options.target)
    if len(argument.parameters) == 1:
        return {argument.parameters[0]: text}
    first, slash, last = text.rpartition("/") if argument.cut_last else text.partition("/")
    if not slash or not first or not last:
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"{argument.metavar} is '{text}'; it must be {argument.help}")
    return dict(zip(argument.parameters, (first, last), strict=True))
