"""``broker api``: any request to the API."""

from __future__ import annotations

import argparse
import json
import sys

from broker.cli.exit_status import DONE
from broker.cli.ops.address import administration_of
from broker.cli.ops.problems import exit_status_of
from broker.cli.ops.verb import Verb
from broker.cli.terminal import say
from broker.errors import BrokerError, Code
from broker.model.json_object import object_or_none

API = "/api/v1"
OUTSIDE = ("/api/", "/health/", "/metrics")
"""Paths to which that of the API is not added."""


def api(options: argparse.Namespace, verb: Verb) -> int:
    """Send a request, and print the answer as it comes, also one that says why it was refused."""
    path = options.path if options.path.startswith("/") else f"/{options.path}"
    if not path.isascii() or any(each <= " " for each in path):
        raise BrokerError(
            Code.USER_WRONG_API_USAGE, f"'{path}' is no path: percent-encode what is no ASCII, and spaces"
        )
    target = path if path.startswith(OUTSIDE) else f"{API}{path}"
    reply = administration_of(options).ask(options.method, target, _body(options.body))
    if reply.body:
        say(_readable(reply.text.rstrip("\n")), keep="\n")
    return DONE if reply.succeeded else exit_status_of(reply.status)


def _body(text: str | None) -> object:
    if text is None:
        return None
    found = object_or_none(sys.stdin.buffer.read() if text == "-" else text.encode())
    if found is None:
        raise BrokerError(Code.USER_WRONG_API_USAGE, "the body is no JSON object")
    return found


def _readable(text: str) -> str:
    """JSON with a member a line at a terminal, else as it is."""
    if sys.stdout.isatty():
        found = object_or_none(text.encode())
        if found is not None:
            return json.dumps(found, indent=2, ensure_ascii=False)
    return text
