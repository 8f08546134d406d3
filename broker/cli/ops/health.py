"""``broker health``: for people, and for probes, which look at the exit status."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from broker.cli.exit_status import DONE, FOUND_A_PROBLEM
from broker.cli.ops.address import administration_of
from broker.cli.ops.problems import ProblemError
from broker.cli.ops.verb import Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import say, say_json
from broker.cli.transport import PROBLEM_TYPE, Reply
from broker.escape import escaped

LIVE, READY, CHECKS = "live", "ready", "checks"
UNAVAILABLE = 503


def health(options: argparse.Namespace, verb: Verb) -> int:
    """Tell how the broker is; exit status 6 where it does not live, is not ready, or a part of it fails."""
    path = options.what if options.what in (LIVE, READY, CHECKS) else f"{CHECKS}/{quote(options.what, safe='')}"
    target = f"/health/{path}"
    if options.strict and options.what == READY:
        target += "?strict=true"

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
    elif "checks" in found or "name" in found:
        for each in found.get("checks") or [found]:
            status, name, detail = (escaped(str(each.get(part, ""))) for part in ("status", "name", "detail"))
            say(f"{status:<5} {name}{f': {detail}' if detail else ''}")
    else:
        say("ready" if reply.succeeded else "not ready")
        for reason in found.get("reasons") or ():
            say(f"  {reason.get('code')}: {reason.get('detail', '')}")
