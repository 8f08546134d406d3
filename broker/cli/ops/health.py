"""``broker health``: for people, and for probes, which look at the exit status."""

from __future__ import annotations

import argparse

from broker.cli.exit_status import DONE, FOUND_A_PROBLEM
from broker.cli.ops.address import administration_of
from broker.cli.ops.problems import ProblemError
from broker.cli.ops.verbs import Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import say, say_json
from broker.cli.transport import PROBLEM_TYPE, Reply
from broker.errors import BrokerError, Code

LIVE, READY = "live", "ready"
UNAVAILABLE = 503


def health(options: argparse.Namespace, verb: Verb) -> int:
    """Tell how the broker is; exit status 6 where it does not live, or is not ready."""
    if options.what not in (LIVE, READY):
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"there is no '{options.what}'; it is {LIVE} or {READY}")
    target = f"/health/{options.what}" + ("?strict=true" if options.strict and options.what == READY else "")

    def once() -> int:
        reply = administration_of(options).ask("GET", target)
        if reply.media_type == PROBLEM_TYPE or not (reply.succeeded or reply.status == UNAVAILABLE):
            raise ProblemError(reply)
        _write(reply, options)
        return DONE if reply.succeeded else FOUND_A_PROBLEM

    return watched(options.watch, once)


def _write(reply: Reply, options: argparse.Namespace) -> None:
    found = reply.read_object()
    if options.quiet:
        return
    if options.json:
        say_json(found)
    elif options.what == LIVE:
        say(f"{found.get('status')}, {found.get('phase')}")
    else:
        say("ready" if reply.succeeded else "not ready")
        for reason in found.get("reasons") or ():
            say(f"  {reason.get('code')}: {reason.get('detail', '')}")
