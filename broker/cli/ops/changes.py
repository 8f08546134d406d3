"""Commands that change something: they ask first where something is lost, and wait until it is done."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.cli.exit_status import DONE, DONE_IN_PART, FAILED
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.objects import path_of
from broker.cli.ops.parameters import EXPECTED, SELECTIONS, body_of, query_of
from broker.cli.ops.problems import succeeded
from broker.cli.ops.tables import fields_of, is_terminal, write_fields, write_lines, write_table
from broker.cli.ops.values import readable
from broker.cli.ops.verb import Verb
from broker.cli.standard_input import ask_password, read_password
from broker.cli.terminal import advise, complain, say, say_json, show_progress
from broker.cli.transport import Administration, Reply
from broker.errors import BrokerError, Code

ACCEPTED, NO_CONTENT = 202, 204
POLL = 0.5
"""Seconds between two looks at an operation that takes long."""


def change(options: argparse.Namespace, verb: Verb) -> int:
    """Change it.

    Returns:
        7 where an operation left something undone.
    """
    described = installed_document().operation(verb.operation)
    path = path_of(verb.argument, options)
    body = body_of(options, dict(verb.fixed))
    if any(each.name in SELECTIONS and each.required and not body.get(each.name) for each in described.body):
        raise BrokerError(Code.USER_WRONG_API_USAGE, "say which: --all, or some of the other options")
    if verb.confirm[0]:
        body[verb.confirm[0]] = path[verb.confirm[1]]
    if verb.secret:
        body[verb.secret] = _secret(verb, options)
    administration = administration_of(options)
    seen = _look(administration, verb, path)
    if verb.rehearsed and not body.get("dryRun"):
        rehearsal = described.target(path, query_of(options))
        found = succeeded(administration.ask(described.method, rehearsal, {**body, "dryRun": True})).read_object()
        body[EXPECTED] = found.get("matched")
        seen = _Seen(f"it is for {readable('matched', found.get('matched'))} of them; ")
    if verb.loses and not (body.get("dryRun") or options.yes):
        confirm(verb, options, seen.text)
    sent = body if described.method != "DELETE" and (body or described.body) else None
    reply = succeeded(administration.ask(described.method, described.target(path, query_of(options)), sent, seen.match))
    return _tell(administration, reply, verb, options)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a change is for, as it was a moment before.

    Args:
        text: about it, for the question; empty for nothing.
        match: headers of the request, with which nothing is changed that has become another since.
    """

    text: str = ""
    match: Mapping[str, str] = field(default_factory=dict)


def _look(administration: Administration, verb: Verb, path: Mapping[str, str]) -> _Seen:
    if not verb.seen:
        return _Seen()
    described = installed_document().operation(verb.seen)
    row = succeeded(administration.ask(described.method, described.target(path, {}))).read_object()
    return _Seen(f"it has {readable('entries', row.get('entries'))} messages; ", {"If-Match": str(row["revision"])})


def confirm(verb: Verb, options: argparse.Namespace, seen: str = "") -> None:
    """Ask whether to go on with what destroys something.

    Args:
        verb: the command.
        options: of it.
        seen: what it is for, for the question.

    Raises:
        BrokerError: ``user.wrongApiUsage`` where the answer is no, or nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"{verb.loses}: give --yes, where nobody can be asked")
    target = getattr(options, "target", "")
    advise(f"broker {verb.name}{f' {target}' if target else ''}: {seen}{verb.loses}.")
    advise("Go on? Type yes: ")
    if sys.stdin.readline().strip() != "yes":
        raise BrokerError(Code.USER_WRONG_API_USAGE, "nothing was done")


def _secret(verb: Verb, options: argparse.Namespace) -> str:
    if options.password_stdin:
        return read_password()
    password = ask_password(f"New {verb.secret}: ")
    if ask_password("The same again: ") != password:
        raise BrokerError(Code.USER_WRONG_API_USAGE, "the two differ; nothing was done")
    return password


def _tell(administration: Administration, reply: Reply, verb: Verb, options: argparse.Namespace) -> int:
    if reply.status == NO_CONTENT or not reply.body:
        if not options.quiet:
            say("done")
        return DONE
    answer = reply.read_object()
    if reply.status == ACCEPTED and "id" in answer:
        return _follow(administration, answer, options)
    if options.json:
        say_json(answer)
    elif not options.quiet:
        if verb.prints:
            say(str(answer.get(verb.prints, "")), keep="\n\t")
        elif verb.columns:
            _write_rows(verb, answer)
        elif answer == {"done": True}:
            say("done")
        else:
            write_fields(fields_of(answer), answer)
    return DONE_IN_PART if answer.get("failed") else DONE


def _write_rows(verb: Verb, answer: dict[str, Any]) -> None:
    """Tell an answer that is a list and what is said of it."""
    rows = answer.pop(verb.rows, [])
    write_fields(fields_of(answer), answer)
    if is_terminal():
        write_table(verb.columns, rows)
    else:
        write_lines(verb.columns, rows)


def operation_target(id: str) -> str:
    """Where the API tells of an operation that takes long."""
    return installed_document().operation("getOperation").target({"id": id}, {})


def _follow(administration: Administration, operation: dict[str, Any], options: argparse.Namespace) -> int:
    """Wait for the end of an operation that takes long; Ctrl-C leaves it to itself."""
    target = operation_target(str(operation["id"]))
    try:
        while operation.get("state") == "running":
            total = operation.get("total")
            show_progress(f"{operation.get('done', 0):,}{f' of {total:,}' if total else ''}")
            time.sleep(POLL)
            operation = succeeded(administration.ask("GET", target)).read_object()
    except KeyboardInterrupt:
        complain(f"it goes on in the broker: broker operations show {operation['id']}")
        raise
    show_progress("")
    if options.json:
        say_json(operation)
    elif not options.quiet:
        write_fields(fields_of(operation), operation)
    if operation.get("state") == "failed":
        return FAILED
    return DONE if operation.get("state") == "done" else DONE_IN_PART
