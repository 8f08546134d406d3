"""Dead messages as an administrator works with them: what they were, and sending them again (spec xmlblaster §8.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from broker.core.codec import Encoded
from broker.core.dead_letters import DeadGroup, group_of
from broker.core.message import Message
from broker.core.peeking import peek, peek_back
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.core.topics import Topic
from broker.errors import BrokerError, Code, code_of
from broker.failpoints import reach
from broker.model.key import DEAD_MESSAGE_OID, PTP_SUBSCRIPTION
from broker.model.number import whole_or_none
from broker.model.property import ClientProperty, find
from broker.model.records import DELAYED

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.publishing import Publisher
    from broker.core.registry import SessionRegistry

REPLAY_OF = "_replayOf"
"""Client property of a message that was sent again: id of the dead message that it was."""
REPLAYS = "_replays"
"""The same: how often it was sent again."""

Receiver = Session | Subject | Topic


class DeadMessage(NamedTuple):
    """A dead message.

    Args:
        message: as it is in the history of dead messages.
        oid: of the topic that it was published on.
        receiver: absolute name of the session or login name that did not get it.
        sender: absolute name of the session that had published it.
        code: of the reason.
        text: of the reason.
        received: id that it had, nanoseconds since 1970; 0 where that is not known.
        replays: how often it was sent again before it died.
    """

    message: Message
    oid: str
    receiver: str
    sender: str
    code: str
    text: str
    received: int
    replays: int

    @property
    def id(self) -> int:
        """Of the dead message."""
        return self.message.id

    @property
    def group(self) -> DeadGroup:
        """Of the reason."""
        return group_of(BrokerError(code_of(self.code), self.text))


def read_dead_message(node: Node, message: Message) -> DeadMessage:
    """What a message of the history of dead messages says of the one that died.

    Args:
        node: that it belongs to.
        message: of that history.
    """
    properties = message.qos.properties
    texts = {each.name: each.text for each in properties}
    code, _, text = texts.get("__deadMessageReason", "").partition(": ")
    return DeadMessage(
        message,
        texts.get("__oid", ""),
        texts.get("__receiver", ""),
        texts.get("__sender", ""),
        code,
        text,
        whole_or_none(texts.get("__rcvTimestamp", ""), 0) or 0,
        _replays(node, texts.get("__qos", "")),
    )


class DeadMessages:
    """The dead messages of a broker.

    Args:
        node: shared state.
        registry: of the sessions.
        publisher: publishes them on their topics again.
    """

    def __init__(self, node: Node, registry: SessionRegistry, publisher: Publisher) -> None:
        self._node = node
        self._registry = registry
        self._publisher = publisher

    async def all(self, *, contents: bool = True, newest_first: bool = False) -> AsyncIterator[DeadMessage]:
        """All that are kept, without any trace.

        Args:
            contents: of those on disk; else they are empty.
            newest_first: else the oldest.
        """
        topic = self._topic
        if topic is None:
            return
        look = peek_back if newest_first else peek
        async for peeked in look(self._node, topic.history, (), None, contents=contents):
            entry = peeked.entry
            if entry is not None and not 0 < entry.message.expires <= self._node.now():
                yield read_dead_message(self._node, entry.message)

    async def load(self) -> None:
        """Know what is kept, before any of it is changed."""
        if self._topic is not None:
            await self._topic.history.load()

    def receiver_of(self, dead: DeadMessage) -> Session | Subject:
        """Who did not get a message.

        Raises:
            BrokerError: ``user.ptp.unknownDestination`` where it is not there any more.
        """
        name = self._node.session_name(dead.receiver)
        subject = self._node.subjects.get(name.subject)
        if not name.is_session:
            return subject or self._node.subject(name.subject)
        session = None if subject is None else subject.sessions.get(name.public_id)
        if session is None:
            raise BrokerError(Code.USER_PTP_UNKNOWN_DESTINATION, f"there is no session {name.relative} any more")
        return session

    def check_oid(self, dead: DeadMessage) -> None:
        """Refuse a message that was on no topic that can be published on.

        Raises:
            BrokerError: ``user.oid.unknown``.
        """
        if not dead.oid or dead.oid in self._node.raw_contents:
            raise BrokerError(Code.USER_OID_UNKNOWN, "it was published on no topic")

    def topic_of(self, dead: DeadMessage) -> Topic:
        """The topic that a message was published on; it is made where it is gone.

        Raises:
            BrokerError: as :meth:`check_oid`; ``resource.exhaust`` where there are too many topics.
        """
        self.check_oid(dead)
        return self._node.topic(dead.oid)

    def release(self, receiver: Receiver) -> None:
        """Forget a receiver that was made for a message, and got none."""
        if isinstance(receiver, Subject):
            self._node.release_subject(receiver)
        elif isinstance(receiver, Topic):
            self._node.check_topic(receiver)

    def replay(self, dead: DeadMessage, receiver: Receiver) -> None:
        """Send a message again, which is no dead message any more in the same commit.

        Args:
            dead: that is kept, with its content, and known (:meth:`load`).
            receiver: who gets it.

        Raises:
            BrokerError: it cannot be read, is gone, or there is no room for it. Nothing has happened then.
        """
        message = self._message_of(dead)
        if isinstance(receiver, Topic):
            self._drop(dead)
            self._publisher.publish_internal(message)
        else:
            if receiver.queue.is_full:
                raise BrokerError(Code.RESOURCE_OVERFLOW_ENTRIES, f"the queue of {receiver.name} is full")
            self._drop(dead)
            self._put(message, receiver)
        reach("dead message replayed")

    def delete(self, dead: DeadMessage) -> None:
        """Keep a dead message no more.

        Args:
            dead: that is kept, and known (:meth:`load`).

        Raises:
            BrokerError: ``user.oid.unknown`` where it is gone.
        """
        self._drop(dead)

    @property
    def _topic(self) -> Topic | None:
        return self._node.topics.get(DEAD_MESSAGE_OID)

    def _drop(self, dead: DeadMessage) -> None:
        topic = self._topic
        if topic is None or not topic.history.discard(dead.id):
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no dead message {dead.id} any more")
        self._node.check_topic(topic)

    def _message_of(self, dead: DeadMessage) -> Message:
        """The message that has died, as a new one."""
        node, properties = self._node, dead.message.qos.properties
        key, qos = find(properties, "__key"), find(properties, "__qos")
        if key is None or qos is None:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "the dead message does not tell its key and QoS")
        encoded_key = key.text.encode()
        read = node.codec.read_publish_qos(qos.text.encode())
        kept = tuple(each for each in read.properties if each.name not in (REPLAY_OF, REPLAYS))
        marks = (ClientProperty(REPLAY_OF, str(dead.id)), ClientProperty(REPLAYS, str(dead.replays + 1), "int"))
        given = replace(read, properties=(*kept, *marks))
        received = node.received_qos(given, dead.sender)
        encoded = Encoded(encoded_key, node.codec.write_publish_qos(given))
        message = node.message(node.envelope(node.codec.read_key(encoded_key), received, encoded), dead.message.content)
        for check in node.content_checks:
            check(message)
        return message

    def _put(self, message: Message, receiver: Session | Subject) -> None:
        durable = message.envelope.persistent
        if isinstance(receiver, Subject):
            if durable and not receiver.guest:
                self._node.save_subject(receiver)
            receiver.queue.put(message, "", DELAYED, durable and not receiver.guest)
            for session in receiver.receivers:
                self._registry.subject_queues.deliver(session)
            return
        durable = durable and not receiver.subject.guest
        if durable and not receiver.stored:
            self._registry.save(receiver)
        receiver.queue.put(message, PTP_SUBSCRIPTION, DELAYED, durable)
        receiver.dispatch.wake()


def _replays(node: Node, qos: str) -> int:
    if REPLAYS not in qos:  # most were never sent again, and reading takes its time
        return 0
    try:
        properties = node.codec.read_publish_qos(qos.encode()).properties
    except BrokerError:
        return 0
    found = find(properties, REPLAYS)
    return 0 if found is None else whole_or_none(found.text, 0) or 0
