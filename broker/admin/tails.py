"""Messages that are followed on their way through the broker, for a while (operations §1.17)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall

from broker.admin.checkpoint import CheckpointStyle
from broker.admin.followers import Followers, Kind, Principal
from broker.admin.instance import Instance, core_of
from broker.admin.moment import moment
from broker.admin.stanza_taps import Passed, StanzaTap
from broker.admin.views.entries import Content, content_of, content_of_bytes
from broker.core.message import Message
from broker.core.node import Node
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.net.http.events import EventStream
from broker.timers import cancel
from broker.xmpp.stream.connection import StreamConnection

HEAD_BYTES = 1024
"""Of the content of a message that are told at most."""
_NAME = "client/"
_CHECKPOINT = CheckpointStyle()


class Seen(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A message that was seen.

    Args:
        point: where.
        at: when.
        message_id: of it.
        oid: of its topic.
        sender: who published it.
        receiver: session or login name that it is for; empty where it has just come.
        size_bytes: of its content.
        persistent: it is to survive a crash.
        content: its beginning, where that is asked for.
    """

    point: Point
    at: str
    message_id: str
    oid: str
    sender: str
    receiver: str
    size_bytes: int
    persistent: bool
    content: Content | None = None


class SeenStanza(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A stanza that went over a connection.

    Args:
        at: when.
        direction: ``in`` from the client, or ``out`` to it.
        kind: ``message``, ``presence``, ``iq``, or another element of its stream.
        size_bytes: of it.
        type: of it; absent where it has none.
        id: likewise.
        sender: likewise; what it says of itself.
        receiver: likewise.
        content: its beginning, where that is asked for; never of one that registers an account or has its password.
    """

    at: str
    direction: str
    kind: str
    size_bytes: int
    type: str | None = None
    id: str | None = None
    sender: str | None = None
    receiver: str | None = None
    content: Content | None = None


class TailEnd(msgspec.Struct, frozen=True, rename="camel"):
    """Why a tail has ended, and what it told.

    Args:
        reason: ``time``, ``most``, ``right`` or ``stopped``.
        told: sightings that were told.
        left_out: those that were not, because there were too many in a second.
    """

    reason: str
    told: int
    left_out: int


@dataclass(frozen=True, slots=True)
class TailLimits:
    """When a tail ends, and what it leaves out.

    Args:
        seconds: for which it goes on.
        most: sightings that it tells.
        per_second: of these in a second; others are left out and counted.
    """

    seconds: float
    most: int
    per_second: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What a tail tells.

    Args:
        wanted: whether a message is, by its oid and the names of its sender and of its receiver (:func:`short_name`).
        points: where it is looked for.
        content: tell its beginning, too.
        checkpoint: tell lines (spec xmlblaster §16.8) instead of JSON.
        stanzas: of an XMPP stream whose stanzas are told; ``None`` for none.
    """

    wanted: Callable[[str, str, str], bool]
    points: Collection[Point] = frozenset(Point)
    content: bool = False
    checkpoint: bool = False
    stanzas: StreamConnection | None = None


@dataclass(slots=True)
class _Tail:
    selection: Selection
    limits: TailLimits
    until: float
    tap: StanzaTap | None = None
    told: int = 0
    left_out: int = 0
    second: int = 0
    in_second: int = 0


def short_name(name: str) -> str:
    """``joe/1`` of the name of a session, ``joe`` of that of a login name."""
    return name[name.find(_NAME) + len(_NAME) :] if _NAME in name else name


class Tails:
    """All tails. Without any nothing is looked at.

    Args:
        instance: the broker.
        followers: all who follow something.
    """

    def __init__(self, instance: Instance, followers: Followers) -> None:
        self._instance = instance
        self._followers = followers
        self._clock: Any = instance.reactor
        self._tails: dict[EventStream, _Tail] = {}
        self._node: Node | None = None
        self._call: IDelayedCall | None = None

    def open(self, principal: Principal, selection: Selection, limits: TailLimits) -> EventStream:
        """Begin one.

        Args:
            principal: who looks on.
            selection: what it tells.
            limits: when it ends.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many, or somebody else looks at the stanzas of this
                connection; ``resource.unavailable`` where there is no core.
        """
        core = core_of(self._instance)
        if core is None:
            raise BrokerError(Code.RESOURCE_UNAVAILABLE, "there is no core at this run level")
        stream = self._followers.open(principal, Kind.TAIL, self._ended, lambda stream: self._end(stream, "right"))
        tail = self._tails[stream] = _Tail(selection, limits, self._clock.seconds() + limits.seconds)
        if selection.stanzas is not None:
            try:
                tail.tap = StanzaTap(
                    selection.stanzas,
                    lambda passed: self._see_stanza(stream, tail, passed),
                    lambda: self._end(stream, "disconnected"),
                )
            except BrokerError:
                stream.end()
                raise
        if self._node is None:
            self._node = core.node
            core.node.traces.add(self._see)
        if self._call is None:
            self._wait()
        return stream

    def stop(self) -> None:
        """End all of them."""
        for stream in list(self._tails):
            self._end(stream, "stopped")

    def _see(self, point: Point, message: Message, receiver: str) -> None:
        sender, receiver = short_name(message.envelope.qos.sender), short_name(receiver)
        for stream, tail in list(self._tails.items()):
            selection = tail.selection
            if point not in selection.points or not selection.wanted(message.oid, sender, receiver):
                continue
            if not self._may_tell(tail):
                continue
            if selection.checkpoint:
                line = _CHECKPOINT.line(point, message, _named(sender), _named(receiver)).encode()
            else:
                line = msgspec.json.encode(self._seen(point, message, sender, receiver, content=selection.content))
            self._tell(stream, tail, "checkpoint" if selection.checkpoint else "seen", line)

    def _seen(self, point: Point, message: Message, sender: str, receiver: str, *, content: bool) -> Seen:
        return Seen(
            point,
            self._now(),
            str(message.id),
            message.oid,
            sender,
            receiver,
            len(message.content),
            message.envelope.persistent,
            content_of(message, HEAD_BYTES) if content else None,
        )

    def _see_stanza(self, stream: EventStream, tail: _Tail, passed: Passed) -> None:
        if not self._may_tell(tail):
            return
        get = passed.attributes.get
        content = None
        if tail.selection.content and not passed.is_secret:
            content = content_of_bytes(passed.raw, HEAD_BYTES)
        seen = SeenStanza(
            self._now(),
            passed.direction,
            passed.name,
            len(passed.raw),
            get("type"),
            get("id"),
            get("from"),
            get("to"),
            content,
        )
        self._tell(stream, tail, "stanza", msgspec.json.encode(seen))

    def _may_tell(self, tail: _Tail) -> bool:
        """Whether there is room for one more in this second; it is counted as left out else."""
        second = math.floor(self._clock.seconds())
        if second != tail.second:
            tail.second, tail.in_second = second, 0
        tail.in_second += 1
        if tail.in_second > tail.limits.per_second:
            tail.left_out += 1
            return False
        return True

    def _tell(self, stream: EventStream, tail: _Tail, event: str, line: bytes) -> None:
        tail.told += 1
        stream.tell(event, line)
        if tail.told >= tail.limits.most:
            self._end(stream, "most")

    def _now(self) -> str:
        return moment(round(self._instance.wall_clock() * 1000))

    def _wait(self) -> None:
        """Until the first of them is over."""
        until = min(tail.until for tail in self._tails.values())
        self._call = self._clock.callLater(max(0.0, until - self._clock.seconds()), self._look)

    def _look(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for stream, tail in list(self._tails.items()):
            if now >= tail.until:
                self._end(stream, "time")
        if self._tails and self._call is None:
            self._wait()

    def _end(self, stream: EventStream, reason: str) -> None:
        tail = self._tails.get(stream)
        if tail is None:
            return
        stream.tell("end", msgspec.json.encode(TailEnd(reason, tail.told, tail.left_out)))
        stream.end()

    def _ended(self, stream: EventStream) -> None:
        tail = self._tails.pop(stream, None)
        if tail is not None and tail.tap is not None:
            tail.tap.stop()
        cancel(self._call)
        self._call = None
        if self._tails:
            self._wait()
            return
        node, self._node = self._node, None
        if node is not None:
            node.traces.remove(self._see)


def _named(short: str) -> str:
    return f"{_NAME}{short}" if short else ""
