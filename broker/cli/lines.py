"""``broker publish --lines``: every line is a message, published as it comes."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from broker.cli.terminal import complain, say, say_json, show_progress
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.client import Published, PublishOptions

MAX_IN_FLIGHT = 1000
"""Lines that are published and not acknowledged yet, before the next is read."""
PROGRESS_EVERY = 0.5


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


class Publisher(Protocol):
    """A client, as far as it publishes."""

    def publish_soon(self, oid: str, content: bytes | str, options: PublishOptions) -> Future[Published]:
        """Publish without waiting."""


class LinePublisher:
    """Publishes lines in order and knows which the broker has acknowledged.

    Args:
        client: that publishes.
        oid: the topic.
        options: of the messages.

    Attributes:
        count: lines that were published.
        acknowledged: of them.
        first: number of the first line that was not acknowledged, from 1 on; 0 for none.
        reason: why it was not.
    """

    def __init__(self, client: Publisher, oid: str, options: PublishOptions) -> None:
        self.count = 0
        self.acknowledged = 0
        self.first = 0
        self.reason: BrokerError | None = None
        self._client = client
        self._oid = oid
        self._options = options
        self._in_flight: deque[tuple[int, Future[Published]]] = deque()

    def publish(self, lines: Iterable[bytes]) -> None:
        """Publish lines until there are no more or one is not acknowledged, and wait for what is in flight.

        Raises:
            KeyboardInterrupt: the person or the system ended it; what is in flight counts as not acknowledged.
        """
        shown = time.monotonic()
        try:
            for line in lines:
                self.count += 1
                outcome = self._client.publish_soon(self._oid, line, self._options)
                self._in_flight.append((self.count, outcome))
                while self._in_flight and (len(self._in_flight) >= MAX_IN_FLIGHT or self._in_flight[0][1].done()):
                    self._take()
                if self.first:
                    break
                if time.monotonic() - shown > PROGRESS_EVERY:
                    shown = time.monotonic()
                    show_progress(f"{self.acknowledged} published")
            while self._in_flight:
                self._take()
        except KeyboardInterrupt:
            for number, outcome in self._in_flight:
                if outcome.done() and outcome.exception() is None:
                    self.acknowledged += 1
                else:
                    self.first = self.first or number
            raise

    def _take(self) -> None:
        number, outcome = self._in_flight[0]
        try:
            published = outcome.result()
        except BrokerError as error:
            self._missed(number, error)
        else:
            if published.state == "OK":
                self.acknowledged += 1
            else:
                self._missed(number, BrokerError(published.state, published.info))
        self._in_flight.popleft()

    def _missed(self, number: int, error: BrokerError) -> None:
        if not self.first:
            self.first, self.reason = number, error


def publish_lines(client: Publisher, options: argparse.Namespace, wanted: PublishOptions) -> int:
    """Publish the lines of a command's content, and say how many were acknowledged.

    Args:
        client: that publishes.
        options: of the command.
        wanted: of the messages.

    Returns:
        The exit status, 0 where all were.
    """
    publisher = LinePublisher(client, options.oid, wanted)
    status = 1
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        publisher.publish(lines_of(options))
    except Terminated:
        status = 128 + signal.SIGTERM
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGTERM, before)
    show_progress("")
    missing = publisher.count - publisher.acknowledged
    if options.json:
        counts = {"published": publisher.acknowledged, "unacknowledged": missing, "first": publisher.first or None}
        say_json(counts)
    else:
        say(f"{publisher.acknowledged} published")
    if missing:
        why = "the command was ended" if publisher.reason is None else publisher.reason.message
        complain(
            f"{missing} of {publisher.count} lines were not acknowledged by the broker, "
            f"the first of them is line {publisher.first}: {why}"
        )
    elif status == 1:
        return 0
    return status


def lines_of(options: argparse.Namespace) -> Iterator[bytes]:
    """The lines of a command's content, each as soon as it is there, without the line feed or CR LF at its end."""
    if options.file is not None:
        with options.file.open("rb") as file:
            yield from map(_without_end, file)
    elif options.content in (None, "-"):
        yield from map(_without_end, sys.stdin.buffer)
    else:
        yield from map(_without_end, io.BytesIO(os.fsencode(options.content)))


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r") if line.endswith(b"\n") else line


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
