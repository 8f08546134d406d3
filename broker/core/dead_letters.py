"""Dead messages: what could not be delivered is published for those who care (spec xmlblaster §8.6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from twisted.logger import Logger

from broker.core.entries import Entry
from broker.core.message import Message
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.logs.limit import NamedLogLimits, lines
from broker.model.key import DEAD_MESSAGE_OID, Key
from broker.model.property import ClientProperty, property_of
from broker.model.qos import PublishQos
from broker.model.shorten import shorten

if TYPE_CHECKING:
    from broker.core.node import Node

log = Logger()

MAX_LOST = 1000
"""Dead messages of which a header is kept in memory, because nothing else is."""
DEAD_MESSAGE_KEY = Key(DEAD_MESSAGE_OID)


class DeadGroup(StrEnum):
    """Why messages died, in a few groups, whatever codes clients make up."""

    OVERFLOW = "overflow"
    RECEIVER_GONE = "receiverGone"
    REFUSED_BY_CLIENT = "refusedByClient"
    FILTER = "filter"
    BUDGET = "budget"
    INTERNAL = "internal"


_PREFIXES = (  # the first that fits
    ("resource.overflow", DeadGroup.OVERFLOW),
    (Code.RESOURCE_EXHAUST, DeadGroup.BUDGET),
    ("communication", DeadGroup.RECEIVER_GONE),
    (Code.USER_NOT_CONNECTED, DeadGroup.RECEIVER_GONE),
    (Code.USER_MESSAGE_INVALID, DeadGroup.FILTER),
    ("user.query", DeadGroup.FILTER),
    ("user", DeadGroup.REFUSED_BY_CLIENT),
)


def group_of(error: BrokerError) -> DeadGroup:
    """The group of a reason."""
    code = str(error.code)
    return next((group for prefix, group in _PREFIXES if code.startswith(prefix)), DeadGroup.INTERNAL)


class Lost(NamedTuple):
    """A dead message of which nothing is kept but this; texts are cut (:func:`broker.model.shorten.shorten`).

    Args:
        id: of the dead message.
        oid: of the topic that it was published on.
        receiver: absolute name of the session or login name that did not get it.
        sender: absolute name of the session that had published it.
        code: of the reason.
        text: of the reason.
        received: id that it had.
        size: of its content, in bytes.
    """

    id: int
    oid: str
    receiver: str
    sender: str
    code: str
    text: str
    received: int
    size: int


class DeadLetters:
    """Publishes undeliverable messages on ``__sys__deadMessage``.

    A dead message of a persistent message is persistent and stays in the topic's history, so that nothing that was
    acknowledged vanishes even where nobody listens; others are volatile.

    Args:
        node: shared state.

    Attributes:
        publish: publishes a message of the broker itself; set by :class:`broker.core.publishing.Publisher`.
        count: dead messages so far.
        counts: of them, by the group of their reason.
        lost: the last of those that are volatile.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.publish: Callable[[Message], None] | None = None
        self.count = 0
        self.counts = dict.fromkeys(DeadGroup, 0)
        self.lost: deque[Lost] = deque(maxlen=MAX_LOST)
        self._told = NamedLogLimits(node.monotonic, lines(log.warn), "dead messages")

    def entries(self, entries: Iterable[Entry], receiver: str, error: BrokerError) -> None:
        """Report entries of a queue; they must be settled already.

        Args:
            entries: what could not be delivered.
            receiver: absolute name of the session or subject.
            error: why.
        """
        for entry in entries:
            self.message(entry.message, receiver, error)

    def message(self, message: Message, receiver: str, error: BrokerError) -> None:
        """Report one message.

        Args:
            message: what could not be delivered.
            receiver: absolute name of the session or subject.
            error: why.
        """
        self.count += 1
        self.counts[group_of(error)] += 1
        if self._node.trace is not None:
            self._node.trace(Point.DEAD, message, receiver)
        self._told.tell(receiver, lambda: f"dead message: {message.oid} {message.id} for {receiver}: {error}")
        if message.oid == DEAD_MESSAGE_OID or self.publish is None:
            return
        qos = self._qos(message, receiver, error)
        dead = self._node.message(self._node.envelope(DEAD_MESSAGE_KEY, qos), message.content)
        if not qos.persistent:
            oid, of, by = map(shorten, (message.oid, receiver, message.qos.sender))
            code, reason, size = shorten(str(error.code)), shorten(error.message), len(message.content)
            self.lost.append(Lost(dead.id, oid, of, by, code, reason, message.id, size))
        try:
            self.publish(dead)
        except BrokerError as refused:  # whoever reports it goes on with what comes behind
            reason = str(refused)
            self._told.tell(DEAD_MESSAGE_OID, lambda: f"the dead message cannot be published: {reason}")

    def _qos(self, message: Message, receiver: str, error: BrokerError) -> PublishQos:
        envelope = message.envelope
        properties: tuple[ClientProperty, ...] = (
            property_of("__key", envelope.encoded.key.decode("utf-8", "replace")),
            property_of("__qos", self._node.codec.write_publish_qos(envelope.qos).decode("utf-8", "replace")),
            property_of("__oid", envelope.oid),
            ClientProperty("__rcvTimestamp", str(message.id), "long"),
            property_of("__deadMessageReason", str(error)),
            property_of("__receiver", receiver),
            property_of("__sender", envelope.qos.sender),
        )
        return PublishQos(
            life_time=-1 if envelope.persistent else 0,
            persistent=envelope.persistent,
            sender=self._node.name.absolute,
            properties=properties,
        )
