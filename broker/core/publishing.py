"""Publishing messages of sessions, and delivering them on topics (spec xmlblaster §2.3, §8)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from broker.core.codec import Encoded
from broker.core.full_queues import FullQueues
from broker.core.message import Envelope, Message
from broker.core.overflow import make_room
from broker.core.point_to_point import PointToPoint
from broker.core.sessions import Plan, Route, Session
from broker.core.topics import Topic, TopicState, check_configuration
from broker.core.trace import Point
from broker.core.verdicts import FilterCosts, Verdicts
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.logs.limit import NamedLogLimits, lines
from broker.model.address import SessionName
from broker.model.item import without_reserved
from broker.model.key import Key, is_administrative
from broker.model.property import ClientProperty, check_properties
from broker.model.qos import STATE_ERASED, STATE_OK, STATE_WARNING, Destination, PublishQos, TopicQos
from broker.model.records import NEWEST_ONLY

if TYPE_CHECKING:
    from broker.core.dead_letters import DeadLetters
    from broker.core.expiry import Expiry
    from broker.core.node import Node
    from broker.core.placeholders import Placeholders
    from broker.core.queues import Queue
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


class Put(NamedTuple):
    """What became of a message that administration has published.

    Args:
        id: receive timestamp in nanoseconds.
        receivers: subscriptions whose queues have it.
    """

    id: int
    receivers: int


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
        self._letters = letters
        lost = NamedLogLimits(node.monotonic, lines(log.info), "lost messages")
        self._full_queues = FullQueues(node, letters, expiry, lost)
        self._direct = PointToPoint(node, sessions, placeholders, self._full_queues, rights, lost)
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
                if self._node.trace is not None:
                    self._trace(message, entered=True)
                self._direct.put_to(receiver, message)
                return _new(Published, (envelope.oid, message.id, STATE_OK, "", ()))
        qos = envelope.qos
        if qos.administrative:
            return self._administer(session, topic or self._node.topic(envelope.oid), plan)
        message = self._node.message(envelope, content)
        # Everything that may refuse the message comes before everything that has an effect.
        try:
            copies, outcomes = self._direct.resolve(message, session) if qos.destinations else ([], [])
            receivers, aside = self._receivers(topic, message, session, verdicts) if topic is not None else ([], None)
        except (BrokerError, Pending) as obstacle:
            self._direct.forget_forced(qos.destinations)
            if is_new and topic is not None:
                self._unconfigure(topic)
            if isinstance(obstacle, Pending):
                return obstacle
            raise
        session.counters.published(len(content), envelope.persistent)
        if self._node.trace is not None:
            self._trace(message, entered=topic is None)
        for copy in copies:
            self._direct.put(copy, message)
        if topic is not None:
            self._publish_on(topic, message, receivers, aside)
        if len(outcomes) > 1:
            self._direct.forget_forced([destination for destination, error in outcomes if error is not None])
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

    def configure(self, topic: Topic, key: Key, config: TopicQos, *, described: bool) -> None:
        """Configure a topic for administration, whoever it belongs to; one that is made by this belongs to everybody.

        Args:
            topic: the topic.
            key: its key.
            config: its configuration from now on.
            described: take the key in place of the one before.

        Raises:
            BrokerError: ``resource.configuration.pluginFailed`` for a distributor that is not there; the key cannot be
                searched. A topic that nobody has published on stays as it was.
        """
        check_configuration(config)
        node = self._node
        qos = PublishQos(administrative=True, topic=config)
        encoded = Encoded(node.codec.write_key(key), node.codec.write_publish_qos(qos))
        envelope = node.envelope(key, qos, encoded)
        self._configure(topic, envelope, qos, first=topic.key is None, described=described)

    async def publish_as(self, sender: SessionName, key: Key, qos: PublishQos, content: bytes) -> Put:
        """Publish a message in the name of somebody whom administration has let in, and who has no session here.

        Args:
            sender: whom receivers are told.
            key: of a topic that is there.
            qos: as it was asked for, without destinations.
            content: opaque bytes.

        Raises:
            BrokerError: ``user.publish.readonly``, ``user.oid.unknown`` where the topic goes while the message waits
                for its filters, ``resource.exhaust``. Nothing was published then.
        """
        check_properties(qos.properties)
        node = self._node
        envelope = node.envelope(key, node.received_qos(_believed(qos), sender.absolute))
        verdicts: Verdicts | None = None
        while True:
            topic = node.topics.get(key.oid)
            if topic is None:
                raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no topic '{key.oid}'", key.oid)
            self._check_writable(topic)
            is_new = topic.key is None
            if is_new:
                self._configure(topic, envelope, None, first=True)
            message = node.message(envelope, content)
            try:
                receivers, aside = self._receivers(topic, message, None, verdicts)
            except (BrokerError, Pending) as obstacle:
                if is_new:
                    self._unconfigure(topic)
                if not isinstance(obstacle, Pending):
                    raise
                await obstacle.wait()
                verdicts = obstacle.verdicts or verdicts
            else:
                break
        node.past.published(len(content), envelope.persistent)
        self._publish_on(topic, message, receivers, aside)
        return Put(message.id, len(receivers))

    def publish_internal(self, message: Message, given: PublishQos | None = None) -> None:
        """Publish a message of the broker itself on its topic.

        Args:
            message: with its envelope complete.
            given: with the configuration of the topic, where the message is the first on it.

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many topics, or the account of the topic may hold no
                more.
        """
        topic = self._node.topic(message.oid)
        if topic.key is None:
            self._configure(topic, message.envelope, given, first=True)
        receivers, aside = self._receivers(topic, message, None, None)
        self._publish_on(topic, message, receivers, aside)

    def _trace(self, message: Message, *, entered: bool) -> None:
        """Tell whoever looks on of a message of a session, and once it is safe, that its publisher may be told so.

        Args:
            message: that is published.
            entered: tell of the first here; what is published on a topic is told where it goes there.
        """
        node = self._node
        if entered and node.trace is not None:
            node.trace(Point.PUBLISHED, message, "")

        def accepted() -> None:
            if node.trace is not None:
                node.trace(Point.ACCEPTED, message, "")

        node.later(0, lambda: node.store.when_committed(node.store.position, accepted))

    def _prepare_topic(self, topic: Topic, plan: Plan, session: Session) -> None:
        envelope = plan.envelope
        if not envelope.qos.administrative:
            self._check_writable(topic)
        if topic.key is None:
            self._claim(topic, plan, session)
            self._configure(topic, envelope, plan.given, first=True)

    @staticmethod
    def _check_writable(topic: Topic) -> None:
        if topic.config.readonly and topic.key is not None and topic.used:
            raise BrokerError(Code.USER_PUBLISH_READONLY, f"topic '{topic.oid}' is readonly", f"/topic/{topic.oid}")

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
            self._node.bring_to_life(topic)
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
                if self._full_queues.refuses(queue, len(message.content), publisher, session):
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
        trace = self._node.trace
        if trace is not None:
            trace(Point.PUBLISHED, message, "")
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
            if trace is not None:
                trace(Point.QUEUED, message, session.dispatch.name)
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
            self._full_queues.overflow(subscription.session.queue, message, subscription.session.name)

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


def _believed(qos: PublishQos) -> PublishQos:
    """A QoS as a publisher may say it; the same object where that is all it says."""
    properties = without_reserved(qos.properties)
    erased = qos.state == STATE_ERASED  # which is how the broker tells that a topic is gone
    if properties is qos.properties and not erased:
        return qos
    return replace(qos, properties=properties, state=STATE_OK if erased else qos.state)
