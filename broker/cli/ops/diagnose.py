"""``broker diagnose``: what is wrong with a running broker, the worst first, and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from broker.cli.exit_status import DONE, FOUND_A_PROBLEM
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.output import write_output
from broker.cli.ops.problems import succeeded
from broker.cli.ops.values import readable
from broker.cli.ops.verb import Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import say, say_json
from broker.escape import escaped

HARMLESS = "notice"
"""Severity of what may be meant to be so."""


def diagnose(options: argparse.Namespace, verb: Verb) -> int:
    """Tell it, or write a bundle; exit status 6 where there is something to do."""
    if options.bundle is not None:
        return _bundle(options, verb)
    described = installed_document().operation(verb.operation)

    def once() -> int:
        answer = succeeded(administration_of(options).ask(described.method, described.target({}, {}))).read_object()
        findings: list[Mapping[str, Any]] = answer.get("findings") or []
        if options.json:
            say_json(answer)
        elif not options.quiet:
            for each in findings:
                _tell(each)
            if not findings:
                say("nothing is wrong")
        return FOUND_A_PROBLEM if any(each.get("severity") != HARMLESS for each in findings) else DONE

    return watched(options.watch, once)


def _bundle(options: argparse.Namespace, verb: Verb) -> int:
    (operation,) = verb.also
    described = installed_document().operation(operation)
    body = {"anonymise": bool(options.anonymise)}
    answer = succeeded(administration_of(options).ask(described.method, described.target({}, {}), body))
    write_output(options.bundle, answer.body)
    return DONE


def _tell(finding: Mapping[str, Any]) -> None:
    severity, code, title = (escaped(str(finding.get(name, ""))) for name in ("severity", "code", "title"))
    say(f"{severity.upper()} {code}: {title}")
    evidence = finding.get("evidence")
    if isinstance(evidence, Mapping) and evidence:
        say("  " + ", ".join(f"{escaped(str(name))}: {readable(name, value)}" for name, value in evidence.items()))
    if finding.get("whatToDo"):
        say(f"  What to do: {escaped(str(finding['whatToDo']))}")
