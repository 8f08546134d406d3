"""``broker queues why``."""

from __future__ import annotations

import json

from broker.cli.transport import Reply
from tests.cli.ops.desk import CommandDesk

WAITING = [
    {
        "code": "receiverAway",
        "detail": "connection lost",
        "whatToDo": "wait for it",
        "since": "2026-11-30T03:12:07.114Z",
    },
    {"code": "loginBlocked", "detail": "logins are blocked", "whatToDo": "unblock joe"},
]


def queue(entries: int, waiting: object = ()) -> Reply:
    row = {"relating": "callback", "owner": "joe~1", "entries": entries, "waiting": waiting}
    return Reply(200, "application/json", {}, json.dumps(row).encode())


def test_reasons_are_told_in_their_order_with_what_to_do(desk: CommandDesk) -> None:
    desk.canned.append(queue(12, WAITING))
    assert desk.run("queues", "why", "callback/joe~1") == (
        0,
        "callback/joe~1: 12 waiting\n"
        "1. receiverAway since 2026-11-30 03:12:07: connection lost\n"
        "   What to do: wait for it\n"
        "2. loginBlocked: logins are blocked\n"
        "   What to do: unblock joe\n",
    )


def test_json_is_a_reason_a_line(desk: CommandDesk) -> None:
    desk.canned.append(queue(12, WAITING))
    _, output = desk.run("queues", "why", "callback/joe~1", "--json")
    assert [json.loads(line) for line in output.splitlines()] == WAITING


def test_queue_in_which_nothing_waits_says_so(desk: CommandDesk) -> None:
    desk.world.client("joe")
    assert desk.run("sessions", "why", "joe/-1") == (0, "joe/-1: nothing waits\n")
