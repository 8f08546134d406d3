"""Many conversations at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bench.drive.loop import Conversation, Link, Loop, Script

T = TypeVar("T")
_CLIENTS_OF_ADDRESS = 2000
_MOST_RETRIES = 0.1
"""Of the clients; where there are more, the server does not serve them."""


@dataclass(slots=True)
class Crowd(Generic[T]):
    """Clients that each play a script.

    Args:
        members: connection and value of each, in the order in which they ended.
        times: seconds from the beginning of each script to its end.
        retries: connections that the server closed before the end of the script, and that were made again.
        seconds: that all took.
        since: seconds from the beginning of the first to the end of each.
    """

    members: list[tuple[Link, T]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    since: list[float] = field(default_factory=list)
    retries: int = 0
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

    def start(number: int, began: float) -> None:
        link, script = begin(number)

        def ended(value: T) -> None:
            now = time.perf_counter()
            link.on_lost = complain
            settle(link, value)
            crowd.members.append((link, value))
            crowd.times.append(now - began)
            crowd.since.append(now - first)

        def again() -> None:
            crowd.retries += 1
            if crowd.retries > count * _MOST_RETRIES:
                complain()
            link.close()
            start(number, began)

        complain, link.on_lost = link.on_lost, again
        Conversation(link, script, ended)

    def done() -> bool:
        nonlocal started
        while started < count and started - len(crowd.members) < at_once:
            start(started, time.perf_counter())
            started += 1
        return len(crowd.members) == count

    loop.run(done)
    crowd.seconds = time.perf_counter() - first
    return crowd


def source(number: int) -> str:
    """A client's own address; one has ports for so many connections only."""
    return f"127.0.1.{number // _CLIENTS_OF_ADDRESS % 250 + 1}"
