"""Publishing: on a topic, and from point to point (spec xmlblaster §2.3, §8, §9)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, assert_never

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.core.codec import Encoded
from broker.core.entries import Fanout
from broker.core.message import Envelope, Message
from broker.core.overflow import discards, make_room, overflow_error
from broker.core.queues import Queue
from broker.core.sessions import Plan, RoomWait, Route, Session
from broker.core.subjects import Subject
from broker.core.topics import Topic, TopicState, check_configuration
from broker.core.verdicts import FilterCosts, Verdicts
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.logs.limit import NamedLogLimits, lines
from broker.model.address import SessionName
from broker.model.item import without_reserved
from broker.model.key import PTP_SUBSCRIPTION, Key, is_administrative
from broker.model.property import ClientProperty, check_properties, is_set
from broker.model.qos import STATE_ERASED, STATE_OK, STATE_WARNING, Destination, Overflow, PublishQos
from broker.model.records import DELAYED, FOR_SUBJECT, NEWEST_ONLY
from broker.timers import cancel

if TYPE_CHECKING:
    from broker.core.dead_letters import DeadLetters
    from broker.core.expiry import Expiry
    from broker.core.node import Node
    from broker.core.placeholders import Placeholders
    from broker.core.registry import SessionRegistry
    from broker.core.rights import Rights
    from broker.core.subscriptions import Subscription
    from broker.filters.candidate import Candidate

log = Logger()

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


class Aside:
    """What a message does on its topic beside reaching its receivers; decided first, and done once nothing refuses it.

    Attributes:
        overflowing: subscriptions whose queues are full; nothing waits for these.
        crowded: queues that discard their oldest messages for this one.
        letters: receivers whose filters cannot tell, and why: it is a dead message for them.
        unasked: it is one for those, too, whose queries did not look at the topic.
    """

    __slots__ = ("crowded", "letters", "overflowing", "unasked")

    def __init__(self) -> None:
        self.overflowing: list[Subscription] = []
        self.crowded: list[Queue] = []
        self.letters: list[tuple[SessionName, BrokerError]] = []
        self.unasked = False


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
        placeholders: makes sessions and subjects that a message is forced to.
        letters: for what cannot be delivered.
        expiry: for messages with a life time.
        rights: decides who may.

    Attributes:
        processor_time: seconds that this thread has computed.
        filter_costs: of all messages.
    """

    def __init__(
        self,
        node: Node,
        sessions: SessionRegistry,
        placeholders: Placeholders,
        letters: DeadLetters,
        expiry: Expiry,
        rights: Rights,
    ) -> None:
        self._node = node
        self._sessions = sessions
        self._placeholders = placeholders
        self._letters = letters
        self._refusals = NamedLogLimits(node.monotonic, lines(log.info), "lost messages")
        self._expiry = expiry
        self._rights = rights
        self.processor_time = time.thread_time
        self.filter_costs = FilterCosts()
        letters.publish = self.publish_internal

    def prepare(
        self,
        session: Session,
        key: Key,
        qos: PublishQos,
        encoded: Encoded | None = None,
        *,
        raw: bool = False,
        owned: bool = False,
    ) -> Plan:
        """Work out what publishing with a key and a QoS does; nothing changes.

        Args:
            session: the publisher.
            key: with an empty oid where the broker is to choose one.
            qos: as the publisher gave it.
            encoded: key and QoS as the codec writes them, where the publisher gave them so.
            raw: the tongue itself answers for the contents, which it writes as they are, and for the properties that
                are reserved. Only then may the oid be one of :attr:`broker.core.node.Node.raw_contents`, and an
                administrative publish describe its topic anew.
            owned: where the publish makes the topic, it belongs to the publisher's login name.

        Raises:
            BrokerError: ``user.notAuthorized``, ``internal.notImplemented``, ``user.illegalArgument`` for an oid that
                is reserved for the broker itself, ``resource.configuration.pluginFailed`` for a distributor that is
                not there.
        """
        check_properties(qos.properties)
        if qos.topic is not None:
            check_configuration(qos.topic)
        node = self._node
        made_up = not key.oid
        if made_up:
            key = replace(key, oid=f"{node.stripped_id}-{node.ids.next()}")
            encoded = None if encoded is None else encoded._replace(key=node.codec.write_key(key))
        if not raw:
            cleaned = _believed(qos)
            if cleaned is not qos:
                qos, encoded = cleaned, None
        if encoded is None and qos.topic is not None:  # which the topic's record keeps, and receivers do not get
            encoded = Encoded(node.codec.write_key(key), node.codec.write_publish_qos(qos))
        if is_administrative(key.oid) or (key.oid in node.raw_contents and not raw):
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{key.oid}' is reserved for the broker itself", key.oid)
        on_topic = qos.subscribable or not qos.destinations
        self._rights.check_publish(session, key.oid, on_topic=on_topic)
        for destination in qos.destinations:
            if destination.query_type != "EXACT":
                raise BrokerError(
                    Code.INTERNAL_NOT_IMPLEMENTED, f"destinations of type {destination.query_type} are not supported"
                )
        sender = session.name.absolute
        if session.accept_wrong_sender and qos.sender:
            sender = node.session_name(qos.sender).absolute
        envelope = node.envelope(key, node.received_qos(qos, sender), encoded)
        owner = session.name.subject if owned else ""
        return Plan(envelope, qos, on_topic=on_topic, reusable=not made_up, raw=raw, owner=owner)

    def publish(
        self, session: Session, plan: Plan, content: bytes, verdicts: Verdicts | None = None
    ) -> Published | Pending:
        """Publish one message of a session.

        Args:
            session: the publisher.
            plan: of this session, by :meth:`prepare`.
            content: opaque bytes.
            verdicts: of filters that were asked when it had to wait before.

        Returns:
            The outcome, or what the message has to wait for, which :meth:`publish_when_possible` does: room in a queue
            whose overflow is ``block``, history that must be read first, or others' turns. Nothing changed then.

        Raises:
            BrokerError: see spec §2.3. Nothing was published then.
        """
        envelope = plan.envelope
        topic = plan.topic
        is_new = False
        if plan.on_topic:
            if topic is None or topic.state is TopicState.DEAD:
                topic = plan.topic = self._node.topic(envelope.oid)
            is_new = topic.key is None
            if is_new or topic.state is not TopicState.ALIVE or topic.config.readonly:
                self._prepare_topic(topic, plan, session)
        elif plan.route is not None:
            receiver = plan.route.session
            if receiver is not None and receiver.qos.ptp and not receiver.queue.is_full and not plan.route.is_behind:
                message = self._node.message(envelope, content)
                session.counters.published(len(content), envelope.persistent)
                self._put_to(receiver, message)
                return _new(Published, (envelope.oid, message.id, STATE_OK, "", ()))
        qos = envelope.qos
        if qos.administrative:
            return self._administer(session, topic or self._node.topic(envelope.oid), plan)
        message = self._node.message(envelope, content)
        # Everything that may refuse the message comes before everything that has an effect.
        try:
            copies, outcomes = self._resolve(message, session) if qos.destinations else ([], [])
            receivers, aside = self._receivers(topic, message, session, verdicts) if topic is not None else ([], None)
        except (BrokerError, Pending) as obstacle:
            self._forget_forced(qos.destinations)
            if is_new and topic is not None:
                self._unconfigure(topic)
            if isinstance(obstacle, Pending):
                return obstacle
            raise
        session.counters.published(len(content), envelope.persistent)
        for copy in copies:
            self._put_ptp(copy, message)
        if topic is not None:
            self._publish_on(topic, message, receivers, aside)
        if len(outcomes) > 1:
            self._forget_forced([destination for destination, error in outcomes if error is not None])
            return self._report(message, outcomes)
        if topic is None and copies and copies[0].name.is_session:
            plan.route = Route(copies[0].subject, copies[0].name.public_id)
        return _new(Published, (envelope.oid, message.id, STATE_OK, "", ()))  # its name would take twice the time

    async def publish_when_possible(
        self, session: Session, plan: Plan, content: bytes, pending: Pending | None = None
    ) -> Published:
        """Publish one message as :meth:`publish` does, waiting where that cannot be done at once.

        Args:
            session: the publisher.
            plan: of this session.
            content: opaque bytes.
            pending: what it has to wait for first, where that is known already.

        Raises:
            BrokerError: see spec §2.3; ``user.notConnected`` where the session ends before.
        """
        verdicts: Verdicts | None = None
        while True:
            if pending is not None:
                await pending.wait()
                verdicts = pending.verdicts or verdicts
            if session.ended:
                raise BrokerError(Code.USER_NOT_CONNECTED, "the session ended while its message waited")
            outcome = self.publish(session, plan, content, verdicts)
            if not isinstance(outcome, Pending):
                return outcome
            pending = outcome

    def publish_internal(self, message: Message) -> None:
        """Publish a message of the broker itself on its topic.

        Args:
            message: with its envelope complete.
        """
        topic = self._node.topic(message.oid)
        if topic.key is None:
            self._configure(topic, message.envelope, None, first=True)
        receivers, aside = self._receivers(topic, message, None, None)
        self._publish_on(topic, message, receivers, aside)

    def _prepare_topic(self, topic: Topic, plan: Plan, session: Session) -> None:
        envelope = plan.envelope
        if topic.config.readonly and topic.key is not None and not envelope.qos.administrative and topic.used:
            raise BrokerError(Code.USER_PUBLISH_READONLY, f"topic '{topic.oid}' is readonly", f"/topic/{topic.oid}")
        if topic.key is None:
            self._claim(topic, plan, session)
            self._configure(topic, envelope, plan.given, first=True)

    def _claim(self, topic: Topic, plan: Plan, session: Session) -> None:
        """A session makes a topic, which counts for its account."""
        try:
            session.subject.usage.check_topics()
        except BrokerError:
            self._node.check_topic(topic)
            raise
        topic.owner = plan.owner
        topic.charge(session.subject.usage)

    def _administer(self, session: Session, topic: Topic, plan: Plan) -> Published:
        first = topic.key is None
        if first:
            self._claim(topic, plan, session)
        self._rights.check_owner(session, topic)
        self._configure(topic, plan.envelope, plan.given, first=first, described=plan.raw)
        self._node.check_topic(topic)
        return Published(plan.envelope.oid, 0, STATE_OK, ADMINISTRATIVE_INFO)

    def _configure(
        self, topic: Topic, envelope: Envelope, given: PublishQos | None, *, first: bool, described: bool = False
    ) -> None:
        config = given.topic if given is not None else None
        default = self._node.default_history(topic.oid)
        try:
            document = topic.document_of(envelope.key, config) if first or described else None
        except BrokerError:
            if first:
                self._unconfigure(topic)
            raise
        topic.configure(envelope.key, envelope.encoded, config, default, described=described, document=document)
        if config is not None:
            self._node.save_topic(topic, changed=True)
        if first:
            topic.state = TopicState.ALIVE
            self._match_rules(topic)

    def _unconfigure(self, topic: Topic) -> None:
        """The publish that was to be the first of a topic is refused: nothing of its configuration stays."""
        topic.unconfigure(self._node.default_history(topic.oid))
        self._node.forget_topic_record(topic)
        self._node.check_topic(topic)

    def _match_rules(self, topic: Topic) -> None:
        matched = self._node.interest.matching(topic)
        for subscription in matched.subscriptions:
            topic.subscribe(subscription)
        topic.unasked = matched.unasked

    def _receivers(
        self, topic: Topic, message: Message, publisher: Session | None, verdicts: Verdicts | None
    ) -> tuple[list[Subscription], Aside | None]:
        """Who gets the message, and what else it does. Nothing is changed: it may yet be refused, or have to wait."""
        history, qos = topic.history, message.envelope.qos
        usage = history.usage
        if usage.history_bytes >= usage.max_history_bytes and qos.life_time != 0 and history.limits.entries > 0:
            usage.check_history(history.bytes)
        if not qos.force_update and self._is_unchanged(topic, message):
            return [], None
        receivers: list[Subscription] = []
        aside: Aside | None = None
        once: set[Session] | None = None  # most topics need neither of these
        candidate: Candidate | None = None
        if topic.unasked:
            aside = Aside()
            aside.unasked = True
        for subscription in topic.subscriptions:
            session = subscription.session
            if session is publisher and not subscription.local:
                continue
            if subscription.accepts is not None:
                if verdicts is None:
                    pace = self._node.pace(publisher) if publisher is not None else None
                    verdicts = Verdicts(self.processor_time, pace, self.filter_costs)
                if candidate is None:
                    candidate = topic.candidate(message)
                try:
                    verdict = verdicts.of(subscription, candidate)
                except Pending as pending:
                    pending.verdicts = verdicts
                    raise
                if isinstance(verdict, BrokerError):
                    aside = aside or Aside()
                    aside.letters.append((session.name, verdict))
                    continue
                if not verdict:
                    continue
            if not session.qos.duplicate_updates:
                if once is None:
                    once = set()
                if session in once:
                    continue
                once.add(session)
            queue = session.queue
            limits, usage = queue.limits, queue.usage
            if (
                queue.entries >= limits.entries
                or queue.bytes >= limits.bytes
                or usage.queue_bytes >= usage.max_queue_bytes
            ):
                aside = aside or Aside()
                if self._refuses(queue, len(message.content), publisher, session):
                    aside.overflowing.append(subscription)
                    continue
                aside.crowded.append(queue)
            receivers.append(subscription)
        return receivers, aside

    def _tell_unasked(self, topic: Topic, message: Message) -> None:
        """A message that sessions might have wanted is a dead message for them, once for each topic."""
        unasked, topic.unasked = topic.unasked, {}
        for session, number in unasked.items():
            reason = (
                f"the queries of {session.name.relative} take too long, or select too many topics; {number} do not get "
                "this topic"
            )
            self._letters.message(message, session.name.absolute, BrokerError(Code.RESOURCE_EXHAUST, reason))

    def _is_unchanged(self, topic: Topic, message: Message) -> bool:
        if topic.history.unread:
            raise Pending(lambda: ensureDeferred(topic.history.load()))
        newest = topic.history.newest
        return newest is not None and newest.content == message.content

    def _publish_on(self, topic: Topic, message: Message, receivers: list[Subscription], aside: Aside | None) -> None:
        envelope = message.envelope
        persistent = envelope.persistent
        history = topic.history
        if not topic.used:
            topic.used = True
            if not topic.is_internal:
                self._node.save_topic_soon(topic)
        if persistent and not topic.stored:
            self._node.save_topic(topic)
        if envelope.qos.life_time != 0:
            if history.unread:
                loading = ensureDeferred(history.load())
                loading.addErrback(lambda failure: log.failure("history cannot be read", failure))
            history.put(message, durable=persistent)
            if message.expires:
                self._expiry.add(message)
        if aside is not None:
            for queue in aside.crowded:
                make_room(queue, message)
        for subscription in receivers:
            if subscription.held is not None:  # its initial update goes first
                subscription.held.append(message)
                continue
            session = subscription.session
            durable = persistent and (session.persistent or session.can_return)
            if durable and not session.stored:
                self._sessions.save(session)
            entry = session.queue.put(message, subscription.id, subscription.flags, durable)
            if subscription.flags & NEWEST_ONLY:
                subscription.supersede(entry)
            if not session.dispatch.awake:
                session.dispatch.wake()
        if aside is not None:
            self._put_aside(topic, message, aside)
        if topic.state is not TopicState.ALIVE or not (topic.exact or len(history)):
            self._node.check_topic(topic)

    def _put_aside(self, topic: Topic, message: Message, aside: Aside) -> None:
        if aside.unasked:
            self._tell_unasked(topic, message)
        for name, error in aside.letters:
            self._letters.message(message, name.absolute, error)
        for subscription in aside.overflowing:
            self._overflow(subscription.session.queue, message, subscription.session.name)

    def _refuses(self, queue: Queue, size: int, publisher: Session | None, owner: Session | Subject) -> bool:
        """Decide on a queue that seems to be full, without discarding anything yet.

        Args:
            queue: of a receiver.
            size: of the content.
            publisher: whom an error can be told, or who can wait; ``None`` for the broker itself.
            owner: of the queue.

        Returns:
            ``False`` where there is room, or :meth:`Queue.discard_oldest` makes it; ``True`` where the entry must go
            elsewhere.
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

    def _overflow(self, queue: Queue, message: Message, owner: SessionName) -> None:
        error = overflow_error(queue)
        if discards(queue):
            self._node.losses.discarded += 1
            self._refusals.tell(owner.absolute, lambda: f"{owner.relative}: {message.oid} discarded: {error.message}")
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
                raise overflow_error(queue)
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
                with suppress(BrokerError):  # of a name that cannot be read nothing was made
                    self._placeholders.forget(self._node.session_name(destination.name))

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
        if (subject is None and not forced) or not self._rights.is_welcome(publisher, name.subject):
            raise self._unknown(name, message)
        if subject is None:
            subject = self._placeholders.subject(name, publisher.subject.usage)
        if not name.is_session:
            return self._copies_for_subject(name, subject, message, publisher)
        session = subject.sessions.get(name.public_id)
        if session is None:
            if not forced:
                raise self._unknown(name, message)
            session = self._placeholders.session(name, publisher.subject.usage)
        if not session.qos.ptp:
            raise BrokerError(
                Code.USER_PTP_DENIED, f"{name.relative} accepts no point-to-point messages", name.absolute
            )
        waiting = self._sessions.subject_queues
        if waiting.are_due(session):
            raise Pending(lambda: waiting.moved(session))
        queue = session.queue
        if queue.is_full and waiting.wait_for(session) and queue.limits.overflow is Overflow.DISCARD_OLDEST:
            raise overflow_error(queue)  # room that it makes is for those that came before
        if not queue.is_full or not self._refuses(queue, len(message.content), publisher, session):
            return Copies(name, subject, [session], [])
        if not discards(queue):
            raise overflow_error(queue)
        return Copies(name, subject, [], [(queue, session.name)])

    def _copies_for_subject(self, name: SessionName, subject: Subject, message: Message, publisher: Session) -> Copies:
        """Where the copies for a login name go: to all its sessions that have room, else to the subject's queue."""
        size = len(message.content)
        taking: list[Session] = []
        overflowing: list[tuple[Queue, SessionName]] = []
        refusing: Queue | None = None
        lost = True
        for session in [] if subject.queue.entries else subject.receivers:  # behind what waits for the subject already
            queue = session.queue
            if not queue.is_full:
                taking.append(session)
                continue
            reaction = queue.limits.overflow
            if reaction in (Overflow.EXCEPTION, Overflow.DEAD_MESSAGE):
                lost = False
                if reaction is Overflow.EXCEPTION:
                    refusing = queue
            elif not self._refuses(queue, size, publisher, session):
                taking.append(session)
                continue
            overflowing.append((queue, session.name))
        if taking and refusing is not None:
            raise overflow_error(refusing)
        if taking or (overflowing and lost):
            return Copies(name, subject, taking, overflowing)
        if subject.guest:  # who never comes back
            raise self._unknown(name, message)
        queue = subject.queue
        if not queue.is_full or not self._refuses(queue, size, publisher, subject):
            return Copies(name, subject, [], [])
        if not discards(queue):
            raise overflow_error(queue)
        return Copies(name, subject, [], [(queue, name)])

    def _unknown(self, name: SessionName, message: Message) -> BrokerError:
        return BrokerError(
            Code.USER_PTP_UNKNOWN_DESTINATION,
            f"the message to '{name.absolute}' was rejected: nobody of that name is logged in and "
            "<destination forceQueuing='true'> is not set",
            f"/topic/{message.oid}",
        )

    def _put_ptp(self, copies: Copies, message: Message) -> None:
        durable = message.envelope.persistent
        subject = copies.subject
        for queue, owner in copies.overflowing:
            self._overflow(queue, message, owner)
        if not copies.sessions:
            if not copies.overflowing:
                if durable:
                    self._node.save_subject(subject)
                make_room(subject.queue, message)
                subject.queue.put(message, "", DELAYED, durable)
                for session in subject.receivers:
                    self._sessions.subject_queues.deliver(session)
            return
        flags = 0 if copies.name.is_session else FOR_SUBJECT
        fanout = Fanout(len(copies.sessions)) if not copies.name.is_session and len(copies.sessions) > 1 else None
        for session in copies.sessions:
            make_room(session.queue, message)
            self._put_to(session, message, flags, fanout)

    def _put_to(self, session: Session, message: Message, flags: int = 0, fanout: Fanout | None = None) -> None:
        durable = message.envelope.persistent and not session.subject.guest
        if durable and not session.stored:
            self._sessions.save(session)
        session.queue.put(message, PTP_SUBSCRIPTION, flags, durable, fanout)
        session.dispatch.wake()


def _believed(qos: PublishQos) -> PublishQos:
    """A QoS as a publisher may say it; the same object where that is all it says."""
    properties = without_reserved(qos.properties)
    erased = qos.state == STATE_ERASED  # which is how the broker tells that a topic is gone
    if properties is qos.properties and not erased:
        return qos
    return replace(qos, properties=properties, state=STATE_OK if erased else qos.state)
