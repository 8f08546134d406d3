"""Many conversations at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bench.drive.loop import Conversation, Link, Loop, Script

T = TypeVar("T")
_CLIENTS_OF_ADDRESS = 2000


@dataclass(slots=True)
class Crowd(Generic[T]):
    """Clients that each play a script.

    Args:
        members: connection and value of each, in the order in which they ended.
        times: seconds from the beginning of each script to its end.
        seconds: that all took.
        since: seconds from the beginning of the first to the end of each.
    """

    members: list[tuple[Link, T]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    since: list[float] = field(default_factory=list)
    seconds: float = 0.0


def gather(
    loop: Loop,
    count: int,
    at_once: int,
    begin: Callable[[int], tuple[Link, Script[T]]],
    settle: Callable[[Link, T], None],
) -> Crowd[T]:
    """Have many clients play a script.

    Args:
        loop: of the connections.
        count: of clients.
        at_once: scripts that are played at a time.
        begin: connects one by its number and gives its script.
        settle: is given who has ended, and says by ``on_data`` who reads further.
    """
    crowd: Crowd[T] = Crowd()
    first = time.perf_counter()
    started = 0

    def start(number: int) -> None:
        began = time.perf_counter()
        link, script = begin(number)

        def ended(value: T) -> None:
            now = time.perf_counter()
            settle(link, value)
            crowd.members.append((link, value))
            crowd.times.append(now - began)
            crowd.since.append(now - first)

        Conversation(link, script, ended)

    def done() -> bool:
        nonlocal started
        while started < count and started - len(crowd.members) < at_once:
            start(started)
            started += 1
        return len(crowd.members) == count

    loop.run(done)
    crowd.seconds = time.perf_counter() - first
    return crowd


def source(number: int) -> str:
    """A client's own address; one has ports for so many connections only."""
    return f"127.0.1.{number // _CLIENTS_OF_ADDRESS % 250 + 1}"
