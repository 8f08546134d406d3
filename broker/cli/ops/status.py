"""``broker status``: the broker at a glance."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from broker.cli.exit_status import DONE
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.problems import succeeded
from broker.cli.ops.tables import is_terminal
from broker.cli.ops.values import bytes_text, readable, seconds_text, some, value_at
from broker.cli.ops.verb import Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import say, say_json, write
from broker.escape import escaped

GREEN, RED, YELLOW, BOLD, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
WIDTH = 13
"""Columns of the first words."""

Overview = Mapping[str, Any]


def status(options: argparse.Namespace, verb: Verb) -> int:
    """Tell how the broker is."""
    described = installed_document().operation(verb.operation)

    def once() -> int:
        found = succeeded(administration_of(options).ask(described.method, described.target({}, {}))).read_object()
        if options.json:
            say_json(found)
            return DONE
        if options.quiet:
            return DONE
        for name, text in status_lines(found):
            if is_terminal():
                write(f"{BOLD}{name:<{WIDTH}}{PLAIN}{_coloured(name, text, found)}\n")
            else:
                say(f"{name}\t{text}", keep="\t")
        return DONE

    return watched(options.watch, once)


def status_lines(found: Overview) -> Iterator[tuple[str, str]]:
    """What there is to tell of an overview: a word, and what belongs to it, without control characters.

    Args:
        found: as the API has it.
    """
    level, up = value_at(found, "runLevel.name"), found.get("uptimeSeconds")
    parts = [
        "ready" if found.get("ready") else "not ready",
        f"run level {value_at(found, 'runLevel.level')} ({level})",
        *([] if up is None else [f"up {seconds_text(up)}"]),
        f"version {found.get('version')}",
    ]
    yield "broker", escaped(f"{found.get('node')}: {', '.join(parts)}")
    for alarm in found.get("alarms") or ():
        yield "alarm", escaped(f"{alarm.get('severity')} {alarm.get('code')}: {alarm.get('detail', '')}")
    if found.get("messages"):
        yield "messages", _messages(found["messages"])
    for relating, sums in (found.get("queues") or {}).items():
        messages = some(sums["entries"], "message", "messages")
        waiting = f"{messages}, {bytes_text(sums['bytes'])}, in {some(sums['count'], 'queue', 'queues')}"
        on_disk = f", {sums['onDisk']:,} on disk only" if sums.get("onDisk") else ""
        yield escaped(relating), f"{waiting}{on_disk}"
    if "sessions" in found:
        yield "sessions", _sessions(found["sessions"])
    connections = found["connections"]
    limits = ", ".join(f"{each['name']} {each['used']:,} of {each['most']:,}" for each in found.get("limits", ()))
    strangers = f", {connections['notLoggedIn']:,} not logged in" if connections.get("notLoggedIn") else ""
    yield "connections", escaped(f"{connections['open']:,} open{strangers}{f' ({limits})' if limits else ''}")
    if "topics" in found:
        numbers = (("topics", "topic"), ("subscriptions", "subscription"), ("subjects", "login name"))
        yield "topics", ", ".join(some(found[name], word, f"{word}s") for name, word in numbers)
    if found.get("store"):
        yield "store", _store(found["store"])
    yield "process", f"{bytes_text(value_at(found, 'process.residentBytes') or 0)} of memory"
    for each in found.get("certificates") or ():
        yield "certificate", escaped(f"{each['listener']}, until {readable('notAfter', each['notAfter'])}")


def _messages(sums: Overview) -> str:
    def rate(name: str) -> str:
        found = sums.get(name)
        return "" if found is None else f" ({found:,.1f}/s)"

    return (
        f"{sums['published']:,} published{rate('publishedPerSecond')}, {sums['delivered']:,}"
        f" delivered{rate('deliveredPerSecond')}, {sums['dead']:,} dead"
    )


def _sessions(sessions: Overview) -> str:
    kinds = (
        f"{kind} " + " and ".join(f"{count:,} {state}" for state, count in states.items() if count)
        for kind, states in sessions.items()
        if any(states.values())
    )
    return escaped("; ".join(kinds)) or "none"


def _store(store: Overview) -> str:
    failing = store.get("failingSeconds")
    parts = [f"nothing is committed for {seconds_text(failing or 0)}" if store["failing"] else "works"]
    if store.get("backlogBytes"):
        parts.append(f"{bytes_text(store['backlogBytes'])} wait for their commit")
    for name, word in (("databaseBytes", "database"), ("walBytes", "its log"), ("freeDiskBytes", "free on disk")):
        if store.get(name) is not None:
            parts.append(f"{word} {bytes_text(store[name])}")
    return ", ".join(parts)


def _coloured(name: str, text: str, found: Overview) -> str:
    if name == "broker":
        return f"{GREEN if found.get('ready') else RED}{text}{PLAIN}"
    if name == "alarm":
        return f"{YELLOW}{text}{PLAIN}"
    if name == "store" and found["store"]["failing"]:
        return f"{RED}{text}{PLAIN}"
    return text
