"""``broker tail``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from broker.cli.ops.tail import frames
from tests.cli.ops.desk import CommandDesk

STREAM = """\
retry: 2000

: a comment
id: 1
event: message
data: {"at":"2026-11-30T03:12:07.114Z","point":"publish.enter","topic":"a\\u001bb"}

data: no JSON

id: 2
event: end
data: {"reason":"time","told":1}

""".splitlines()


def test_frames_are_told_apart() -> None:
    assert [(kind, sorted(data)) for kind, data in frames(STREAM)] == [
        ("message", ["at", "point", "topic"]),
        ("end", ["reason", "told"]),
    ]


@pytest.fixture
def followed(desk: CommandDesk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    targets: list[str] = []

    def follow(target: str) -> Iterator[str]:
        targets.append(target)
        return iter(STREAM)

    monkeypatch.setattr(desk, "follow", follow, raising=False)
    return targets


def test_messages_are_a_line_each_and_the_end_is_told(
    desk: CommandDesk, followed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.run("tail", "--topic", "a b", "--seconds", "5") == (
        0,
        "2026-11-30 03:12:07 publish.enter topic=a\\x1bb\n",
    )
    assert followed == ["/api/v1/tail?topic=a+b&seconds=5"]
    assert capsys.readouterr().err == "broker: end: reason=time told=1\n"


def test_json_is_a_frame_a_line(desk: CommandDesk, followed: list[str]) -> None:
    _, output = desk.run("tail", "--topic", "a", "--json")
    assert [json.loads(line)["event"] for line in output.splitlines()] == ["message", "end"]


def test_lines_of_checkpoints_are_told_as_they_are() -> None:
    line = "<cp>update.send</cp> <topicId>news</topicId>"
    found = list(frames(["event: checkpoint", f"data: {line}", ""]))
    assert found == [("checkpoint", {"line": line})]
