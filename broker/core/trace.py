"""The ways of messages through the broker, for who looks on (spec xmlblaster §16.8)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from broker.core.message import Message

if TYPE_CHECKING:
    from broker.core.node import Node


class Point(StrEnum):
    """Where a message is seen."""

    PUBLISHED = "publish.enter"
    ACCEPTED = "publish.ack"
    QUEUED = "update.queue.add"
    SENT = "update.send"
    ACKNOWLEDGED = "update.ack"
    DEAD = "dead"
    EXPIRED = "expired"
    DISCARDED = "discarded"
    MOVED = "moved"


class Trace(Protocol):
    """Is told of every message at every point, while anybody looks on."""

    def __call__(self, point: Point, message: Message, receiver: str) -> None:
        """A message is seen.

        Args:
            point: where.
            message: it.
            receiver: name of the session or login name that it is for; empty where it has just come, or is in a
                history, or its queue does not know whose it is.
        """


class Traces:
    """Those who look on; while there are none, :attr:`broker.core.node.Node.trace` is ``None``.

    Args:
        node: shared state.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._traces: list[Trace] = []

    def add(self, trace: Trace) -> None:
        """Tell somebody from now on."""
        self._traces.append(trace)
        self._set()

    def remove(self, trace: Trace) -> None:
        """Tell them no more."""
        if trace in self._traces:
            self._traces.remove(trace)
        self._set()

    def _set(self) -> None:
        match self._traces:
            case []:
                trace: Trace | None = None
            case [only]:
                trace = only
            case _:
                trace = self._tell_all
        self._node.trace = self._node.losses.trace = trace

    def _tell_all(self, point: Point, message: Message, receiver: str) -> None:
        for trace in list(self._traces):
            trace(point, message, receiver)
