"""``/stream``: what is looked at, as it changes, by server-sent events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from broker.admin.api.gate import Gate
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.instance import Instance
from broker.admin.listing import Collection, Wanted, make_page
from broker.admin.roles import Right
from broker.admin.streams import Read, Rows, Streams, Subject
from broker.admin.views.overview import Overview
from broker.admin.views.queues import queues
from broker.admin.views.sessions import sessions
from broker.admin.why import Why
from broker.core.node import Node
from broker.net.http.events import EVENT_TYPE
from broker.net.http.exchange import Answer, Call
from broker.net.http.problem import wrong_parameter
from broker.runlevels.levels import RUNNING

T = TypeVar("T")

ROWS = 100
"""Of a list that are followed."""
TOP = 20
"""The longest queues."""


def stream_operations(
    instance: Instance, streams: Streams, tell_overview: Callable[[int], Overview], why: Why, gate: Gate
) -> list[Operation]:
    """The operation.

    Args:
        instance: the broker.
        streams: all of them.
        tell_overview: makes the overview, of a time in milliseconds since 1970.
        why: queues wait.
        gate: tells who follows, and whether they still may.
    """

    def node() -> Node:
        return instance.broker.node

    async def overview() -> Rows:
        return {"": msgspec.json.encode(tell_overview(int(time.time() * 1000)))}

    def rows(collection: Collection[T], wanted: Wanted[T]) -> Read:
        async def read() -> Rows:
            if instance.run_levels.level < RUNNING:
                return {}
            page = await make_page(collection, wanted, instance.reactor, str)
            keys = msgspec.json.decode(msgspec.json.encode(page.items))  # rows have different fields for their ids
            return {_key(row): msgspec.json.encode(row) for row in keys}

        return read

    def subject_of(text: str) -> Subject:
        kind, _, rest = text.partition(":")
        if text == "overview":
            return Subject(text, "overview", overview)
        if text == "queues:top":
            return Subject(text, "queue", rows(queues(node, why), Wanted(TOP, "entries", descending=True)))
        if kind == "sessions" and rest:
            collection = sessions(lambda: instance.broker, why)
            try:
                predicate = collection.filters["subject"].read(rest)
            except ValueError as error:
                raise wrong_parameter("what", str(error)) from error
            return Subject(text, "session", rows(collection, Wanted(ROWS, "name", predicates=[predicate])))
        raise wrong_parameter("what", "it is a comma list of overview, queues:top, and sessions:PATTERN of login names")

    async def follow(call: Call) -> Answer:
        subjects = [subject_of(each) for each in dict.fromkeys(call.query.get("what", "overview").split(","))]
        stream = streams.open(gate.principal(call), subjects, call.headers.get("last-event-id"))
        return Answer(b"", EVENT_TYPE, stream=stream)

    return [
        Operation(
            "followStream",
            "GET",
            f"{API}/stream",
            Right.MONITORING,
            follow,
            "What is looked at, as it changes, by server-sent events.",
            None,
            (
                Parameter(
                    "what",
                    {
                        "type": "string",
                        "default": "overview",
                        "description": "Comma list of overview, queues:top (the 20 longest queues) and"
                        " sessions:PATTERN (100 sessions of login names, with * at the beginning or the end).",
                    },
                ),
            ),
            any_level=True,
            media_type=EVENT_TYPE,
        )
    ]


def _key(row: dict[str, str]) -> str:
    return row.get("id") or row.get("name") or f"{row.get('relating')}/{row.get('owner')}"
