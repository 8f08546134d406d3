"""One publisher, and those who get what it publishes, there or away."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from bench.drive.absent import fill_and_drain
from bench.drive.lane import Lane, Receiver, flow
from bench.drive.load import TimedLoad
from bench.drive.loop import Loop

_LEAVING = 0.2
"""Seconds for the server to see that a receiver has left."""


@dataclass(frozen=True, slots=True)
class TopicLoad(TimedLoad):
    """One publisher to a topic, and its subscribers.

    Args:
        subscribers: of the topic.
        size: of a content in bytes.
        window: messages on their way.
    """

    subscribers: int = 1
    size: int = 100
    window: int = 500

    def run(self) -> dict[str, float]:
        """Rates of a window that is kept full."""
        loop = Loop()
        lane = self.lane(loop, self.receivers(loop))
        return flow(loop, [lane], warm_up=self.warm_up, seconds=self.seconds, watch=self.watch)

    def receivers(self, loop: Loop) -> list[Receiver]:
        """All subscribers, logged in for the first time."""
        return [self.receiver(loop, number, first=True) for number in range(self.subscribers)]

    @abstractmethod
    def lane(self, loop: Loop, receivers: Sequence[Receiver]) -> Lane:
        """Log the publisher in."""

    @abstractmethod
    def receiver(self, loop: Loop, number: int, *, first: bool) -> Receiver:
        """Log a subscriber in, who may have subscribed before."""

    def leave(self, loop: Loop) -> None:
        """Have one subscriber, who is away."""
        self.receiver(loop, 0, first=True).link.close()
        loop.run_for(_LEAVING)

    def come_back(self, loop: Loop) -> Receiver:
        """That one is back."""
        return self.receiver(loop, 0, first=False)

    def run_absent(self, messages: int) -> dict[str, float]:
        """Rates of queueing so many messages for one who is away, and of draining when it comes back."""
        loop = Loop()
        self.leave(loop)
        return fill_and_drain(loop, self.lane(loop, []), lambda: self.come_back(loop), messages, self.watch)
