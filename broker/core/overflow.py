"""Queues that are full (spec xmlblaster §10): what is said of them, and room that is made in them."""

from __future__ import annotations

from broker.core.message import Message
from broker.core.queues import Queue
from broker.errors import BrokerError, Code
from broker.model.qos import Overflow


def discards(queue: Queue) -> bool:
    """Whether a message that does not fit is to go without a word."""
    return queue.limits.overflow in (Overflow.DISCARD, Overflow.DISCARD_OLDEST)


def make_room(queue: Queue, message: Message) -> None:
    """Discard the oldest messages for one that is to be put, where the queue does that."""
    if queue.limits.overflow is Overflow.DISCARD_OLDEST:
        queue.discard_oldest(len(message.content))


def overflow_error(queue: Queue) -> BrokerError:
    """Why a queue takes no more: its own limits, or what all queues of its account may hold."""
    limits, usage = queue.limits, queue.usage
    if queue.entries >= limits.entries:
        return BrokerError(
            Code.RESOURCE_OVERFLOW_ENTRIES, f"the queue holds {queue.entries} of at most {limits.entries} entries"
        )
    if queue.bytes >= limits.bytes:
        return BrokerError(
            Code.RESOURCE_OVERFLOW_BYTES, f"the queue holds {queue.bytes} of at most {limits.bytes} bytes"
        )
    return BrokerError(
        Code.RESOURCE_OVERFLOW_BYTES,
        f"all queues of {usage.account} hold {usage.queue_bytes} of at most {usage.max_queue_bytes} bytes",
    )
