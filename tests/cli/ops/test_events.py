"""``broker events``."""

from __future__ import annotations

import json
from collections.abc import Iterator

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


def frame(number: int, kind: str = "event") -> list[str]:
    """The lines of a server-sent event."""
    (row,) = json.loads(listed(number).body)["items"]
    return [f"id: {number}", f"event: {kind}", f"data: {json.dumps(row)}", ""]


def test_who_follows_is_told_each_event_as_it_comes_until_an_interruption(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    targets: list[str] = []

    def follow(target: str) -> Iterator[str]:
        targets.append(target)
        yield from [*frame(8), *frame(9), "event: skipped", 'data: {"count":3}', ""]
        raise KeyboardInterrupt

    monkeypatch.setattr(desk, "follow", follow, raising=False)
    desk.canned.append(listed(7))
    status, output = desk.run("events", "--follow", "--json", "--type", "client/*")
    assert (status, [json.loads(line)["id"] for line in output.splitlines()]) == (0, ["7", "8", "9"])
    assert targets == ["/api/v1/events?type=client%2F%2A&follow=true&after=7"]
    assert "skipped" in capsys.readouterr().err


def test_who_follows_is_told_that_the_broker_has_ended_the_stream(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "follow", lambda target: iter(frame(8)), raising=False)
    desk.canned.append(listed(7))
    assert desk.run("events", "--follow")[0] == 3


def test_events_of_a_broker_are_told(desk: CommandDesk) -> None:
    assert desk.run("events", "--limit", "5")[0] == 0
