"""What one running broker knows: its subjects, sessions and topics, its store and its clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from twisted.logger import Logger

from broker.core.audit_trail import AuditTrail
from broker.core.codec import Codec, Encoded, Queries
from broker.core.counters import Counters
from broker.core.dispatch import Dispatch
from broker.core.entries import CacheBudget, Entry, Fanout, QueueLimits
from broker.core.events import Events
from broker.core.history import History
from broker.core.ids import Ids
from broker.core.interest import Interest
from broker.core.losses import Losses
from broker.core.message import Envelope, Message, NeutralReader
from broker.core.pace import NoTurns, Pace, Turns
from broker.core.queues import Queue
from broker.core.quotas import Quotas, Usage
from broker.core.sessions import Session
from broker.core.set_aside import SetAside
from broker.core.settings import Settings
from broker.core.settled_rows import SettledRows
from broker.core.subjects import Subject
from broker.core.subscriptions import Subscription
from broker.core.thresholds import Thresholds
from broker.core.topics import Topic, TopicState
from broker.core.trace import Point, Trace, Traces
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.address import SessionName, parse_session_name, stripped_node_id
from broker.model.key import DEAD_MESSAGE_OID, Key
from broker.model.number import MOST
from broker.model.qos import Destination, PublishQos
from broker.model.records import NEWEST_ONLY, EntryRecord, MessageRecord, TopicRecord, UnreadableMessage
from broker.ports import IStore
from broker.timers import cancel

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall


log = Logger()

MAX_ENVELOPES = 4096
KEEP_DELAY = 1000
"""Milliseconds until a topic without persistent messages is in the store; one that is gone by then never is."""


class CountsHandled(Protocol):
    """Counts what it has handled of its client, exactly over a crash (design D9)."""

    def save_handled(self) -> None:
        """Append the number to the store, in the transaction of the effects of what was handled."""


class Node:
    """The state that all parts of the core share.

    Args:
        id: of the node.
        clock: an ``IReactorTime`` for what is to happen after a while.
        store: an opened :class:`broker.ports.IStore`.
        settings: defaults and limits.
        codec: of stored records.
        queries: over topics and messages.
        host: address of the broker, informative in secret session ids.
        monotonic: seconds by a clock that nobody sets; that of ``clock`` where it is not given.
        wall: seconds since 1970, by the wall clock; that of ``clock`` where it is not given.
        turns: of accounts whose requests take long; each is done in one go where they are not given.
        events: are told of what happens; of its own, which nobody hears of, where they are not given.

    Attributes:
        seconds: see ``wall``.
        past: what sessions that have ended did.
        waiting_publishers: requests that wait for room in a queue whose overflow is ``block``.
        counted: streams whose number of handled stanzas is to be stored with the next commit.
        cache_budget: memory that the queues share.
        quotas: what each account uses of what it may.
        erasures: how often messages were erased that may be queued.
        fanouts: what entries that are on disk only have in common with those of other sessions, by their ``seq``.
        raw_contents: oids of messages whose content is raw bytes of one tongue, which alone may publish them, each with
            what reads them for others. A tongue adds its own before recovery.
        content_checks: each raises ``resource.db.unknown`` for a message from the store whose content cannot be
            delivered any more. A tongue adds its own before recovery.
        erased: number of the erasure by oid, of topics that queues may still hold erased messages of.
        roles: of accounts in administration, by login name; empty where accounts are not those of the store.
        trail: what was done in administration.
        set_aside: what of the store cannot be read.
        losses: messages that went without a word.
        thresholds: marks on queues.
        trace: is told of every message while anybody looks on; ``None`` while nobody does.
        traces: those who look on.
        last_heartbeat: milliseconds since 1970 when the broker was last known to run before this start; 0 if never.
    """

    def __init__(
        self,
        id: str,
        clock: Any,
        store: IStore,
        settings: Settings,
        codec: Codec,
        queries: Queries,
        host: str = "127.0.0.1",
        monotonic: Callable[[], float] | None = None,
        wall: Callable[[], float] | None = None,
        turns: Turns | None = None,
        events: Events | None = None,
    ) -> None:
        self.id = id
        self.stripped_id = stripped_node_id(id)
        self.host = host
        self.clock = clock
        self.store = store
        self.settings = settings
        self.codec = codec
        self.queries = queries
        self.seconds: Callable[[], float] = wall or clock.seconds
        self.monotonic: Callable[[], float] = monotonic or clock.seconds
        self.ids = Ids(self.seconds, self.monotonic)
        self.started = self.now()
        self.name = SessionName(id, "__RequestBroker_internal")
        self.subjects: dict[str, Subject] = {}
        self.sessions: dict[str, Session] = {}
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.interest = Interest(queries)
        self.queues: dict[int, Queue | History] = {}
        self.cache_budget = CacheBudget(settings.cache_bytes)
        self.quotas = Quotas(settings.quotas, settings.administrators)
        self.fanouts: dict[int, Fanout] = {}
        self.stored_sessions = 0
        self.stored_subscriptions = 0
        self.erased: dict[str, int] = {}
        self.erasures = 0
        self.past = Counters()
        self.losses = Losses()
        self.settled_rows = SettledRows()
        self.trace: Trace | None = None
        self.traces = Traces(self)
        self.events = events or Events(self.seconds)
        self.thresholds = Thresholds(self)
        self.waiting_publishers = 0
        self.counted: list[CountsHandled] = []
        self.raw_contents: dict[str, NeutralReader] = {}
        self.content_checks: list[Callable[[Message], None]] = []
        self.last_heartbeat = 0
        self.roles: dict[str, str] = {}
        self.trail = AuditTrail(self)
        self.set_aside = SetAside()
        store.before_commit = self._before_commit
        store.on_unreadable = self.set_aside.add
        self._turns: Turns = NoTurns() if turns is None else turns
        self._sequence = count(self.ids.next())
        self._public_id = 0
        self._new_topics: list[Topic] = []
        self._keep_call: IDelayedCall | None = None
        self._awake: list[Dispatch] = []
        self._envelopes: dict[tuple[str, bytes, bytes], Envelope] = {}

    def change_settings(self, settings: Settings) -> None:
        """Have other settings from now on: limits hold at once, defaults for what is new."""
        self.settings = settings
        self.cache_budget.most = settings.cache_bytes
        self.quotas.change(settings.quotas)
        self._envelopes.clear()
        for session in self.sessions.values():
            session.plans.clear()  # which know the life time that messages get

    def total(self, *names: str) -> int:
        """What all sessions did since the broker started, also those that have ended.

        Args:
            names: of what is counted (:class:`broker.core.counters.Counters`); it is summed.
        """
        return self.past.total((session.counters for session in self.sessions.values()), names)

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self.seconds() * 1000)

    def seen_at(self, session: Session) -> int:
        """When the last request of a session came, in milliseconds since 1970 as the clock is now."""
        return self.now() - session.idle(self.monotonic())

    def later(self, milliseconds: int, call: Callable[[], None]) -> IDelayedCall:
        """Call back after a while."""
        delayed: IDelayedCall = self.clock.callLater(milliseconds / 1000, call)
        return delayed

    def pace(self, session: Session) -> Pace:
        """Of a request of a session that may take long."""
        return self.pace_of(session.subject.name)

    def pace_of(self, account: str) -> Pace:
        """Of work that is done for an account and may take long."""
        return Pace(self._turns, account)

    def next_entry(self) -> int:
        """The number of the next queue entry."""
        return next(self._sequence)

    def raise_floor(self, floor: int) -> None:
        """Give only numbers above ``floor`` (after recovery)."""
        self.ids.raise_floor(floor)
        self._sequence = count(self.ids.next())

    def next_public_id(self) -> int:
        """A public session id for a client that chose none; unique within the node (spec §24 fact 1)."""
        self._public_id -= 1
        return self._public_id

    def lower_public_id(self, taken: int) -> None:
        """Give only public ids below one that is taken."""
        self._public_id = min(self._public_id, taken)

    def wake(self, dispatch: Dispatch) -> None:
        """Let a dispatch deliver at the end of this turn, so that what one read brings goes out in one write."""
        if not self._awake:
            self.clock.callLater(0, self._deliver)
        self._awake.append(dispatch)

    def _deliver(self) -> None:
        awake, self._awake = self._awake, []
        for dispatch in awake:
            dispatch.awake = False
            dispatch.pump()
        self.store.end_turn()

    def _before_commit(self, amid_turn: bool) -> None:
        """What belongs to what this turn has appended goes into the same transaction (spec xmpp §1.8 I1, I2).

        Args:
            amid_turn: a question cuts the turn. Whoever asked may be a dispatch that is just taking entries, and would
                be made to take the next ones before it has sent those; deliveries wait for the end of the turn.
        """
        if self._awake and not amid_turn:
            self._deliver()
        counted, self.counted = self.counted, []
        for stream in counted:
            stream.save_handled()

    def queue(self, id: int, limits: QueueLimits, usage: Usage) -> Queue:
        """Make the queue of a session or subject, which counts for an account."""
        queue = self.queues[id] = Queue(
            id, limits, self.store, self.next_entry, self.revive, self.cache_budget, self.fanouts, self, usage
        )
        return queue

    def session_name(self, text: str) -> SessionName:
        """Read a session or subject name that a peer gave."""
        return parse_session_name(text, self.id)

    def subject(self, name: str, max_sessions: int | None = None) -> Subject:
        """Find or make a subject."""
        subject = self.subjects.get(name)
        if subject is None:
            id = self.ids.next()
            most = self.settings.max_sessions if max_sessions is None else max_sessions
            usage = self.quotas.of(name)
            subject = Subject(id, name, self.queue(id, self.settings.subject, usage), self.now(), most, usage)
            self.subjects[name] = subject
            self.thresholds.of_subject(subject)
        return subject

    def save_subject(self, subject: Subject) -> None:
        """Have the subject in the store, because entries of its queue are to be there."""
        if not subject.stored:
            self.keep_limits(subject)

    def keep_limits(self, subject: Subject) -> None:
        """Have the subject in the store as it is now."""
        subject.stored = True
        self.store.put_subject(subject.record)

    def release_subject(self, subject: Subject) -> None:
        """Forget a subject that has neither sessions nor messages."""
        if subject.sessions or subject.ending or len(subject.queue) or subject.blocked or subject.is_limited:
            return
        self.subjects.pop(subject.name, None)
        self.queues.pop(subject.id, None)
        subject.forced.end()
        if subject.stored:
            subject.stored = False
            self.store.delete_subject(subject.id)

    def topic(self, oid: str) -> Topic:
        """Find or make a topic (spec §2.4: unknown topics are made and remembered).

        Raises:
            BrokerError: ``resource.exhaust`` where there are too many.
        """
        topic = self.topics.get(oid)
        if topic is None:
            if len(self.topics) >= self.settings.max_topics:
                raise BrokerError(Code.RESOURCE_EXHAUST, f"there are {len(self.topics)} topics already", oid)
            topic = self.make_topic(self.ids.next(), oid)
        return topic

    def make_topic(self, id: int, oid: str) -> Topic:
        """Make a topic with a known number."""
        history = History(
            id, self.default_history(oid), self.store, self.next_entry, self.revive, self.now, self.losses
        )
        self.queues[id] = history
        topic = self.topics[oid] = Topic(id, oid, history, self.queries)
        self.thresholds.of_topic(topic)
        return topic

    def default_history(self, oid: str) -> QueueLimits:
        """How much of a topic's past is kept where nobody says so; dead messages are not to be lost soon."""
        return self.settings.dead_letters if oid == DEAD_MESSAGE_OID else self.settings.history

    def save_topic(self, topic: Topic, *, changed: bool = False) -> None:
        """Have the topic in the store, because something durable depends on it.

        Args:
            topic: the topic.
            changed: its configuration changed.
        """
        if changed or not topic.stored:
            topic.stored = True
            creator = "" if topic.creator is None else topic.creator.account
            self.store.put_topic(TopicRecord(topic.id, topic.oid, *topic.encoded, topic.owner, creator))

    def save_topic_soon(self, topic: Topic) -> None:
        """Have a topic in the store in a while, though none of its messages is: nobody waits for the disk for it."""
        if topic.stored:
            return
        if not self._new_topics:
            self._keep_call = self.later(KEEP_DELAY, self.save_new_topics)
        self._new_topics.append(topic)

    def save_new_topics(self) -> None:
        """Have in the store now what :meth:`save_topic_soon` was told of."""
        cancel(self._keep_call)
        self._keep_call = None
        topics, self._new_topics = self._new_topics, []
        for topic in topics:
            if self.topics.get(topic.oid) is topic:
                self.save_topic(topic)

    def left_disk(self, row: EntryRecord) -> None:
        """An entry of :data:`NEWEST_ONLY` that was on disk only is settled, though nothing newer has come."""
        subscription = self.subscriptions.get(row.subscription_id)
        if subscription is not None:
            subscription.left_disk(row.seq)

    def check_topic(self, topic: Topic) -> None:
        """Move a topic to the state that its history and subscribers ask for."""
        before = topic.state
        topic.settle_state(self.later, self.settings.destroy_delay, lambda: self.remove_topic(topic))
        if topic.state is TopicState.ALIVE and before is not TopicState.ALIVE:
            self.events.of_topic(topic.oid, "alive")

    def bring_to_life(self, topic: Topic) -> None:
        """A topic has its first message."""
        topic.state = TopicState.ALIVE
        self.events.of_topic(topic.oid, "alive")

    def remove_topic(self, topic: Topic) -> None:
        """Forget a topic for good."""
        topic.die()
        self.events.of_topic(topic.oid, "dead")
        topic.release()
        topic.history.clear()
        for subscription in list(topic.subscriptions):
            topic.unsubscribe(subscription)
        if self.topics.get(topic.oid) is topic:
            del self.topics[topic.oid]
        self.queues.pop(topic.id, None)
        self.forget_topic_record(topic)

    def forget_topic_record(self, topic: Topic) -> None:
        """Have a topic in the store no more."""
        if topic.stored:
            topic.stored = False
            self.store.delete_topic(topic.id)
            reach("topic removed")

    def envelope(self, key: Key, qos: PublishQos, encoded: Encoded | None = None) -> Envelope:
        """What messages have in common; see :class:`broker.core.message.Envelope`."""
        return Envelope(key, qos, self.codec, encoded, self.raw_contents.get(key.oid))

    def message(self, envelope: Envelope, content: bytes) -> Message:
        """A new message."""
        life_time = envelope.qos.life_time
        # A life time without end in sight ends where the numbers of the store do.
        expires = min(self.now() + life_time, MOST) if life_time > 0 else 0
        return Message(self.ids.next(), envelope, content, expires)

    def revive(self, record: MessageRecord) -> Message | None:
        """A message from the store; ``None`` where it cannot be read: it stays there, for a broker that can."""
        return self.set_aside.attempt("message", str(record.id), self._revived, record)

    def message_of(self, record: MessageRecord) -> Message:
        """A message from the store, for those who only look at it: nothing is remembered of it.

        Raises:
            BrokerError: ``resource.db.unknown`` where it cannot be read.
        """
        if isinstance(record, UnreadableMessage):
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, record.sender)
        known = (record.sender, record.key, record.qos)
        envelope = self._envelopes.get(known) or self._envelope_of(*known)
        return Message(record.id, envelope, record.content, record.expires)

    def _revived(self, record: MessageRecord) -> Message:
        if isinstance(record, UnreadableMessage):
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, record.sender)
        envelope = self.stored_envelope(record.sender, record.key, record.qos)
        message = Message(record.id, envelope, record.content, record.expires)
        for check in self.content_checks:
            check(message)
        return message

    def stored_envelope(self, sender: str, key: bytes, qos: bytes) -> Envelope:
        """The envelope of a message in the store; one object for as many of them as have the same."""
        known = (sender, key, qos)
        envelope = self._envelopes.get(known)
        if envelope is None:
            envelope = self._envelope_of(sender, key, qos)
            if len(self._envelopes) >= MAX_ENVELOPES:
                self._envelopes.clear()
            self._envelopes[known] = envelope
        return envelope

    def _envelope_of(self, sender: str, key: bytes, qos: bytes) -> Envelope:
        codec = self.codec
        received = self.received_qos(codec.read_publish_qos(qos), sender)
        return self.envelope(codec.read_key(key), received, Encoded(key, qos))

    def received_qos(self, qos: PublishQos, sender: str) -> PublishQos:
        """The QoS as receivers read it: sender set, topic section removed, local destinations relative (spec §4.5).

        Args:
            qos: as published.
            sender: absolute session name of the publisher.
        """
        life_time = qos.life_time
        most = self.settings.max_life_time
        if life_time < 0:
            life_time = self.settings.life_time
        if most >= 0 and (life_time < 0 or life_time > most):
            life_time = most
        return qos.received(sender, life_time, tuple([self._normalised(each) for each in qos.destinations]))

    def _normalised(self, destination: Destination) -> Destination:
        name = self.session_name(destination.name)
        return replace(destination, name=name.relative if name.node == self.id else name.absolute)

    def is_erased(self, message: Message) -> bool:
        """Whether a message was erased with its topic (``forceDestroy``); those from point to point are not."""
        number = self.erased.get(message.envelope.oid)
        return number is not None and message.id <= number and not message.envelope.qos.destinations

    def is_stale(self, entry: Entry) -> bool:
        """Whether an entry is not to be delivered any more (spec §8.3, ``__newestOnly``, §2.7)."""
        message = entry.message
        if message.expires and message.expires <= self.now() and message.envelope.qos.force_destroy:
            return True
        if entry.flags & NEWEST_ONLY:
            subscription = self.subscriptions.get(entry.subscription_id)
            if subscription is not None and subscription.newest.get(message.oid, 0) > message.id:
                return True
        return self.is_erased(message)

    def count_stale(self, entries: Sequence[Entry], receiver: str = "") -> None:
        """Count entries that are dropped because they :meth:`are stale <is_stale>`.

        Args:
            entries: of one queue.
            receiver: whose it is, where that is known.
        """
        losses, now = self.losses, self.now()
        for entry in entries:
            expired = 0 < entry.message.expires <= now
            if expired:
                losses.expired += 1
            else:
                losses.stale += 1
            if self.trace is not None:
                self.trace(Point.EXPIRED if expired else Point.DISCARDED, entry.message, receiver)
