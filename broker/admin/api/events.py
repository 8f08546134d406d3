"""``/events``: what has happened lately."""

from __future__ import annotations

import msgspec

from broker.admin.api.gate import Gate
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.paging import limit_parameter, read_limit
from broker.admin.api.query import flag, whole_number
from broker.admin.event_followers import EventFollowers
from broker.admin.event_log import KEPT, EventLog, Kept
from broker.admin.filtering import by_pattern
from broker.admin.listing import Predicate
from broker.admin.moment import moment
from broker.admin.roles import Right
from broker.model.number import whole_or_none
from broker.net.http.events import EVENT_TYPE
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import wrong_parameter


class EventRow(msgspec.Struct, frozen=True):
    """Something that has happened.

    Args:
        id: ascending since the broker started.
        at: when.
        type: what, and of whom: ``client/joe/session/1/event/connect``.
        fields: what else is known of it.
    """

    id: str
    at: str
    type: str
    fields: dict[str, str | int | float | bool]


class EventList(msgspec.Struct, frozen=True):
    """The answer of ``/events``.

    Args:
        items: the newest first.
        dropped: events that were not kept because there were too many of their kind.
    """

    items: list[EventRow]
    dropped: int


def row_of(kept: Kept) -> EventRow:
    """The row of an event."""
    event = kept.event
    return EventRow(str(kept.number), moment(event.at), event.type, dict(event.fields))


def _type_of(kept: Kept) -> str:
    return kept.event.type


def write_event(kept: Kept) -> bytes:
    """The row of an event, as one line."""
    return msgspec.json.encode(row_of(kept))


def event_operations(event_log: EventLog, followers: EventFollowers, gate: Gate) -> list[Operation]:
    """The operation.

    Args:
        event_log: the last events.
        followers: those who follow them.
        gate: tells who follows, and whether they still may.
    """
    pattern = by_pattern(_type_of)

    async def tell(call: Call) -> Answer:
        limit = read_limit(call)
        after = whole_number(call, "after", 0, 0, 2**53)
        try:
            wanted = pattern.read(call.query.get("type", "*"))
        except ValueError as error:
            raise wrong_parameter("type", str(error)) from error
        if flag(call, "follow"):
            return _follow(call, wanted, after if "after" in call.query else None)
        found = [kept for kept in event_log.newest() if kept.number > after and wanted(kept)]
        return json(EventList([row_of(each) for each in found[:limit]], event_log.dropped))

    def _follow(call: Call, wanted: Predicate[Kept], after: int | None) -> Answer:
        last = whole_or_none(call.headers.get("last-event-id", ""))
        stream = followers.open(gate.principal(call), wanted, after if last is None else last)
        return Answer(b"", EVENT_TYPE, stream=stream)

    return [
        Operation(
            "listEvents",
            "GET",
            f"{API}/events",
            Right.MONITORING,
            tell,
            f"The last {KEPT} events, the newest first; or with follow those that come, by server-sent events.",
            EventList,
            (
                Parameter("type", pattern.schema),
                Parameter("after", {"type": "integer", "minimum": 0, "default": 0, "description": "id of an event."}),
                Parameter("follow", {"type": "boolean", "default": False}),
                limit_parameter(),
            ),
            any_level=True,
            streams=True,
        )
    ]
