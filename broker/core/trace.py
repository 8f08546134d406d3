"""The ways of messages through the broker, for who looks on (spec xmlblaster §16.8)."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from broker.core.message import Message


class Point(StrEnum):
    """Where a message is seen."""

    PUBLISHED = "publish.enter"
    QUEUED = "update.queue.add"
    SENT = "update.send"
    ACKNOWLEDGED = "update.ack"
    DEAD = "dead"


class Trace(Protocol):
    """Is told of every message at every point, while anybody looks on."""

    def __call__(self, point: Point, message: Message, receiver: str) -> None:
        """A message is seen.

        Args:
            point: where.
            message: it.
            receiver: name of the session or login name that it is for; empty where it has just come.
        """
