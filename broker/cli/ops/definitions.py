"""``broker definitions``: what a broker has been made to be, into a file and out of one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from broker.cli.exit_status import DONE, FOUND_A_PROBLEM
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.output import write_output
from broker.cli.ops.parameters import query_of
from broker.cli.ops.problems import succeeded
from broker.cli.ops.tables import is_terminal, write_lines, write_table
from broker.cli.ops.verb import Verb
from broker.cli.terminal import advise, reason_of, say, say_json, write
from broker.errors import BrokerError, Code
from broker.model.json_object import object_or_none

STANDARD_INPUT = "-"
DRY_RUN = "dryRun"
UNCHANGED, DELETE, CONFLICT = "unchanged", "delete", "conflict"


def export(options: argparse.Namespace, verb: Verb) -> int:
    """Write the document, one object a line."""
    described = installed_document().operation(verb.operation)
    query = query_of(options) | ({} if options.json else {"pretty": "lines"})
    text = succeeded(administration_of(options).ask(described.method, described.target({}, query))).text
    if options.output is None:
        write(text if not is_terminal() else f"{text.rstrip()}\n")
        return DONE
    write_output(options.output, text.encode())
    return DONE


def import_(options: argparse.Namespace, verb: Verb) -> int:
    """Send a document, and tell what it changes.

    Returns:
        6 where a dry run finds conflicts.
    """
    described = installed_document().operation(verb.operation)
    body = _read(options.target) | ({} if options.reason is None else {"reason": options.reason})
    query = query_of(options) | {name: str(value) for name, value in verb.fixed}
    administration = administration_of(options)

    def ask(query: dict[str, str]) -> dict[str, Any]:
        return succeeded(administration.ask(described.method, described.target({}, query), body)).read_object()

    if query.get("mode") == "replace" and query.get(DRY_RUN) != "true" and not options.yes:
        _confirm(ask(query | {DRY_RUN: "true"}))
    return _tell(ask(query), verb, options)


def _read(name: str) -> dict[str, Any]:
    try:
        data = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        raise BrokerError(Code.RESOURCE_FILE_IO, reason_of(error)) from error
    found = object_or_none(data)
    if found is None:
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"{name} is no JSON object")
    return found


def _confirm(rehearsal: dict[str, Any]) -> None:
    deleted = rehearsal.get("counts", {}).get(DELETE, 0)
    if not deleted:
        return
    if not sys.stdin.isatty():
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"{deleted} objects are deleted: give --yes, or look by --dry-run")
    advise(f"{deleted} objects are deleted. Go on? Type yes: ")
    if sys.stdin.readline().strip() != "yes":
        raise BrokerError(Code.USER_WRONG_API_USAGE, "nothing was done")


def _tell(answer: dict[str, Any], verb: Verb, options: argparse.Namespace) -> int:
    changes = [each for each in answer.get("changes", []) if each.get("action") != UNCHANGED]
    if options.json:
        say_json(answer)
    elif not options.quiet:
        if is_terminal() and changes:
            write_table(verb.columns, changes)
        else:
            write_lines(verb.columns, changes)
        if is_terminal():
            counts = ", ".join(f"{count} {name}" for name, count in answer.get("counts", {}).items() if count)
            say(f"{counts or 'nothing'}; {'applied' if answer.get('applied') else 'not applied'}")
    return FOUND_A_PROBLEM if any(each.get("action") == CONFLICT for each in changes) else DONE
