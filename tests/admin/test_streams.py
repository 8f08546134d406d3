"""Rows that change, followed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.internet.task import Clock

from broker.admin.followers import MAX_STREAMS, MAX_STREAMS_OF_ONE, Followers, Kind, Principal
from broker.admin.streams import INTERVAL, MAX_RECENT, Rows, Streams, Subject
from broker.errors import BrokerError, Code
from broker.net.http.events import EventStream


@dataclass
class Output:
    """What a stream is written to."""

    text: str = ""
    finished: bool = False

    def write(self, data: bytes) -> None:
        self.text += data.decode()

    def finish(self) -> None:
        self.finished = True

    def registerProducer(self, producer: Any, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...

    def frames(self) -> list[dict[str, str]]:
        """Fields of what came."""
        frames = [
            dict(line.split(": ", 1) for line in each.splitlines() if ": " in line) for each in self.text.split("\n\n")
        ]
        return [each for each in frames if "event" in each]

    def events(self) -> list[tuple[str, Any]]:
        """Types and data of what came."""
        return [(each["event"], json.loads(each["data"])) for each in self.frames()]


@dataclass
class Watched:
    """Streams of rows that a test sets."""

    rows: dict[str, bytes] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    permitted: bool = True
    looks: int = 0

    def __post_init__(self) -> None:
        self.followers = Followers(self.clock)
        self.streams = Streams(self.clock, self.followers)

    async def read(self) -> Rows:
        self.looks += 1
        return dict(self.rows)

    def follow(self, principal: str = "joe", last: str | None = None) -> tuple[EventStream, Output]:
        output = Output()
        subject = Subject("rows", "row", self.read)
        stream = self.streams.open(Principal(principal, lambda: self.permitted), [subject], last)
        stream.begin(output)
        self.clock.advance(0)
        return stream, output

    def pass_second(self) -> None:
        self.clock.advance(INTERVAL)


def test_all_rows_are_told_at_once_and_then_those_that_changed() -> None:
    watched = Watched({"a": b"1", "b": b"2"})
    _, output = watched.follow()
    assert output.events() == [("row", 1), ("row", 2)]

    watched.rows["b"] = b"3"
    watched.pass_second()
    watched.pass_second()

    assert output.events()[2:] == [("row", 3)]


def test_row_that_is_gone_is_told_so() -> None:
    watched = Watched({"a": b"1"})
    _, output = watched.follow()

    watched.rows.clear()
    watched.pass_second()

    assert output.events()[1:] == [("gone", {"event": "row", "key": "a"})]


def test_rows_are_read_once_for_all_who_follow_the_same() -> None:
    watched = Watched({"a": b"1"})
    for number in range(5):
        watched.follow(f"user{number}")
    before = watched.looks

    watched.pass_second()

    assert watched.looks == before + 1


def test_nothing_is_read_when_nobody_follows() -> None:
    watched = Watched({"a": b"1"})
    stream, output = watched.follow()
    stream.end()
    before = watched.looks

    watched.pass_second()

    assert output.finished
    assert watched.looks == before
    assert not watched.clock.getDelayedCalls()


def test_stream_of_who_may_look_no_more_ends_within_a_second() -> None:
    watched = Watched({"a": b"1"})
    _, output = watched.follow()

    watched.permitted = False
    watched.rows["a"] = b"2"
    watched.pass_second()

    assert output.finished
    assert output.events() == [("row", 1)]


@pytest.mark.parametrize("last", ["77-1", "", "nonsense", "1-99", "1--1"])
def test_who_comes_back_with_an_unknown_id_is_told_to_forget_what_they_know(last: str) -> None:
    _, output = Watched({"a": b"1"}).follow(last=last)
    assert output.events() == [("reset", {}), ("row", 1)]


def test_who_comes_back_is_told_what_has_changed_meanwhile() -> None:
    watched = Watched({"a": b"1", "b": b"2"})
    stream, output = watched.follow()
    stream.lost()

    watched.rows = {"b": b"3"}
    _, again = watched.follow(last=output.frames()[-1]["id"])

    assert again.events() == [("row", 3), ("gone", {"event": "row", "key": "a"})]


def test_who_comes_back_gets_again_what_did_not_arrive() -> None:
    watched = Watched({"a": b"1", "b": b"2"})
    stream, output = watched.follow()
    stream.lost()

    _, again = watched.follow(last=output.frames()[0]["id"])

    assert again.events() == [("row", 2)]


def test_who_comes_back_twice_without_news_is_not_told_anything_again() -> None:
    watched = Watched({"a": b"1"})
    last = watched.follow()[1].frames()[-1]["id"]
    for stream in list(watched.streams._followers):
        stream.lost()
    for _ in range(2):
        stream, again = watched.follow(last=last)
        assert again.events() == []
        stream.lost()


def test_who_missed_more_than_is_remembered_gets_everything_anew() -> None:
    watched = Watched({str(number): b"1" for number in range(MAX_RECENT + 2)})
    stream, output = watched.follow()
    stream.lost()

    _, again = watched.follow(last=output.frames()[0]["id"])

    assert again.events()[0] == ("reset", {})


def test_stream_of_somebody_else_is_not_gone_on_with() -> None:
    watched = Watched({"a": b"1"})
    stream, output = watched.follow()
    stream.lost()

    _, again = watched.follow("ann", last=output.frames()[-1]["id"])

    assert again.events()[0] == ("reset", {})


def test_there_are_ten_streams_of_one_user_and_fifty_in_all() -> None:
    watched = Watched()
    first, *_ = [watched.follow("joe")[0] for _ in range(MAX_STREAMS_OF_ONE)]
    with pytest.raises(BrokerError) as refused:
        watched.follow("joe")
    assert refused.value.code == Code.RESOURCE_EXHAUST
    first.end()
    watched.follow("joe")

    for number in range(MAX_STREAMS - MAX_STREAMS_OF_ONE):
        watched.follow(f"user{number}")
    with pytest.raises(BrokerError):
        watched.follow("late")


def test_all_streams_end_when_administration_stops() -> None:
    watched = Watched({"a": b"1"})
    outputs = [watched.follow()[1] for _ in range(3)]

    watched.followers.stop()

    assert all(each.finished for each in outputs)
    assert not len(watched.followers)
    assert not watched.clock.getDelayedCalls()


def test_whatever_is_followed_counts_for_the_same_limit() -> None:
    followers = Followers(Clock())
    for number in range(MAX_STREAMS_OF_ONE):
        followers.open(Principal("joe", lambda: True), list(Kind)[number % len(Kind)], lambda stream: None)
    assert followers.count(Kind.TAIL) == MAX_STREAMS_OF_ONE // len(Kind)
    with pytest.raises(BrokerError, match="10 of one user"):
        followers.open(Principal("joe", lambda: True), Kind.EVENTS, lambda stream: None)
