"""Rows that change, followed by those who look at them: read once a second for all, and sent where they differ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code
from broker.net.http.events import EventStream
from broker.timers import cancel

log = Logger()

INTERVAL = 1.0
"""Seconds between two looks."""
MAX_STREAMS = 50
MAX_STREAMS_OF_ONE = 10

Rows = Mapping[str, bytes]
"""JSON of rows, by their keys."""
Read = Callable[[], Awaitable[Rows]]


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be followed.

    Args:
        name: as it was asked for; whoever asks for the same is told the same.
        event: type of its events.
        read: the rows now.
    """

    name: str
    event: str
    read: Read


def check_number(followers: Sequence[str], principal: str, what: str) -> None:
    """Refuse one stream more than are allowed.

    Args:
        followers: the principals of those that there are.
        principal: who would follow.
        what: the streams are, for people.

    Raises:
        BrokerError: ``resource.exhaust`` where there are too many, of all or of this principal.
    """
    if len(followers) >= MAX_STREAMS or followers.count(principal) >= MAX_STREAMS_OF_ONE:
        raise BrokerError(
            Code.RESOURCE_EXHAUST, f"there are {MAX_STREAMS} {what} at most, and {MAX_STREAMS_OF_ONE} of one user"
        )


@dataclass(slots=True)
class _Follower:
    principal: str
    subjects: Sequence[Subject]
    is_permitted: Callable[[], bool]
    told: dict[str, Rows] = field(default_factory=dict)


class Streams:
    """All streams of rows. It looks as long as somebody follows.

    Args:
        clock: an ``IReactorTime``.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._followers: dict[EventStream, _Follower] = {}
        self._call: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._followers)

    def open(
        self, principal: str, subjects: Sequence[Subject], is_permitted: Callable[[], bool], *, resumed: bool = False
    ) -> EventStream:
        """A stream.

        Args:
            principal: who follows.
            subjects: what.
            is_permitted: asked before each look; where not, the stream ends.
            resumed: the client had one before. It is told to forget what it knows, and then everything.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many.
        """
        check_number([each.principal for each in self._followers.values()], principal, "streams")
        stream = EventStream(self._clock, self._ended)
        self._followers[stream] = _Follower(principal, subjects, is_permitted)
        if resumed:
            stream.tell("reset", b"{}")
        if self._looking is None:
            cancel(self._call)
            self._call = self._clock.callLater(0, self._look)
        return stream

    def stop(self) -> None:
        """End all of them."""
        for stream in list(self._followers):
            stream.end()

    def _ended(self, stream: EventStream) -> None:
        self._followers.pop(stream, None)
        if not self._followers:
            cancel(self._call)
            self._call = None
            looking, self._looking = self._looking, None
            if looking is not None:
                looking.cancel()

    def _look(self) -> None:
        self._call = None
        for stream, follower in list(self._followers.items()):
            if not follower.is_permitted():
                stream.end()
        if not self._followers:
            return
        looking = self._looking = Deferred.fromCoroutine(self._tell_all())
        looking.addErrback(self._failed)
        looking.addCallback(self._looked, looking)

    async def _tell_all(self) -> None:
        wanted = {subject.name: subject for each in self._followers.values() for subject in each.subjects}
        rows = {name: await subject.read() for name, subject in wanted.items()}
        for stream, follower in list(self._followers.items()):
            for subject in follower.subjects:
                if subject.name in rows:
                    _tell(stream, subject, follower.told.get(subject.name, {}), rows[subject.name])
                    follower.told[subject.name] = rows[subject.name]

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("rows that somebody follows cannot be told", failure)

    def _looked(self, _: None, looking: Deferred[None]) -> None:
        if self._looking is looking:  # else nobody follows any more
            self._looking = None
            self._call = self._clock.callLater(INTERVAL, self._look)


def _tell(stream: EventStream, subject: Subject, before: Rows, now: Rows) -> None:
    for key, row in now.items():
        if before.get(key) != row:
            stream.tell(subject.event, row, key)
    for key in before:
        if key not in now:
            stream.tell("gone", msgspec.json.encode({"event": subject.event, "key": key}), key)
