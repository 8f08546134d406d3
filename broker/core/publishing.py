"""Publishing: on a topic, and from point to point (spec xmlblaster §2.3, §8, §9)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.core.entries import Fanout
from broker.core.log_limit import NamedLogLimits, lines
from broker.core.message import Envelope, Message
from broker.core.queues import Queue
from broker.core.sessions import Plan, Route, Session
from broker.core.subjects import Subject
from broker.core.topics import Topic, TopicState
from broker.core.waiting import Command, Pending
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.key import COMMAND_PREFIX, PTP_SUBSCRIPTION, REMOTE_PROPERTIES_OID
from broker.model.property import ClientProperty, check_properties, is_set
from broker.model.qos import STATE_OK, STATE_WARNING, Destination, Overflow, PublishQos
from broker.model.records import DELAYED, FOR_SUBJECT
from broker.native.codec import read_key, read_publish_qos, write_key

if TYPE_CHECKING:
    from broker.core.administration import Commands
    from broker.core.dead_letters import DeadLetters
    from broker.core.expiry import Expiry
    from broker.core.node import Node
    from broker.core.registry import SessionRegistry
    from broker.core.subscriptions import Subscription
    from broker.native.sessions import NativeSessions

log = Logger()

FILTER_SECONDS = 0.1
"""Time of the processor that all filters of one login name may use on one message; then it is a dead message for those
that are left, so that filters of one client hold up nobody for long."""
ADMINISTRATIVE_INFO = "Administrative configuration request handled"
_new = tuple.__new__


class Published(NamedTuple):
    """The outcome of a publish.

    Args:
        oid: the topic.
        id: receive timestamp in nanoseconds, ``0`` where no message was made.
        state: ``OK``, or ``WARNING`` where some destinations failed.
        info: text of the state.
        properties: outcome of each destination, where there are several.
    """

    oid: str
    id: int
    state: str = STATE_OK
    info: str = ""
    properties: tuple[ClientProperty, ...] = ()


class Copies(NamedTuple):
    """Where the copies for one destination go.

    Args:
        name: of the destination.
        subject: that it belongs to.
        sessions: that get a copy; with none of them the copy waits in the subject's queue.
        overflowing: queues that are full, with the names of their owners; nothing waits for these.
    """

    name: SessionName
    subject: Subject
    sessions: list[Session]
    overflowing: list[tuple[Queue, SessionName]]


class Publisher:
    """Takes messages from sessions and from the broker itself.

    Args:
        node: shared state.
        sessions: of the node.
        native: makes sessions and subjects that a message is forced to.
        letters: for what can not be delivered.
        expiry: for messages with a life time.
        authorizer: an :class:`broker.ports.IAuthorizer`.

    Attributes:
        commands: serves administrative messages, or ``None``.
        processor_time: seconds that this thread has computed.
    """

    def __init__(
        self,
        node: Node,
        sessions: SessionRegistry,
        native: NativeSessions,
        letters: DeadLetters,
        expiry: Expiry,
        authorizer: object,
    ) -> None:
        self._node = node
        self._sessions = sessions
        self._native = native
        self._letters = letters
        self._refusals = NamedLogLimits(node.monotonic, lines(log.info), "lost messages")
        self._expiry = expiry
        self._authorizer = authorizer
        self.commands: Commands | None = None
        self.processor_time = time.thread_time
        letters.publish = self.publish_internal

    def publish(self, session: Session, key_xml: bytes, qos_xml: bytes, content: bytes) -> Published:
        """Publish one message of a session.

        Args:
            session: the publisher.
            key_xml: key as it came.
            qos_xml: QoS as it came.
            content: opaque bytes.

        Raises:
            BrokerError: see spec §2.3. Nothing was published then.
            Pending: a queue whose overflow is ``block`` is full, or history must be read first.
            Command: the oid is that of an administrative message.
        """
        plan = session.plans.get((key_xml, qos_xml))
        configured = False
        if plan is None:
            plan, configured = self._plan(session, key_xml, qos_xml, content)
        envelope = plan.envelope
        topic = plan.topic
        if topic is not None:
            if topic.state is TopicState.DEAD:
                topic = plan.topic = self._node.topic(envelope.oid)
            if topic.key is None or topic.state is not TopicState.ALIVE or topic.config.readonly:
                configured = self._prepare(topic, envelope) or configured
        elif plan.route is not None:
            receiver = plan.route.session
            if receiver is not None and receiver.qos.ptp and not receiver.queue.is_full:
                message = self._node.message(envelope, content)
                session.counters.publish += 1
                self._put_to(receiver, message)
                return _new(Published, (envelope.oid, message.id, STATE_OK, "", ()))
        qos = envelope.qos
        if qos.administrative:
            return self._administer(topic or self._node.topic(envelope.oid), envelope)
        message = self._node.message(envelope, content)
        # Everything that may refuse the message comes before everything that has an effect.
        try:
            copies, outcomes = self._resolve(message, session) if qos.destinations else ([], [])
            receivers, overflowing = self._receivers(topic, message, session) if topic is not None else ([], [])
        except (BrokerError, Pending):
            self._forget_forced(qos.destinations)
            if configured and topic is not None:
                session.plans.pop((key_xml, qos_xml), None)
                self._unconfigure(topic)
            raise
        session.counters.publish += 1
        for copy in copies:
            self._put_ptp(copy, message)
        if topic is not None:
            self._publish_on(topic, message, receivers, overflowing)
        if len(outcomes) > 1:
            self._forget_forced([destination for destination, error in outcomes if error is not None])
            return self._report(message, outcomes)
        if topic is None and copies and copies[0].name.is_session:
            plan.route = Route(copies[0].subject, copies[0].name.public_id)
        return _new(Published, (envelope.oid, message.id, STATE_OK, "", ()))  # its name would take twice the time

    def publish_internal(self, message: Message) -> None:
        """Publish a message of the broker itself on its topic.

        Args:
            message: with its envelope complete.
        """
        topic = self._node.topic(message.oid)
        if topic.key is None:
            self._configure(topic, message.envelope, first=True)
        receivers, overflowing = self._receivers(topic, message, None)
        self._publish_on(topic, message, receivers, overflowing)

    async def _command(self, session: Session, oid: str, content: bytes, qos: PublishQos) -> Published:
        if self.commands is None:
            raise BrokerError(Code.RESOURCE_ADMIN_UNAVAILABLE, "there is no administration here")
        return Published(oid, 0, STATE_OK, await self.commands.set(session, oid, content, qos))

    def _plan(self, session: Session, key_xml: bytes, qos_xml: bytes, content: bytes) -> tuple[Plan, bool]:
        """What a publish does, and whether it is the first of its topic, which is configured by it."""
        key = read_key(key_xml)
        qos = read_publish_qos(qos_xml)
        check_properties(qos.properties)
        made_up = not key.oid
        if made_up:
            key = replace(key, oid=f"{self._node.stripped_id}-{self._node.ids.next()}")
            key_xml = write_key(key)
        if key.oid.startswith(COMMAND_PREFIX) or key.oid == REMOTE_PROPERTIES_OID:
            raise Command(self._command(session, key.oid, content, qos))
        if not self._authorizer.permits(session.name.subject, "publish", f"exact:{key.oid}"):  # type: ignore[attr-defined]
            raise BrokerError(
                Code.USER_NOT_AUTHORIZED, f"{session.name.subject} may not publish on '{key.oid}'", key.oid
            )
        for destination in qos.destinations:
            if destination.query_type != "EXACT":
                raise BrokerError(
                    Code.INTERNAL_NOT_IMPLEMENTED, f"destinations of type {destination.query_type} are not supported"
                )
        sender = session.name.absolute
        if session.accept_wrong_sender and qos.sender:
            sender = self._node.session_name(qos.sender).absolute
        envelope = Envelope(key, self._node.received_qos(qos, sender), key_xml, qos_xml)
        on_topic = qos.subscribable or not qos.destinations
        topic = self._node.topic(key.oid) if on_topic else None
        first = topic is not None and topic.key is None
        if topic is not None and first:
            self._configure(topic, envelope, first=True, section=qos)
        plan = Plan(envelope, topic)
        if not made_up:
            session.remember((key_xml, qos_xml), plan)
        return plan, first

    def _prepare(self, topic: Topic, envelope: Envelope) -> bool:
        """Refuse what may not be published now; tells whether the topic was configured."""
        if topic.config.readonly and topic.key is not None and not envelope.qos.administrative and topic.used:
            raise BrokerError(Code.USER_PUBLISH_READONLY, f"topic '{topic.oid}' is readonly", f"/topic/{topic.oid}")
        if topic.key is not None:
            return False
        self._configure(topic, envelope, first=True, section=read_publish_qos(envelope.qos_xml))
        return True

    def _administer(self, topic: Topic, envelope: Envelope) -> Published:
        self._configure(topic, envelope, first=topic.key is None, section=read_publish_qos(envelope.qos_xml))
        self._node.check_topic(topic)
        return Published(envelope.oid, 0, STATE_OK, ADMINISTRATIVE_INFO)

    def _configure(self, topic: Topic, envelope: Envelope, *, first: bool, section: PublishQos | None = None) -> None:
        config = section.topic if section is not None else None
        default = self._node.default_history(topic.oid)
        topic.configure(envelope.key, envelope.key_xml, envelope.qos_xml, config, default)
        if config is not None:
            self._node.keep_topic(topic, changed=True)
        if first:
            topic.state = TopicState.ALIVE
            self._match_rules(topic)

    def _unconfigure(self, topic: Topic) -> None:
        """The publish that was to be the first of a topic is refused: nothing of its configuration stays."""
        for subscription in [each for each in topic.subscriptions.values() if each.is_rule]:
            topic.unsubscribe(subscription)
        topic.unconfigure(self._node.default_history(topic.oid))
        self._node.forget_topic_record(topic)
        self._node.check_topic(topic)

    def _match_rules(self, topic: Topic) -> None:
        matched = self._node.interest.matching(topic)
        for subscription in matched.subscriptions:
            topic.subscribe(subscription)
        topic.unasked = matched.unasked

    def _receivers(
        self, topic: Topic, message: Message, publisher: Session | None
    ) -> tuple[list[Subscription], list[Subscription]]:
        """Who gets the message, and whose queue is too full for it."""
        if not message.envelope.qos.force_update and self._is_unchanged(topic, message):
            return [], []
        receivers: list[Subscription] = []
        overflowing: list[Subscription] = []
        once: set[Session] = set()
        spent: dict[Subject, float] = {}
        if topic.unasked:
            self._tell_unasked(topic, message)
        for subscription in topic.subscriptions.values():
            session = subscription.session
            if session is publisher and not subscription.local:
                continue
            if subscription.accepts is not None and not self._accepts(subscription, message, spent):
                continue
            if not session.qos.duplicate_updates:
                if session in once:
                    continue
                once.add(session)
            queue = session.queue
            limits = queue.limits
            if (queue.entries >= limits.entries or queue.bytes >= limits.bytes) and self._refuses(
                queue, publisher, session
            ):
                overflowing.append(subscription)
            else:
                receivers.append(subscription)
        return receivers, overflowing

    def _tell_unasked(self, topic: Topic, message: Message) -> None:
        """A message that sessions might have wanted is a dead message for them, once for each topic."""
        unasked, topic.unasked = topic.unasked, {}
        for session, number in unasked.items():
            reason = f"the XPath subscriptions of {session.name.relative} take too long; {number} do not get this topic"
            self._letters.message(message, session.name.absolute, BrokerError(Code.RESOURCE_EXHAUST, reason))

    def _is_unchanged(self, topic: Topic, message: Message) -> bool:
        if topic.history.unread:
            raise Pending(ensureDeferred(topic.history.load()))
        newest = topic.history.newest
        return newest is not None and newest.content == message.content

    def _publish_on(
        self, topic: Topic, message: Message, receivers: list[Subscription], overflowing: list[Subscription]
    ) -> None:
        envelope = message.envelope
        persistent = envelope.persistent
        history = topic.history
        topic.used = True
        if persistent and not topic.stored:
            self._node.keep_topic(topic)
        if envelope.qos.life_time != 0:
            if history.unread:
                loading = ensureDeferred(history.load())
                loading.addErrback(lambda failure: log.failure("history can not be read", failure))
            history.put(message, durable=persistent)
            if message.expires:
                self._expiry.add(message)
        for subscription in receivers:
            session = subscription.session
            subscription.newest = message.id
            session.queue.put(message, subscription.id, subscription.flags, persistent and session.persistent)
            if not session.dispatch.awake:
                session.dispatch.wake()
        for subscription in overflowing:
            self._overflow(subscription.session.queue, message, subscription.session.name)
        if topic.state is not TopicState.ALIVE or not (topic.exact or len(history)):
            self._node.check_topic(topic)

    def _accepts(self, subscription: Subscription, message: Message, spent: dict[Subject, float]) -> bool:
        """Whether the filters of a subscription let a message pass; where they can not tell, it is a dead message.

        Args:
            subscription: with filters.
            message: that may pass.
            spent: seconds of the processor that filters of each login name have used on this message; is added to.
        """
        accepts = subscription.accepts
        session = subscription.session
        subject = session.subject
        used = spent.get(subject, 0.0)
        before = self.processor_time()
        try:
            if used > FILTER_SECONDS:
                raise BrokerError(Code.RESOURCE_EXHAUST, f"the filters of {subject.name} take too long on this message")
            return accepts is None or accepts(message)
        except BrokerError as error:
            self._letters.message(message, session.name.absolute, error)
            return False
        finally:
            spent[subject] = used + self.processor_time() - before

    def _refuses(self, queue: Queue, publisher: Session | None, owner: Session | None) -> bool:
        """Decide on a full queue: ``False`` where room was made, ``True`` where the entry must go elsewhere."""
        match queue.limits.overflow:
            case Overflow.EXCEPTION if publisher is not None:
                raise self._overflow_error(queue)
            case Overflow.BLOCK if publisher is not None and publisher is not owner:
                raise Pending(self._room(queue))
            case Overflow.DISCARD_OLDEST:
                oldest = queue.take_oldest()
                if oldest is None:
                    return True
                queue.settle([oldest])
                return False
        return True

    def _overflow(self, queue: Queue, message: Message, owner: SessionName) -> None:
        error = self._overflow_error(queue)
        if queue.limits.overflow in (Overflow.DISCARD, Overflow.DISCARD_OLDEST):
            self._refusals.tell(owner.absolute, lambda: f"{owner.relative}: {message.oid} discarded: {error.message}")
        else:
            self._letters.message(message, owner.absolute, error)

    def _overflow_error(self, queue: Queue) -> BrokerError:
        if queue.entries >= queue.limits.entries:
            return BrokerError(
                Code.RESOURCE_OVERFLOW_ENTRIES,
                f"the queue holds {queue.entries} of at most {queue.limits.entries} entries",
            )
        return BrokerError(
            Code.RESOURCE_OVERFLOW_BYTES, f"the queue holds {queue.bytes} of at most {queue.limits.bytes} bytes"
        )

    def _room(self, queue: Queue) -> Deferred[None]:
        room = queue.room()
        timer = self._node.later(self._node.settings.block_timeout, room.cancel)

        def ended(result: object) -> object:
            if timer.active():
                timer.cancel()
            if isinstance(result, Failure):
                raise self._overflow_error(queue)
            return result

        room.addBoth(ended)
        return room

    def _resolve(
        self, message: Message, publisher: Session
    ) -> tuple[list[Copies], list[tuple[Destination, BrokerError | None]]]:
        """Where all copies go, and the outcome of each destination; one that fails stops no other."""
        outcomes: list[tuple[Destination, BrokerError | None]] = []
        copies: list[Copies] = []
        quiet = is_set(message.qos.properties, "_user.ptp.unknownDestination.ignoreSilently")
        for destination in message.qos.destinations:
            try:
                copies.append(self._copies(destination, message, publisher))
                outcomes.append((destination, None))
            except Pending:
                self._forget_forced(message.qos.destinations)
                raise
            except BrokerError as error:
                if quiet and error.code == Code.USER_PTP_UNKNOWN_DESTINATION:
                    self._log_drop(publisher.name, error)
                    outcomes.append((destination, None))
                else:
                    outcomes.append((destination, error))
        errors = [error for _, error in outcomes if error is not None]
        if errors and len(errors) == len(outcomes):
            self._forget_forced(message.qos.destinations)
            raise errors[0]
        return copies, outcomes

    def _log_drop(self, publisher: SessionName, error: BrokerError) -> None:
        self._refusals.tell(
            publisher.absolute, lambda: f"{publisher.relative}: point-to-point message dropped: {error.message}"
        )

    def _forget_forced(self, destinations: Sequence[Destination]) -> None:
        """Leave nothing behind of sessions and subjects that were made for a message which is refused."""
        for destination in destinations:
            if destination.force_queuing:
                with suppress(BrokerError):  # of a name that can not be read nothing was made
                    self._native.forget_forced(self._node.session_name(destination.name))

    def _report(self, message: Message, outcomes: list[tuple[Destination, BrokerError | None]]) -> Published:
        properties = tuple(
            ClientProperty(f"__ptp:{destination.name}", str(error.code) if error else STATE_OK)
            for destination, error in outcomes
        )
        errors = [error for _, error in outcomes if error is not None]
        if not errors:
            return Published(message.oid, message.id, properties=properties)
        info = f"{len(errors)} of {len(outcomes)} destinations failed: {errors[0]}"
        return Published(message.oid, message.id, STATE_WARNING, info, properties)

    def _copies(self, destination: Destination, message: Message, publisher: Session) -> Copies:
        name = self._node.session_name(destination.name)
        if name.node != self._node.id:
            raise BrokerError(Code.RESOURCE_CLUSTER_NOT_AVAILABLE, f"node '{name.node}' is not known", name.absolute)
        forced = destination.force_queuing
        subject = self._node.subjects.get(name.subject)
        if subject is None:
            if not forced:
                raise self._unknown(name, message)
            subject = self._native.forced_subject(name)
        if not name.is_session:
            sessions = subject.receivers
            if not sessions:
                if subject.queue.is_full and self._refuses(subject.queue, publisher, None):
                    return Copies(name, subject, [], [(subject.queue, name)])
                return Copies(name, subject, [], [])
        else:
            session = subject.sessions.get(name.public_id)
            if session is None:
                if not forced:
                    raise self._unknown(name, message)
                session = self._native.forced_session(name)
            if not session.qos.ptp:
                raise BrokerError(
                    Code.USER_PTP_DENIED, f"{name.relative} accepts no point-to-point messages", name.absolute
                )
            sessions = [session]
        kept: list[Session] = []
        overflowing: list[tuple[Queue, SessionName]] = []
        for session in sessions:
            if session.queue.is_full and self._refuses(session.queue, publisher, session):
                overflowing.append((session.queue, session.name))
            else:
                kept.append(session)
        return Copies(name, subject, kept, overflowing)

    def _unknown(self, name: SessionName, message: Message) -> BrokerError:
        return BrokerError(
            Code.USER_PTP_UNKNOWN_DESTINATION,
            f"the message to '{name.absolute}' was rejected: nobody of that name is logged in and "
            "<destination forceQueuing='true'> is not set",
            f"/topic/{message.oid}",
        )

    def _put_ptp(self, copies: Copies, message: Message) -> None:
        durable = message.envelope.persistent
        for queue, owner in copies.overflowing:
            self._overflow(queue, message, owner)
        if not copies.sessions:
            if not copies.overflowing:
                if durable:
                    self._node.keep_subject(copies.subject)
                copies.subject.queue.put(message, "", DELAYED, durable)
            return
        flags = 0 if copies.name.is_session else FOR_SUBJECT
        fanout = Fanout(len(copies.sessions)) if not copies.name.is_session and len(copies.sessions) > 1 else None
        for session in copies.sessions:
            self._put_to(session, message, flags, fanout)

    def _put_to(self, session: Session, message: Message, flags: int = 0, fanout: Fanout | None = None) -> None:
        durable = message.envelope.persistent
        if durable and not session.stored:
            self._sessions.keep(session)
        session.queue.put(message, PTP_SUBSCRIPTION, flags, durable, fanout)
        session.dispatch.wake()
