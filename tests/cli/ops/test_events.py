"""``broker events``."""

from __future__ import annotations

import json

import pytest

from broker.cli.transport import Reply
from tests.cli.ops.desk import CommandDesk


def listed(*numbers: int) -> Reply:
    rows = [
        {"id": str(number), "at": "2026-11-30T03:12:07.114Z", "type": f"client/a\x1b{number}", "fields": {"by": "x y"}}
        for number in numbers
    ]
    return Reply(200, "application/json", {}, json.dumps({"items": rows, "dropped": 0}).encode())


def test_last_events_are_told_the_newest_at_the_end(desk: CommandDesk) -> None:
    desk.canned.append(listed(11, 9))
    assert desk.run("events", "--type", "client/*") == (
        0,
        "2026-11-30 03:12:07 client/a\\x1b9 by=x y\n2026-11-30 03:12:07 client/a\\x1b11 by=x y\n",
    )
    assert desk.asked[0][1] == "/api/v1/events?type=client%2F%2A&limit=20"


def test_who_follows_is_told_each_event_once_until_an_interruption(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("broker.cli.ops.events.time.sleep", sleep)
    desk.canned += [listed(7), listed(), listed(9, 8), listed()]
    status, output = desk.run("events", "--follow", "--json")
    assert (status, [json.loads(line)["id"] for line in output.splitlines()]) == (0, ["7", "8", "9"])
    assert ["after=7" in target for _, target, _ in desk.asked[1:3]] == [True, True]
    assert "after=9" in desk.asked[3][1]


def test_events_of_a_broker_are_told(desk: CommandDesk) -> None:
    assert desk.run("events", "--limit", "5")[0] == 0
