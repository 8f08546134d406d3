"""Those who follow events as they come, by server-sent events."""

from __future__ import annotations

from collections.abc import Callable

from broker.admin.event_log import EventLog, Kept
from broker.admin.followers import Followers, Kind, Principal
from broker.net.http.events import EventStream


class EventFollowers:
    """All streams of events.

    Args:
        event_log: has the events.
        followers: all who follow something.
        write: makes the line of an event.
    """

    def __init__(self, event_log: EventLog, followers: Followers, write: Callable[[Kept], bytes]) -> None:
        self._event_log = event_log
        self._followers = followers
        self._write = write
        self._wanted: dict[EventStream, Callable[[Kept], bool]] = {}
        event_log.on_event.append(self._tell_all)

    def open(self, principal: Principal, wanted: Callable[[Kept], bool], after: int | None) -> EventStream:
        """A stream.

        Args:
            principal: who follows.
            wanted: which events.
            after: number of the last event that the client has; ``None`` where it has none and wants new ones only. It
                gets what came since, after ``reset`` where something of that is not kept any more.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many.
        """
        stream = self._followers.open(principal, Kind.EVENTS, self._ended)
        if after is not None:
            kept = self._event_log.newest()
            if kept and not kept[-1].number - 1 <= after <= kept[0].number:
                stream.tell("reset", b"{}")
                after = 0
            for each in reversed(kept):
                if each.number > after and wanted(each):
                    self._tell(stream, each)
        self._wanted[stream] = wanted
        return stream

    def _tell_all(self, kept: Kept) -> None:
        for stream, wanted in list(self._wanted.items()):
            if wanted(kept):
                self._tell(stream, kept)

    def _tell(self, stream: EventStream, kept: Kept) -> None:
        stream.tell("event", self._write(kept), id=str(kept.number))

    def _ended(self, stream: EventStream) -> None:
        self._wanted.pop(stream, None)
