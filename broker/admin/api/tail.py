"""``/tail``: messages on their way through the broker, as they are seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from broker.admin.api.gate import AUTOMATIC_HEADER, Gate
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.query import whole_number
from broker.admin.roles import Right, Role
from broker.admin.tails import TailLimits, Tails
from broker.core.trace import Point
from broker.net.http.events import EVENT_TYPE
from broker.net.http.exchange import Answer, Call
from broker.net.http.problem import wrong_parameter

SECONDS, MAX_SECONDS = 300, 900
MOST, MAX_MOST = 1000, 100_000
PER_SECOND, MAX_PER_SECOND = 100, 1000
BY = ("topic", "session", "subject")


def tail_operations(tails: Tails, gate: Gate) -> list[Operation]:
    """The operation.

    Args:
        tails: all of them.
        gate: tells who looks on, and whether they still may.
    """

    async def follow(call: Call) -> Answer:
        limits = TailLimits(
            whole_number(call, "seconds", SECONDS, 1, MAX_SECONDS),
            whole_number(call, "most", MOST, 1, MAX_MOST),
            whole_number(call, "perSecond", PER_SECOND, 1, MAX_PER_SECOND),
        )
        later = replace(call, headers={**call.headers, AUTOMATIC_HEADER: "1"})  # looking on is no sign of a person

        def is_permitted() -> bool:
            return gate.actor(later).role >= Role.MONITORING

        return Answer(b"", EVENT_TYPE, stream=tails.open(_wanted(call), _points(call), limits, is_permitted))

    names = {"type": "string", "minLength": 1}
    return [
        Operation(
            "followMessages",
            "GET",
            f"{API}/tail",
            Right.MONITORING,
            follow,
            "Messages of a topic, a session or a login name on their way, by server-sent events; it ends by itself.",
            None,
            (
                *(Parameter(name, names) for name in BY),
                Parameter(
                    "points",
                    {"type": "string", "default": ",".join(Point), "description": "Comma list of where they are seen."},
                ),
                Parameter("seconds", {"type": "integer", "minimum": 1, "maximum": MAX_SECONDS, "default": SECONDS}),
                Parameter("most", {"type": "integer", "minimum": 1, "maximum": MAX_MOST, "default": MOST}),
                Parameter(
                    "perSecond", {"type": "integer", "minimum": 1, "maximum": MAX_PER_SECOND, "default": PER_SECOND}
                ),
            ),
            media_type=EVENT_TYPE,
        )
    ]


def _wanted(call: Call) -> Callable[[str, str, str], bool]:
    given = [name for name in BY if call.query.get(name)]
    if len(given) != 1:
        raise wrong_parameter("topic", f"one of {', '.join(BY)} says which messages")
    name = call.query[given[0]]
    match given[0]:
        case "topic":
            return lambda oid, sender, receiver: oid == name
        case "session":
            return lambda oid, sender, receiver: name in (sender, receiver)
    return lambda oid, sender, receiver: name in (sender.partition("/")[0], receiver.partition("/")[0])


def _points(call: Call) -> frozenset[Point]:
    text = call.query.get("points", "")
    try:
        return frozenset(Point(each) for each in text.split(",")) if text else frozenset(Point)
    except ValueError:
        raise wrong_parameter("points", f"a comma list of {', '.join(Point)}") from None
