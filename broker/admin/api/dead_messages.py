"""Operations that read dead messages."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus

import msgspec

from broker.admin.actions.change import ChangeDesk, note_reading
from broker.admin.api.entries import CONTENT_BYTES, MAX_CONTENT_BYTES, MAX_PAGE_BYTES, MAX_SCANNED, EntriesInfo
from broker.admin.api.gate import Gate
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.paging import CURSOR, MAX_ROWS, limit_parameter, read_limit
from broker.admin.api.query import whole_number
from broker.admin.dead_search import DEAD_FILTERS, FIELDS, DeadField, newest_first
from broker.admin.disk_reads import DiskReads
from broker.admin.instance import Instance
from broker.admin.listing import Predicate
from broker.admin.moment import moment
from broker.admin.roles import Right, Role
from broker.admin.views.dead_messages import Dead, DeadRow, dead_row
from broker.core.dead_messages import DeadMessage
from broker.errors import Code
from broker.model.key import DEAD_MESSAGE_OID
from broker.model.number import whole_or_none
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused, wrong_parameter
from broker.net.http.routes import Cost

MAX_COUNTED = 100_000
"""Dead messages that are looked at to count them."""
FILTERS = tuple(Parameter(name, each.schema) for name, each in DEAD_FILTERS.items())
CONTENT = Parameter(
    "contentBytes", {"type": "integer", "minimum": 0, "maximum": MAX_CONTENT_BYTES, "default": CONTENT_BYTES}
)


class DeadPage(msgspec.Struct, frozen=True, rename="camel"):
    """Dead messages, the newest first.

    Args:
        items: rows.
        page: about them.
        as_of: when they were made.
    """

    items: list[msgspec.Struct]
    page: EntriesInfo
    as_of: str


class DeadGroupRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Dead messages that have something in common.

    Args:
        count: of them.
        reason_group: of all of them; absent unless they are counted by it, as the others.
        receiver: likewise.
        oid: likewise.
    """

    count: int
    reason_group: str | None = None
    receiver: str | None = None
    oid: str | None = None


class DeadCount(msgspec.Struct, frozen=True, rename="camel"):
    """How many dead messages there are.

    Args:
        total: of them.
        groups: the largest first.
        complete: all were looked at.
        as_of: when they were counted.
    """

    total: int
    groups: list[DeadGroupRow]
    complete: bool
    as_of: str


def dead_operations(instance: Instance, gate: Gate, reads: DiskReads) -> list[Operation]:
    """The operations.

    Args:
        instance: the broker.
        gate: tells who asks.
        reads: limits how often the history is read from disk.
    """
    desk = ChangeDesk(instance, gate)

    def begin() -> None:
        topic = instance.broker.node.topics.get(DEAD_MESSAGE_OID)
        if topic is not None and any(part.entries is None for part in topic.history.parts()):
            reads.take()

    def content_bytes(call: Call) -> int | None:
        given = whole_number(call, CONTENT.name, CONTENT_BYTES, 0, MAX_CONTENT_BYTES)
        return given if gate.actor(call).role >= Role.OPERATOR else None

    async def note(call: Call, target: str, most: int | None) -> None:
        if most:
            await note_reading(desk, call, "deadMessage.read", target)

    async def list_dead(call: Call) -> Answer:
        limit, most = read_limit(call), content_bytes(call)
        predicates, before = _predicates(call), _before(call)
        begin()
        items: list[msgspec.Struct] = []
        scanned = size = 0
        last: Dead | None = None
        async for dead, matches in newest_first(instance.broker, predicates, before):
            if len(items) >= limit or scanned >= MAX_SCANNED or size >= MAX_PAGE_BYTES:
                break
            scanned, last = scanned + 1, dead
            if matches:
                items.append(dead_row(dead, most))
                size += min(most or 0, len(dead.message.content)) if isinstance(dead, DeadMessage) else 0
        else:
            last = None
        await note(call, f"{len(items)} messages", most if items else None)
        info = EntriesInfo(scanned, None if last is None else str(last.id))
        return json(DeadPage(items, info, moment(instance.broker.node.now())))

    async def get_dead(call: Call) -> Answer:
        id, most = whole_or_none(call.parameters["id"], 0), content_bytes(call)
        begin()
        if id is not None:
            async for dead, _ in newest_first(instance.broker, (), id + 1):
                if dead.id != id:
                    break
                await note(call, str(id), most)
                return json(dead_row(dead, most))
        raise no_dead_message(call.parameters["id"])

    async def count_dead(call: Call) -> Answer:
        fields, predicates = _fields(call), _predicates(call)
        begin()
        counts: Counter[tuple[str, ...]] = Counter()
        scanned = 0
        async for dead, matches in newest_first(instance.broker, predicates):
            scanned += 1
            if scanned > MAX_COUNTED:
                break
            if matches:
                counts[tuple(FIELDS[field](dead) for field in fields)] += 1
        groups = [_group(fields, values, count) for values, count in counts.most_common(MAX_ROWS) if fields]
        asked_at = moment(instance.broker.node.now())
        return json(DeadCount(counts.total(), groups, scanned <= MAX_COUNTED, asked_at))

    return [
        Operation(
            "listDeadMessages",
            "GET",
            f"{API}/dead-messages",
            Right.MONITORING,
            list_dead,
            "Dead messages, the newest first; contents for operators.",
            DeadPage,
            (
                limit_parameter(),
                CURSOR,
                CONTENT,
                *FILTERS,
            ),
            DeadRow,
            Cost.STORE,
        ),
        Operation(
            "countDeadMessages",
            "GET",
            f"{API}/dead-messages/count",
            Right.MONITORING,
            count_dead,
            "The number of dead messages, in groups.",
            DeadCount,
            (
                Parameter(
                    "groupBy",
                    {"type": "string", "description": f"One or more of {', '.join(DeadField)}, with commas between."},
                ),
                *FILTERS,
            ),
            cost=Cost.STORE,
        ),
        Operation(
            "getDeadMessage",
            "GET",
            f"{API}/dead-messages/{{id}}",
            Right.MONITORING,
            get_dead,
            "One dead message.",
            DeadRow,
            (CONTENT,),
            cost=Cost.STORE,
        ),
    ]


def no_dead_message(id: str) -> Refused:
    """The error for a dead message that there is not."""
    return Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, f"there is no dead message {id[:200]}")


def _predicates(call: Call) -> list[Predicate[Dead]]:
    found: list[Predicate[Dead]] = []
    for name, text in call.query.items():
        if name in DEAD_FILTERS:
            try:
                found.append(DEAD_FILTERS[name].read(text))
            except ValueError as error:
                raise wrong_parameter(name, str(error)) from error
    return found


def _before(call: Call) -> int | None:
    text = call.query.get("cursor")
    if text is None:
        return None
    before = whole_or_none(text, 0)
    if before is None:
        raise wrong_parameter("cursor", "it is no cursor")
    return before


def _fields(call: Call) -> list[DeadField]:
    names = [name for name in call.query.get("groupBy", "").split(",") if name]
    try:
        return [DeadField(name) for name in dict.fromkeys(names)]
    except ValueError:
        raise wrong_parameter("groupBy", f"it is one or more of {', '.join(DeadField)}") from None


def _group(fields: list[DeadField], values: tuple[str, ...], count: int) -> DeadGroupRow:
    given = dict(zip(fields, values, strict=True))
    reason, receiver = given.get(DeadField.REASON_GROUP), given.get(DeadField.RECEIVER)
    return DeadGroupRow(count, reason, receiver, given.get(DeadField.OID))
