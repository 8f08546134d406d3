"""Events that are chosen, on their way into sinks: bursts are cut, and what a sink itself causes stays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from broker.admin.bursts import Bursts
from broker.admin.sinks.details import details_of
from broker.admin.sinks.event_types import EventTypes, type_of_heartbeat
from broker.admin.sinks.outlet import Outlet, Sink
from broker.core.events import Event
from broker.core.node import Node
from broker.timers import cancel

_OWN_LOG = "broker.admin.sinks."
_LOGGING = "logging/"


class EventSinks:
    """Gives events to sinks, as long as it listens.

    Args:
        id: of the plugin, which its heartbeats bear.
        node: whose events they are.
        clock: an ``IReactorTime``.
        types: the events that are wanted.
        sinks: that get each of them.
        oids: topics that the sinks publish on.
        delay: seconds after a sink has worked in which what names it or its topic counts as its doing.
        shown: show its heartbeats, and queues that reach its marks, among the last events, too.
    """

    def __init__(
        self,
        id: str,
        node: Node,
        clock: Any,
        types: EventTypes,
        sinks: Sequence[Sink],
        oids: Sequence[str] = (),
        delay: float = 1.0,
        shown: bool = True,
    ) -> None:
        self._id = id
        self._node = node
        self._events = node.events
        self._clock = clock
        self._types = types
        self._oids = oids
        self._delay = delay
        self._shown = shown
        self._outlets = [Outlet(sink, clock, node.events, self._worked) for sink in sinks]
        self._bursts = Bursts()
        self._working = False
        self._worked_at: float | None = None
        self._summary: IDelayedCall | None = None
        self._beats: dict[int, IDelayedCall] = {}

    def start(self) -> None:
        """Begin to listen."""
        self._events.listen(self._take)
        if not self._shown:
            self._events.unlisted.append(self._is_caused)
        self._node.thresholds.add(list(self._types.thresholds))
        for milliseconds in set(self._types.heartbeats):
            self._beat_later(milliseconds)

    def stop(self) -> None:
        """Listen no more; what waits for a sink is dropped."""
        self._events.forget(self._take)
        if not self._shown:
            self._events.unlisted.remove(self._is_caused)
        self._node.thresholds.remove(list(self._types.thresholds))
        for call in self._beats.values():
            cancel(call)
        self._beats.clear()
        cancel(self._summary)
        self._summary = None
        for outlet in self._outlets:
            outlet.stop()

    def _take(self, event: Event) -> None:
        if not self._is_wanted(event):
            return
        if self._working or self._is_echo(event):
            self._events.dropped += 1
            return
        before = self._bursts.dropped
        self._offer(self._bursts.admit(event))
        dropped = self._bursts.dropped - before
        self._events.dropped += dropped
        if dropped and self._summary is None:
            self._summary = self._clock.callLater(1.0, self._sum_up)

    def _sum_up(self) -> None:
        self._summary = None
        self._offer(self._bursts.due(self._events.now()))

    def _offer(self, events: Sequence[Event]) -> None:
        for each in events:
            details = details_of(each, self._node.id)
            for outlet in self._outlets:
                outlet.offer(details)

    def _is_wanted(self, event: Event) -> bool:
        return self._types.match(event.type) or event.fields.get("plugin") == self._id

    def _is_caused(self, event: Event) -> bool:
        """Whether an event is told for this plugin."""
        is_mark = "/event/threshold." in event.type and self._types.match(event.type)
        return is_mark or event.fields.get("plugin") == self._id

    def _is_echo(self, event: Event) -> bool:
        """Whether a sink is the cause of an event: it worked just now, and the event speaks of it."""
        if self._worked_at is None or self._clock.seconds() - self._worked_at > self._delay:
            return False
        if event.type.startswith(_LOGGING):
            text = str(event.fields.get("text", ""))
            return _OWN_LOG in event.type or any(oid in text for oid in self._oids)
        return any(event.type.startswith(f"topic/{oid}/") for oid in self._oids)

    def _worked(self, working: bool) -> None:
        self._working = working
        self._worked_at = self._clock.seconds()

    def _beat_later(self, milliseconds: int) -> None:
        self._beats[milliseconds] = self._clock.callLater(milliseconds / 1000, self._beat, milliseconds)

    def _beat(self, milliseconds: int) -> None:
        self._beat_later(milliseconds)
        self._events.tell(type_of_heartbeat(milliseconds), plugin=self._id)
