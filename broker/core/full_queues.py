"""What becomes of a message whose receiver's queue is full (spec xmlblaster §10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.core.message import Message
from broker.core.overflow import discards, overflow_error
from broker.core.queues import Queue
from broker.core.sessions import RoomWait, Session
from broker.core.subjects import Subject
from broker.core.trace import Point
from broker.core.waiting import Pending
from broker.logs.limit import NamedLogLimits
from broker.model.address import SessionName
from broker.model.qos import Overflow
from broker.timers import cancel

if TYPE_CHECKING:
    from broker.core.dead_letters import DeadLetters
    from broker.core.expiry import Expiry
    from broker.core.node import Node

log = Logger()


class FullQueues:
    """Decides for each message whether it has to wait, is refused, takes the place of others, or goes elsewhere.

    Args:
        node: shared state.
        letters: for what cannot be delivered.
        expiry: finds what makes room because its time is over.
        lost: tells of messages that go without a word.
    """

    def __init__(self, node: Node, letters: DeadLetters, expiry: Expiry, lost: NamedLogLimits) -> None:
        self._node = node
        self._letters = letters
        self._expiry = expiry
        self._lost = lost

    def refuses(self, queue: Queue, size: int, publisher: Session | None, owner: Session | Subject) -> bool:
        """Decide on a queue that seems to be full, without discarding anything yet.

        Args:
            queue: of a receiver.
            size: of the content.
            publisher: whom an error can be told, or who can wait; ``None`` for the broker itself.
            owner: of the queue.

        Returns:
            ``False`` where there is room, or :meth:`Queue.discard_oldest` makes it; ``True`` where the entry must go
            elsewhere.

        Raises:
            BrokerError: ``resource.overflow.queue.…`` where the publisher is to be told.
            Pending: where the message has to wait.
        """
        if not queue.is_full:
            return False
        if publisher is not None and queue.may_hold_stale:
            looked = self._expiry.look()
            if looked is not None:
                raise Pending(lambda: looked)
        match queue.limits.overflow:
            case Overflow.EXCEPTION:
                if publisher is not None:
                    queue.overflowed += 1
                    raise overflow_error(queue)
                return True
            case Overflow.BLOCK:
                if publisher is not None and publisher is not owner:
                    raise Pending(lambda: self._room(queue, publisher, owner))
                return True
            case Overflow.DEAD_MESSAGE | Overflow.DISCARD:
                return True
            case Overflow.DISCARD_OLDEST:
                return not self._can_discard_oldest(queue, size, publisher)
            case unknown:
                assert_never(unknown)

    def _can_discard_oldest(self, queue: Queue, size: int, publisher: Session | None) -> bool:
        if queue.can_discard_oldest(size):
            return True
        reading = queue.read_oldest()
        if reading is None:  # all is being delivered
            return False
        if publisher is not None:
            raise Pending(lambda: reading)
        reading.addErrback(lambda failure: log.failure("the oldest entries cannot be read", failure))
        return True

    def overflow(self, queue: Queue, message: Message, owner: SessionName) -> None:
        """Do without an entry: it is discarded, or a dead message.

        Args:
            queue: that is full.
            message: that it would be of.
            owner: of the queue.
        """
        error = overflow_error(queue)
        queue.overflowed += 1
        if discards(queue):
            self._node.losses.discarded += 1
            if self._node.trace is not None:
                self._node.trace(Point.DISCARDED, message, owner.absolute)
            self._lost.tell(owner.absolute, lambda: f"{owner.relative}: {message.oid} discarded: {error.message}")
        else:
            self._letters.message(message, owner.absolute, error)

    def _room(self, queue: Queue, publisher: Session, owner: Session | Subject) -> Deferred[None]:
        room = queue.room()
        self._node.waiting_publishers += 1
        publisher.room_wait = RoomWait(owner, self._node.now())
        timer = self._node.later(self._node.settings.block_timeout, room.cancel)

        def ended(result: object) -> object:
            self._node.waiting_publishers -= 1
            publisher.room_wait = None
            cancel(timer)
            if isinstance(result, Failure):
                queue.overflowed += 1
                raise overflow_error(queue)
            return result

        room.addBoth(ended)
        return room
