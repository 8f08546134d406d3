"""A session: one client's subscriptions, queue and dispatch (spec xmlblaster §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from broker.core.counters import Counters
from broker.core.dispatch import Dispatch
from broker.core.queues import Queue
from broker.core.quotas import Forced
from broker.model.address import SessionName
from broker.model.connect import ConnectQos
from broker.model.property import ClientProperty
from broker.model.qos import PublishQos
from broker.model.records import SessionRecord

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from broker.core.kinds import SessionKind
    from broker.core.message import Envelope
    from broker.core.subjects import Subject
    from broker.core.subscriptions import Subscription
    from broker.core.topics import Topic


class RoomWait(NamedTuple):
    """A message of a session waits for room in a queue whose overflow is ``block``.

    Args:
        owner: whose queue it is.
        since: milliseconds since 1970.
    """

    owner: Session | Subject
    since: int


LONGEST_PLAN = 8192
"""Bytes of key and QoS together for which a plan is kept."""
MAX_PLANS = 256
"""Publish plans that a session keeps; a publisher that never repeats itself starts over."""


class Route(NamedTuple):
    """Where the one session is that messages are addressed to.

    Args:
        subject: that it belongs to; one that is forgotten has no sessions.
        public_id: of the session.
    """

    subject: Subject
    public_id: int

    @property
    def session(self) -> Session | None:
        """The session of that name now, if there is one."""
        return self.subject.sessions.get(self.public_id)

    @property
    def is_behind(self) -> bool:
        """Whether messages to the subject wait, which may have to go to the session first."""
        return self.subject.queue.entries > 0


class Plan:
    """What a publish with the same key and QoS does, worked out once (design D10, D16); the publisher's rights, too.

    Args:
        envelope: of the messages.
        given: the QoS as the publisher gave it, with its section on the topic.
        on_topic: whether they are published on a topic; point-to-point messages need not be.
        reusable: whether further messages may follow the plan; not where the broker made an oid up for the first.
        raw: the tongue itself answers for contents and reserved properties.
        owner: login name that the topic is to belong to, if it is made.

    Attributes:
        topic: that they are published on; ``None`` before the first of them, and where they are on none.
        route: of messages that are for one session and on no topic, once one has gone there.
    """

    __slots__ = ("envelope", "given", "on_topic", "owner", "raw", "reusable", "route", "topic")

    def __init__(
        self,
        envelope: Envelope,
        given: PublishQos,
        *,
        on_topic: bool = False,
        reusable: bool = True,
        raw: bool = False,
        owner: str = "",
    ) -> None:
        self.envelope = envelope
        self.given = given
        self.on_topic = on_topic
        self.reusable = reusable
        self.raw = raw
        self.owner = owner
        self.topic: Topic | None = None
        self.route: Route | None = None


class Session:
    """A session of a subject.

    Args:
        id: unique within the node; also of its queue.
        name: of the session.
        subject: that it belongs to.
        secret_id: the bearer's secret.
        qos: of the connect that made or last took it.
        queue: entries for its client.
        created: milliseconds since 1970.
        kind: what its kind of client does differently.
        seen: when it was made, in seconds by a clock that nobody sets.

    Attributes:
        dispatch: delivers the queue; set right after construction.
        persistent: it survives a crash.
        can_return: it has a number that its client chose, so it is found again after a restart.
        attached: a client takes deliveries, or did when the broker crashed and has not come back.
        stored: its record is in the store.
        stored_active: ``dispatcherActive`` as the record has it.
        was_alive: a client took deliveries since the broker started.
        blocked: an administrator refuses logins that take it over.
        forced: whose message made it, while nobody has logged in.
        placeholder: it was made for a message that was forced to it; nobody has logged in yet.
        counters: of what it did.
        logged_in: when its client last logged in, milliseconds since 1970.
        epoch: raised with every take-over (design D8).
        timeout: milliseconds without a request until it ends; ``<= 0`` never.
        room_wait: a message of it waits for room; ``None`` where none does.
        seen: when the last request came, in seconds by a clock that nobody sets; after a restart, when that was.
        why_transient: why a session that asked to be persistent is not.
    """

    __slots__ = (
        "accept_wrong_sender",
        "attached",
        "blocked",
        "can_return",
        "counters",
        "created",
        "dispatch",
        "ended",
        "epoch",
        "forced",
        "id",
        "kind",
        "logged_in",
        "name",
        "persistent",
        "placeholder",
        "plans",
        "qos",
        "queue",
        "remote_properties",
        "room_wait",
        "secret_id",
        "seen",
        "stored",
        "stored_active",
        "subject",
        "subscriptions",
        "timeout",
        "timer",
        "was_alive",
        "why_transient",
    )

    dispatch: Dispatch

    def __init__(
        self,
        id: int,
        name: SessionName,
        subject: Subject,
        secret_id: str,
        qos: ConnectQos,
        queue: Queue,
        created: int,
        kind: SessionKind,
        seen: float = 0.0,
    ) -> None:
        self.id = id
        self.name = name
        self.subject = subject
        self.secret_id = secret_id
        self.qos = qos
        self.queue = queue
        self.created = self.logged_in = created
        self.kind = kind
        self.seen = seen
        self.timeout = 0
        self.timer: IDelayedCall | None = None
        self.persistent = False
        self.stored = False
        self.can_return = kind.clients_choose_number and name.public_id > 0
        self.stored_active = True
        self.attached = False
        self.was_alive = False
        self.blocked = False
        self.placeholder = False
        self.forced = Forced()
        self.ended = False
        self.epoch = 0
        self.why_transient = ""
        self.room_wait: RoomWait | None = None
        self.accept_wrong_sender = False
        self.subscriptions: dict[str, Subscription] = {}
        self.remote_properties: dict[str, ClientProperty] = {}
        self.plans: dict[tuple[bytes, bytes], Plan] = {}
        self.counters = Counters(kind.traffic)

    @property
    def can_receive(self) -> bool:
        """Whether anything can be delivered to its client."""
        return self.kind.can_receive(self)

    @property
    def takes_subject_messages(self) -> bool:
        """Whether messages to the subject are delivered to this session."""
        return not (self.ended or self.placeholder) and self.qos.ptp and self.kind.takes_subject_messages(self)

    @property
    def why_no_subject_messages(self) -> str:
        """Why messages to the subject are not delivered to this session, for people; empty where they are."""
        if self.ended:
            return "it is being ended"
        if self.placeholder:
            return "nobody has logged in to it yet"
        return self.kind.why_no_subject_messages(self) if self.qos.ptp else "its client wants no messages to it"

    def remember(self, key: tuple[bytes, bytes], plan: Plan) -> None:
        """Keep a plan for the next publish with the same bytes, unless they are so many that it is no plan."""
        if len(key[0]) + len(key[1]) > LONGEST_PLAN:
            return
        if len(self.plans) >= MAX_PLANS:
            self.plans.clear()
        self.plans[key] = plan

    def taken_over(self, now: int, monotonic: float) -> None:
        """Another login of its client owns it from now on: no connection does that owned it before (design D8).

        Args:
            now: milliseconds since 1970.
            monotonic: now, by the clock of :attr:`seen`.
        """
        self.epoch += 1
        self.forced.end()
        self.queue.charge(self.subject.usage)
        self.subject.taken_over()
        self.logged_in = now
        self.seen = monotonic

    def idle(self, monotonic: float) -> int:
        """Milliseconds since the last request.

        Args:
            monotonic: now, by the clock of :attr:`seen`.
        """
        return int((monotonic - self.seen) * 1000)

    def record(self, state: bytes, seen: int) -> SessionRecord:
        """The row of the store.

        Args:
            state: the connect QoS without credentials, as XML.
            seen: milliseconds since 1970 of the last request.
        """
        return SessionRecord(
            self.id,
            self.name.subject,
            self.name.public_id,
            self.kind.name,
            self.secret_id,
            state,
            1 if self.persistent else 0,
            1 if self.dispatch.active else 0,
            self.epoch,
            self.created,
            seen,
            1 if self.attached else 0,
        )
