"""Rows that change, followed by those who look at them: read once a second for all, and sent where they differ."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.admin.followers import Followers, Kind, Principal
from broker.model.number import whole_or_none
from broker.net.http.events import EventStream
from broker.timers import cancel

log = Logger()

INTERVAL = 1.0
"""Seconds between two looks."""
MAX_RECENT = 1000
"""Frames of one stream that a client which comes back may have missed; for more it gets everything anew."""
MAX_LEFT = 50
"""Streams that were left, and whose clients may come back."""

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


@dataclass(slots=True)
class _Follower:
    """A stream, and what its client knows.

    Args:
        id: begins the ids of its frames.
        principal: name of who follows.
        subjects: what.
        told: the rows that were sent, by subject.
        number: of the last frame.
        recent: number, subject and key of the last frames.
    """

    id: str
    principal: str
    subjects: Sequence[Subject]
    told: dict[str, dict[str, bytes]] = field(default_factory=dict)
    number: int = 0
    recent: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=MAX_RECENT))

    @property
    def names(self) -> list[str]:
        """Names of what is followed."""
        return [each.name for each in self.subjects]

    def forget_since(self, number: int) -> bool:
        """Have sent again what was sent after a frame, as it is by then.

        Returns:
            Whether that is known.
        """
        oldest = self.recent[0][0] if self.recent else self.number + 1
        if not oldest - 1 <= number <= self.number:
            return False
        for sent, subject, key in self.recent:
            if sent > number:
                self.told.setdefault(subject, {})[key] = b""  # which no row is, so it is sent, or told to be gone
        return True

    def tell(self, stream: EventStream, subject: Subject, now: Rows) -> None:
        """Send the rows that differ from what the client knows."""
        before = self.told.get(subject.name, {})
        for key, row in now.items():
            if before.get(key) != row:
                self._send(stream, subject, subject.event, row, key)
        for key in before:
            if key not in now:
                gone = msgspec.json.encode({"event": subject.event, "key": key})
                self._send(stream, subject, "gone", gone, key)
        self.told[subject.name] = dict(now)

    def _send(self, stream: EventStream, subject: Subject, event: str, data: bytes, key: str) -> None:
        self.number += 1
        self.recent.append((self.number, subject.name, key))
        stream.tell(event, data, key, id=f"{self.id}-{self.number}")


class Streams:
    """All streams of rows. It looks as long as somebody follows.

    Args:
        clock: an ``IReactorTime``.
        followers: all who follow something.
    """

    def __init__(self, clock: Any, followers: Followers) -> None:
        self._clock = clock
        self._all = followers
        self._followers: dict[EventStream, _Follower] = {}
        self._left: OrderedDict[str, _Follower] = OrderedDict()
        self._number = 0
        self._call: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None

    def open(self, principal: Principal, subjects: Sequence[Subject], last: str | None = None) -> EventStream:
        """A stream.

        Args:
            principal: who follows.
            subjects: what.
            last: id of the last frame that the client got of a stream before; ``None`` where it had none. It gets what
                has changed since; where that is not known, it is told to forget what it knows, and then everything.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many.
        """
        stream = self._all.open(principal, Kind.ROWS, self._ended)
        self._number += 1
        follower = _Follower(str(self._number), principal.name, subjects)
        known = None if last is None else self._known(last, follower)
        if last is not None and known is None:
            stream.tell("reset", b"{}")
        self._followers[stream] = known or follower
        if self._looking is None:
            cancel(self._call)
            self._call = self._clock.callLater(0, self._look)
        return stream

    def _known(self, last: str, follower: _Follower) -> _Follower | None:
        """The stream that a client comes back to, where it follows the same; what it may have missed is forgotten."""
        id, _, text = last.partition("-")
        number, left = whole_or_none(text, 0), self._left.get(id)
        if number is None or left is None or (left.principal, left.names) != (follower.principal, follower.names):
            return None
        del self._left[id]
        return left if left.forget_since(number) else None

    def _ended(self, stream: EventStream) -> None:
        follower = self._followers.pop(stream, None)
        if follower is not None:
            self._left[follower.id] = follower
            if len(self._left) > MAX_LEFT:
                self._left.popitem(last=False)
        if not self._followers:
            cancel(self._call)
            self._call = None
            looking, self._looking = self._looking, None
            if looking is not None:
                looking.cancel()

    def _look(self) -> None:
        self._call = None
        self._all.look()
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
                    follower.tell(stream, subject, rows[subject.name])

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("rows that somebody follows cannot be told", failure)

    def _looked(self, _: None, looking: Deferred[None]) -> None:
        if self._looking is looking:  # else nobody follows any more
            self._looking = None
            self._call = self._clock.callLater(INTERVAL, self._look)
