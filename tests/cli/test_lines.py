"""``broker publish --lines`` on a client that acknowledges when the test says so."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from broker.cli import lines
from broker.cli.lines import LinePublisher, publish_lines
from broker.client import Published, PublishOptions
from broker.errors import BrokerError, Code

OPTIONS = PublishOptions()
LOST = BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the broker is away")


class Client:
    """Acknowledges the first ``served`` lines, refuses the next, and answers no other."""

    def __init__(self, served: int, *, answers_all: bool = False) -> None:
        self.published: list[bytes] = []
        self._served = served
        self._answers_all = answers_all

    def publish_soon(self, oid: str, content: bytes | str, options: PublishOptions) -> Future[Published]:
        assert isinstance(content, bytes)
        self.published.append(content)
        outcome: Future[Published] = Future()
        if len(self.published) <= self._served:
            outcome.set_result(Published(oid, 1))
        elif self._answers_all or len(self.published) == self._served + 1:
            outcome.set_exception(LOST)
        return outcome


def command(content: str, *, json: bool = False) -> argparse.Namespace:
    return argparse.Namespace(oid="a", file=None, content=content, json=json)


def test_lines_that_are_all_acknowledged_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert publish_lines(Client(3), command("1\n2\n3"), OPTIONS) == 0
    assert capsys.readouterr() == ("3 published\n", "")


def test_lines_that_are_not_acknowledged_are_counted_and_the_first_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert publish_lines(Client(2, answers_all=True), command("1\n2\n3\n4\n5"), OPTIONS) == 1
    out, err = capsys.readouterr()
    assert out == "2 published\n"
    assert "1 of 3 lines were not acknowledged by the broker, the first of them is line 3: the broker is away" in err


def test_program_is_told_as_json_what_is_not_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    assert publish_lines(Client(0), command("1", json=True), OPTIONS) == 1
    assert json.loads(capsys.readouterr().out) == {"published": 0, "unacknowledged": 1, "first": 1}


def test_every_line_is_published_before_the_next_one_is_there() -> None:
    client = Client(3)

    def typed() -> Iterator[bytes]:
        for number in range(3):
            assert len(client.published) == number
            yield b"%d" % number

    publisher = LinePublisher(client, "a", OPTIONS)
    publisher.publish(typed())
    assert publisher.acknowledged == 3


def test_lines_in_flight_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_IN_FLIGHT", 2)
    waiting: list[Future[Published]] = []

    class Slow(Client):
        def publish_soon(self, oid: str, content: bytes | str, options: PublishOptions) -> Future[Published]:
            assert sum(not each.done() for each in waiting) < 2
            waiting.append(Slowly())
            return waiting[-1]

    class Slowly(Future[Published]):
        """Is acknowledged as soon as somebody waits for it."""

        def result(self, timeout: float | None = None) -> Published:
            self.set_result(Published("a", 1))
            return super().result()

    publisher = LinePublisher(Slow(0), "a", OPTIONS)
    publisher.publish([b"x"] * 10)
    assert (publisher.count, publisher.acknowledged) == (10, 10)


@pytest.mark.parametrize(("end", "status"), [(KeyboardInterrupt, 130), (lines.Terminated, 143)])
def test_a_command_that_is_ended_says_what_is_not_acknowledged(
    end: type[BaseException], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def typed(_options: argparse.Namespace) -> Iterator[bytes]:
        yield b"1"
        yield b"2"
        raise end

    class Silent(Client):
        def publish_soon(self, oid: str, content: bytes | str, options: PublishOptions) -> Future[Published]:
            return super().publish_soon(oid, content, options) if content == b"1" else Future()

    monkeypatch.setattr(lines, "lines_of", typed)
    assert publish_lines(Silent(1), command("-"), OPTIONS) == status
    out, err = capsys.readouterr()
    assert out == "1 published\n"
    assert "1 of 2 lines were not acknowledged by the broker, the first of them is line 2" in err


def test_bytes_that_are_not_utf8_are_published_as_they_were_typed() -> None:
    client = Client(1)
    publish_lines(client, command("\udcff\udcfe"), OPTIONS)
    assert client.published == [b"\xff\xfe"]


def test_lines_of_standard_input_lose_their_ends_only(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(9)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\r\n\n \xff b\r\r\nc\rd\r")))
    publish_lines(client, command("-"), OPTIONS)
    assert client.published == [b"a", b"", b" \xff b\r", b"c\rd\r"]


def test_lines_that_were_typed_are_those_of_standard_input() -> None:
    client = Client(9)
    publish_lines(client, command("a\rb\r\nc\n\nd"), OPTIONS)
    assert client.published == [b"a\rb", b"c", b"", b"d"]
