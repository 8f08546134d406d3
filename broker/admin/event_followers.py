"""Those who follow events as they come, by server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from broker.admin.event_log import EventLog, Kept
from broker.admin.streams import INTERVAL, check_number
from broker.net.http.events import EventStream
from broker.timers import cancel


@dataclass(frozen=True, slots=True)
class _Follower:
    principal: str
    wanted: Callable[[Kept], bool]
    is_permitted: Callable[[], bool]


class EventFollowers:
    """All streams of events.

    Args:
        event_log: has the events.
        clock: an ``IReactorTime``.
        write: makes the line of an event.
    """

    def __init__(self, event_log: EventLog, clock: Any, write: Callable[[Kept], bytes]) -> None:
        self._event_log = event_log
        self._clock = clock
        self._write = write
        self._followers: dict[EventStream, _Follower] = {}
        self._call: IDelayedCall | None = None
        event_log.on_event.append(self._tell_all)

    def __len__(self) -> int:
        return len(self._followers)

    def open(
        self, principal: str, wanted: Callable[[Kept], bool], is_permitted: Callable[[], bool], after: int | None
    ) -> EventStream:
        """A stream.

        Args:
            principal: who follows.
            wanted: which events.
            is_permitted: asked once a second; where not, the stream ends.
            after: number of the last event that the client has; ``None`` where it has none and wants new ones only. It
                gets what came since, after ``reset`` where something of that is not kept any more.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many.
        """
        check_number([each.principal for each in self._followers.values()], principal, "streams of events")
        stream = EventStream(self._clock, self._ended)
        if after is not None:
            kept = self._event_log.newest()
            if kept and not kept[-1].number - 1 <= after <= kept[0].number:
                stream.tell("reset", b"{}")
                after = 0
            for each in reversed(kept):
                if each.number > after and wanted(each):
                    self._tell(stream, each)
        self._followers[stream] = _Follower(principal, wanted, is_permitted)
        if self._call is None:
            self._call = self._clock.callLater(INTERVAL, self._look)
        return stream

    def stop(self) -> None:
        """End all of them."""
        for stream in list(self._followers):
            stream.end()

    def _tell_all(self, kept: Kept) -> None:
        for stream, follower in list(self._followers.items()):
            if follower.wanted(kept):
                self._tell(stream, kept)

    def _tell(self, stream: EventStream, kept: Kept) -> None:
        stream.tell("event", self._write(kept), id=str(kept.number))

    def _look(self) -> None:
        self._call = self._clock.callLater(INTERVAL, self._look)
        for stream, follower in list(self._followers.items()):
            if not follower.is_permitted():
                stream.end()

    def _ended(self, stream: EventStream) -> None:
        self._followers.pop(stream, None)
        if not self._followers:
            cancel(self._call)
            self._call = None
