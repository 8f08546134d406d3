"""``broker tail``: messages of a topic, a session or a login name on their way, as they go."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from broker.cli.exit_status import DONE
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.parameters import query_of
from broker.cli.ops.values import exact, readable
from broker.cli.ops.verb import Verb
from broker.cli.terminal import complain, say, say_json
from broker.model.json_object import object_or_none

END, SKIPPED = "end", "skipped"
"""Types of frames that tell of the stream itself."""
CHECKPOINT = "checkpoint"
"""Type of frames that are a line (spec xmlblaster §16.8), and no JSON."""
LINE = "line"
FIRST = ("at", "point")
"""Fields that a line begins with."""


def tail(options: argparse.Namespace, verb: Verb) -> int:
    """Tell them until the time is over, or Ctrl-C."""
    described = installed_document().operation(verb.operation)
    target = described.target({}, query_of(options))
    try:
        for kind, data in frames(administration_of(options).follow(target)):
            if options.json:
                say_json({"event": kind, **data})
            elif kind == CHECKPOINT:
                say(exact(data[LINE]))
            elif kind in (END, SKIPPED):
                complain(f"{kind}: {_fields(data)}")
            else:
                first = " ".join(readable(name, data[name]) for name in FIRST if name in data)
                say(f"{first} {_fields({name: each for name, each in data.items() if name not in FIRST})}".strip())
    except KeyboardInterrupt:
        pass
    return DONE


def frames(lines: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Type and data of the frames of server-sent events (HTML §9.2.6) whose data are JSON objects, or checkpoints.

    Args:
        lines: of the stream, without their ends.
    """
    kind, data = "message", ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            found = {LINE: data} if kind == CHECKPOINT else object_or_none(data.encode()) if data else None
            if found is not None:
                yield kind, found
            kind, data = "message", ""
        elif name == "event":
            kind = value
        elif name == "data":
            data += value


def _fields(data: Mapping[str, Any]) -> str:
    return " ".join(f"{exact(name)}={exact(value)}" for name, value in data.items())
