"""Messages that are followed on their way through the broker, for a while (operations §1.17)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall

from broker.admin.instance import Instance, core_of
from broker.admin.moment import moment
from broker.core.message import Message
from broker.core.node import Node
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.net.http.events import EventStream
from broker.timers import cancel

MAX_TAILS = 10
LOOK = 1.0
"""Seconds between two looks at whether a tail may go on."""
_NAME = "client/"


class Seen(msgspec.Struct, frozen=True, rename="camel"):
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
    """

    point: Point
    at: str
    message_id: str
    oid: str
    sender: str
    receiver: str
    size_bytes: int
    persistent: bool


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


@dataclass(slots=True)
class _Tail:
    wanted: Callable[[str, str, str], bool]
    points: Collection[Point]
    limits: TailLimits
    is_permitted: Callable[[], bool]
    until: float
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
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._clock: Any = instance.reactor
        self._tails: dict[EventStream, _Tail] = {}
        self._node: Node | None = None
        self._call: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._tails)

    def open(
        self,
        wanted: Callable[[str, str, str], bool],
        points: Collection[Point],
        limits: TailLimits,
        is_permitted: Callable[[], bool],
    ) -> EventStream:
        """Begin one.

        Args:
            wanted: whether a message is, by its oid and the names of its sender and of its receiver
                (:func:`short_name`).
            points: where it is looked for.
            limits: when it ends.
            is_permitted: asked once a second; where not, it ends.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many, ``resource.unavailable`` where there is no core.
        """
        core = core_of(self._instance)
        if core is None:
            raise BrokerError(Code.RESOURCE_UNAVAILABLE, "there is no core at this run level")
        if len(self._tails) >= MAX_TAILS:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"there are {MAX_TAILS} tails at most")
        stream = EventStream(self._clock, self._ended)
        self._tails[stream] = _Tail(wanted, points, limits, is_permitted, self._clock.seconds() + limits.seconds)
        self._node = core.node
        core.node.trace = self._see
        if self._call is None:
            self._call = self._clock.callLater(LOOK, self._look)
        return stream

    def stop(self) -> None:
        """End all of them."""
        for stream in list(self._tails):
            self._end(stream, "stopped")

    def _see(self, point: Point, message: Message, receiver: str) -> None:
        sender, receiver = short_name(message.envelope.qos.sender), short_name(receiver)
        line = b""
        for stream, tail in list(self._tails.items()):
            if point not in tail.points or not tail.wanted(message.oid, sender, receiver):
                continue
            line = line or _line(point, message, sender, receiver, self._instance.wall_clock())
            self._tell(stream, tail, line)

    def _tell(self, stream: EventStream, tail: _Tail, line: bytes) -> None:
        second = math.floor(self._clock.seconds())
        if second != tail.second:
            tail.second, tail.in_second = second, 0
        tail.in_second += 1
        if tail.in_second > tail.limits.per_second:
            tail.left_out += 1
            return
        tail.told += 1
        stream.tell("seen", line)
        if tail.told >= tail.limits.most:
            self._end(stream, "most")

    def _look(self) -> None:
        self._call = self._clock.callLater(LOOK, self._look)
        now = self._clock.seconds()
        for stream, tail in list(self._tails.items()):
            if not tail.is_permitted():
                self._end(stream, "right")
            elif now >= tail.until:
                self._end(stream, "time")

    def _end(self, stream: EventStream, reason: str) -> None:
        tail = self._tails[stream]
        stream.tell("end", msgspec.json.encode(TailEnd(reason, tail.told, tail.left_out)))
        stream.end()

    def _ended(self, stream: EventStream) -> None:
        self._tails.pop(stream, None)
        if not self._tails:
            cancel(self._call)
            self._call = None
            node, self._node = self._node, None
            if node is not None:
                node.trace = None


def _line(point: Point, message: Message, sender: str, receiver: str, now: float) -> bytes:
    return msgspec.json.encode(
        Seen(
            point,
            moment(round(now * 1000)),
            str(message.id),
            message.oid,
            sender,
            receiver,
            len(message.content),
            message.envelope.persistent,
        )
    )
