"""What commands about accounts do where no broker runs: the same on the database itself, as ``broker user`` does it."""

from __future__ import annotations

import argparse
import socket
from contextlib import closing

from broker.cli import user
from broker.cli.exit_status import DONE
from broker.cli.ops.address import addresses_of
from broker.cli.ops.changes import confirm
from broker.cli.ops.parameters import BODY
from broker.cli.ops.verb import Verb
from broker.cli.terminal import advise, say, say_json
from broker.cli.transport import UnixAddress

PATIENCE = 2.0
"""Seconds in which a broker takes a connection to its socket."""


def nobody_listens(options: argparse.Namespace) -> bool:
    """Whether a command is about this machine, and no broker is there to be asked.

    Args:
        options: of the command; with ``--url`` or ``--socket`` it is meant for a broker that runs.
    """
    if options.url is not None or options.socket is not None:
        return False
    addresses = addresses_of(options)
    paths = [each.path for each in addresses if isinstance(each, UnixAddress)]
    return len(paths) == len(addresses) and not any(map(_listens, map(str, paths)))


def change_accounts(options: argparse.Namespace, verb: Verb) -> int:
    """Do it on the database.

    Raises:
        BrokerError: ``resource.configuration`` where there is no database; ``user.illegalArgument`` for an account
            that there is not, or there is already.
    """
    given = vars(options)
    options.name = given.get("target") or given.get(f"{BODY}name")
    options.role = given.get(f"{BODY}role")
    options.assignments = []  # which these commands have before their name only
    match verb.name:
        case "accounts list":
            return _list(options)
        case "accounts add":
            user.add(options)
            if options.role is not None:
                user.role(options)
        case "accounts passwd":
            user.passwd(options)
        case "accounts role":
            user.role(options)
        case "accounts remove":
            if not options.yes:
                confirm(verb, options)
            user.remove(options)
    if options.json:
        say_json({"done": True})
    elif not options.quiet:
        advise("no broker runs: it was done in the database")
    return DONE


def _list(options: argparse.Namespace) -> int:
    for record in user.records(options):
        if options.json:
            say_json({"name": record.name, "role": record.role or user.NO_ROLE})
        else:
            say(record.name if options.quiet else f"{record.name}\t{record.role or user.NO_ROLE}", keep="\t")
    return DONE


def _listens(path: str) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as tried:
        tried.settimeout(PATIENCE)
        try:
            tried.connect(path)
        except OSError:
            return False
    return True
