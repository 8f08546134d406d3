"""``/tail``: messages on their way through the broker, as they are seen."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from broker.admin.actions.change import ChangeDesk, note_reading
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.query import flag, one_of, whole_number
from broker.admin.instance import Instance
from broker.admin.roles import Right, Role
from broker.admin.tails import HEAD_BYTES, Selection, TailLimits, Tails
from broker.admin.views.connections import find_connection, session_of
from broker.admin.views.sessions import name_of
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.net.http.events import EVENT_TYPE
from broker.net.http.exchange import Answer, Call
from broker.net.http.problem import wrong_parameter
from broker.net.transport import Connection
from broker.xmpp.stream.connection import StreamConnection

SECONDS, MAX_SECONDS = 300, 900
MOST, MAX_MOST = 1000, 100_000
PER_SECOND, MAX_PER_SECOND = 100, 1000
BY = ("topic", "session", "subject", "connection")


class TailContent(StrEnum):
    """What of contents is told."""

    NONE = "none"
    HEAD = "head"


class TailFormat(StrEnum):
    """How sightings are told: as JSON, or as lines of checkpoints."""

    JSON = "json"
    CHECKPOINT = "checkpoint"


def tail_operations(tails: Tails, desk: ChangeDesk) -> list[Operation]:
    """The operation.

    Args:
        tails: all of them.
        desk: tells who looks on, and whether they still may; contents are written down there.
    """

    async def follow(call: Call) -> Answer:
        limits = TailLimits(
            whole_number(call, "seconds", SECONDS, 1, MAX_SECONDS),
            whole_number(call, "most", MOST, 1, MAX_MOST),
            whole_number(call, "perSecond", PER_SECOND, 1, MAX_PER_SECOND),
        )
        selection = _selection(call, desk.instance)
        if selection.content:
            if desk.gate.actor(call).role < Role.ADMINISTRATOR:
                raise BrokerError(Code.USER_NOT_AUTHORIZED, "contents are for the role administrator")
            (by,) = _given(call)
            await note_reading(desk, call, "tail.read", f"{by}/{call.query[by]}", f"{limits.seconds} s")
        return Answer(b"", EVENT_TYPE, stream=tails.open(desk.gate.principal(call), selection, limits))

    names = {"type": "string", "minLength": 1}
    return [
        Operation(
            "followMessages",
            "GET",
            f"{API}/tail",
            Right.MONITORING,
            follow,
            "Messages of a topic, a session, a login name or a connection on their way, by server-sent events; it ends"
            " by itself.",
            None,
            (
                *(Parameter(name, names) for name in BY),
                Parameter(
                    "points",
                    {"type": "string", "default": ",".join(Point), "description": "Comma list of where they are seen."},
                ),
                Parameter(
                    "content",
                    {
                        "type": "string",
                        "enum": list(TailContent),
                        "default": TailContent.NONE,
                        "description": f"head: the first {HEAD_BYTES} bytes; for administrators, and audited.",
                    },
                ),
                Parameter("format", {"type": "string", "enum": list(TailFormat), "default": TailFormat.JSON}),
                Parameter(
                    "stanzas",
                    {
                        "type": "boolean",
                        "default": False,
                        "description": "Stanzas in and out of a connection of XMPP, in the place of messages.",
                    },
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


def _given(call: Call) -> list[str]:
    return [name for name in BY if name in call.query]


def _selection(call: Call, instance: Instance) -> Selection:
    given = _given(call)
    if len(given) != 1 or not call.query[given[0]]:
        raise wrong_parameter("topic", f"one of {', '.join(BY)} says which messages")
    connection = _connection(call, instance) if given == ["connection"] else None
    stanzas: StreamConnection | None = None
    if flag(call, "stanzas"):
        if connection is None or not isinstance(connection.stream, StreamConnection):
            raise wrong_parameter("stanzas", "only a connection of an XMPP client has stanzas")
        stanzas = connection.stream
    return Selection(
        _nothing if stanzas is not None else _wanted(given[0], call.query[given[0]], connection),
        _points(call),
        content=one_of(call, "content", TailContent) is TailContent.HEAD,
        checkpoint=one_of(call, "format", TailFormat) is TailFormat.CHECKPOINT,
        stanzas=stanzas,
    )


def _connection(call: Call, instance: Instance) -> Connection:
    found = find_connection(instance, call.query["connection"])
    if found is None:
        raise BrokerError(Code.USER_OID_UNKNOWN, "there is no such connection")
    return found.connection


def _nothing(oid: str, sender: str, receiver: str) -> bool:
    return False


def _wanted(by: str, name: str, connection: Connection | None) -> Callable[[str, str, str], bool]:
    if connection is not None:
        session = session_of(connection)
        if session is None:
            raise wrong_parameter("connection", "nobody has logged in over it")
        by, name = "session", name_of(session)
    match by:
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
