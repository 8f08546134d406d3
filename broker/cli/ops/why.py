"""``broker queues why``, ``sessions why``: what holds the first message of a queue now, and what to do about it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from broker.cli.exit_status import DONE
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.objects import path_of
from broker.cli.ops.problems import succeeded
from broker.cli.ops.values import readable, value_at
from broker.cli.ops.verb import Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import say, say_json
from broker.escape import escaped


def why(options: argparse.Namespace, verb: Verb) -> int:
    """Tell why a queue waits."""
    described = installed_document().operation(verb.operation)
    target = described.target(path_of(verb.argument, options), {})

    def once() -> int:
        found = succeeded(administration_of(options).ask(described.method, target)).read_object()
        waiting = found.get("waiting") or []
        if options.json:
            for each in waiting:
                say_json(each)
            return DONE
        if options.quiet:
            return DONE
        for line in why_lines(str(options.target), found):
            say(line)
        return DONE

    return watched(options.watch, once)


def why_lines(name: str, row: Mapping[str, Any]) -> Iterator[str]:
    """The reasons for people, the decisive one first.

    Args:
        name: of the queue or session.
        row: of it, as the API has it.
    """
    entries = row["entries"] if "entries" in row else value_at(row, "queue.entries")
    if not entries:
        yield f"{escaped(name)}: nothing waits"
        return
    waiting = row.get("waiting") or []
    yield f"{escaped(name)}: {readable('entries', entries)} waiting{'' if waiting else ', and nothing holds them'}"
    for number, each in enumerate(waiting, start=1):
        since = each.get("since")
        begun = f" since {readable('since', since)}" if since else ""
        yield f"{number}. {escaped(str(each.get('code')))}{begun}: {escaped(str(each.get('detail')))}"
        yield f"   What to do: {escaped(str(each.get('whatToDo')))}"
