"""Everybody who follows something by server-sent events: how many may, and until when each may (operations §1.17)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from broker.errors import BrokerError, Code
from broker.net.http.events import EventStream
from broker.timers import cancel

INTERVAL = 0.5
"""Seconds between two looks at whether those who follow still may."""
MAX_STREAMS = 50
MAX_STREAMS_OF_ONE = 10


class Kind(StrEnum):
    """What is followed."""

    ROWS = "rows"
    EVENTS = "events"
    TAIL = "tail"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who follows.

    Args:
        name: login name, or user of the Unix socket.
        is_permitted: asked again and again; where not, the stream ends.
    """

    name: str
    is_permitted: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Follower:
    principal: Principal
    kind: Kind
    refuse: Callable[[EventStream], None]
    ended: Callable[[EventStream], None]


class Followers:
    """All streams, whatever is followed by them.

    Args:
        clock: an ``IReactorTime``.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._followers: dict[EventStream, _Follower] = {}
        self._call: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._followers)

    def count(self, kind: Kind) -> int:
        """How many follow something of a kind."""
        return Counter(each.kind for each in self._followers.values())[kind]

    def open(
        self,
        principal: Principal,
        kind: Kind,
        ended: Callable[[EventStream], None],
        refuse: Callable[[EventStream], None] = EventStream.end,
    ) -> EventStream:
        """A stream.

        Args:
            principal: who follows.
            kind: what is followed.
            ended: called once, when it is over.
            refuse: ends it, where who follows may do so no more.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many, of all or of this principal.
        """
        own = sum(each.principal.name == principal.name for each in self._followers.values())
        if len(self._followers) >= MAX_STREAMS or own >= MAX_STREAMS_OF_ONE:
            raise BrokerError(
                Code.RESOURCE_EXHAUST, f"there are {MAX_STREAMS} streams at most, and {MAX_STREAMS_OF_ONE} of one user"
            )
        stream = EventStream(self._clock, self._ended)
        self._followers[stream] = _Follower(principal, kind, refuse, ended)
        if self._call is None:
            self._call = self._clock.callLater(INTERVAL, self._again)
        return stream

    def look(self) -> None:
        """End the streams of those who may follow no more."""
        for stream, follower in list(self._followers.items()):
            if not follower.principal.is_permitted():
                follower.refuse(stream)

    def stop(self) -> None:
        """End all of them."""
        for stream in list(self._followers):
            stream.end()

    def _again(self) -> None:
        self._call = self._clock.callLater(INTERVAL, self._again)
        self.look()

    def _ended(self, stream: EventStream) -> None:
        follower = self._followers.pop(stream)
        if not self._followers:
            cancel(self._call)
            self._call = None
        follower.ended(stream)
