"""``broker events``: what has happened, and with ``--follow`` what happens."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from broker.cli.exit_status import DONE
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.parameters import query_of
from broker.cli.ops.problems import succeeded
from broker.cli.ops.tail import frames
from broker.cli.ops.values import exact, readable
from broker.cli.ops.verb import Verb
from broker.cli.terminal import complain, say, say_json
from broker.cli.transport import Administration
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none

SHOWN = 20
"""Events of the past that are told unless more are asked for."""
ABOUT_THE_STREAM = ("reset", "skipped")
"""Types of frames that are no events."""

Event = Mapping[str, Any]


def events(options: argparse.Namespace, verb: Verb) -> int:
    """Tell the last events, the oldest first, so that what comes next is at the end."""
    administration, query = administration_of(options), query_of(options)
    found = _ask(administration, verb, {**query, "limit": str(options.limit or SHOWN)})
    _tell(found, options)
    if not options.follow:
        return DONE
    last = max((_number(each) for each in found), default=0)
    described = installed_document().operation(verb.operation)
    after = {"after": str(last)} if last else {}
    target = described.target({}, {**query, "follow": "true", **after})
    try:
        for kind, event in frames(administration.follow(target)):
            if kind in ABOUT_THE_STREAM:
                complain(f"{kind}: some events are missing, or told again")
            else:
                _tell([event], options)
    except KeyboardInterrupt:
        return DONE
    raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the broker has ended the stream")


def _ask(administration: Administration, verb: Verb, query: Mapping[str, str]) -> Sequence[Event]:
    described = installed_document().operation(verb.operation)
    items = succeeded(administration.ask(described.method, described.target({}, query))).read_object().get("items")
    if not isinstance(items, list):
        raise BrokerError(Code.COMMUNICATION, "the answer is no list of events")
    return sorted(items, key=_number)


def _number(event: Event) -> int:
    return whole_or_none(str(event.get("id", ""))) or 0


def _tell(found: Sequence[Event], options: argparse.Namespace) -> None:
    for each in found:
        if options.json:
            say_json(each)
        else:
            fields = " ".join(f"{exact(name)}={exact(value)}" for name, value in (each.get("fields") or {}).items())
            line = f"{readable('at', each.get('at'))} {exact(each.get('type'))}"
            say(f"{line} {fields}" if fields else line)
