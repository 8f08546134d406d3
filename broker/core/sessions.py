"""A session: one client's subscriptions, queue and dispatch (spec xmlblaster §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from broker.core.dispatch import Dispatch
from broker.core.queues import Queue
from broker.model.address import SessionName
from broker.model.connect import ConnectQos
from broker.model.property import ClientProperty
from broker.model.records import SessionRecord

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from broker.core.message import Envelope
    from broker.core.subjects import Subject
    from broker.core.subscriptions import Subscription
    from broker.core.topics import Topic

NATIVE = "native"
"""Kind of the sessions of native clients."""
XMPP = "xmpp"
"""Kind of the sessions that are XML streams."""
NODES = "nodes"
"""Kind of the sessions that subscriptions of subjects belong to; they have no client."""
LONGEST_PLAN = 8192
"""Bytes of key and QoS together for which a plan is kept."""
MOST_PLANS = 256
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


class Plan:
    """What a publish with the same key and QoS bytes does, worked out once (design D10).

    Args:
        envelope: of the messages.
        topic: they are published on; ``None`` for point-to-point that is not subscribable.

    Attributes:
        route: of messages that are for one session and on no topic, once one has gone there.
    """

    __slots__ = ("envelope", "route", "topic")

    def __init__(self, envelope: Envelope, topic: Topic | None) -> None:
        self.envelope = envelope
        self.topic = topic
        self.route: Route | None = None


class Counters:
    """How often a session used what, for administration."""

    __slots__ = ("erase", "get", "publish", "subscribe", "unsubscribe")

    def __init__(self) -> None:
        self.publish = self.subscribe = self.unsubscribe = self.get = self.erase = 0


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
        kind: of its client.
        seen: when it was made, in seconds by a clock that nobody sets.

    Attributes:
        dispatch: delivers the queue; set right after construction.
        persistent: it survives a crash.
        can_return: it has a number that its client chose, so it is found again after a restart.
        attached: a client takes deliveries, or did when the broker crashed and has not come back.
        stored: its record is in the store.
        stored_active: ``dispatcherActive`` as the record has it.
        was_alive: a client took deliveries since the broker started.
        placeholder: it was made for a message that was forced to it; nobody has logged in yet.
        epoch: raised with every take-over (design D8).
        timeout: milliseconds without a request until it ends; ``<= 0`` never.
        seen: when the last request came, in seconds by a clock that nobody sets; after a restart, when that was.
        why_transient: why a session that asked to be persistent is not.
    """

    __slots__ = (
        "accept_wrong_sender",
        "attached",
        "can_return",
        "counters",
        "created",
        "dispatch",
        "ended",
        "epoch",
        "id",
        "kind",
        "name",
        "persistent",
        "placeholder",
        "plans",
        "qos",
        "queue",
        "remote_properties",
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
        kind: str = NATIVE,
        seen: float = 0.0,
    ) -> None:
        self.id = id
        self.name = name
        self.subject = subject
        self.secret_id = secret_id
        self.qos = qos
        self.queue = queue
        self.created = created
        self.kind = kind
        self.seen = seen
        self.timeout = 0
        self.timer: IDelayedCall | None = None
        self.persistent = False
        self.stored = False
        self.can_return = kind == NATIVE and name.public_id > 0
        self.stored_active = True
        self.attached = False
        self.was_alive = False
        self.placeholder = False
        self.ended = False
        self.epoch = 0
        self.why_transient = ""
        self.accept_wrong_sender = False
        self.subscriptions: dict[str, Subscription] = {}
        self.remote_properties: dict[str, ClientProperty] = {}
        self.plans: dict[tuple[bytes, bytes], Plan] = {}
        self.counters = Counters()

    @property
    def can_receive(self) -> bool:
        """Whether the client named a callback address, or its protocol can always be delivered to."""
        return self.kind != NATIVE or self.qos.callback is not None

    @property
    def takes_subject_messages(self) -> bool:
        """Whether messages to the subject are delivered to this session (``useForSubjectQueue``)."""
        if self.ended or self.placeholder or not self.qos.ptp:
            return False
        if self.kind != NATIVE:
            return self.dispatch.takes_messages
        callback = self.qos.callback
        return callback is not None and callback.use_for_subject_queue is not False and callback.ptp is not False

    def remember(self, key: tuple[bytes, bytes], plan: Plan) -> None:
        """Keep a plan for the next publish with the same bytes, unless they are so many that it is no plan."""
        if len(key[0]) + len(key[1]) > LONGEST_PLAN:
            return
        if len(self.plans) >= MOST_PLANS:
            self.plans.clear()
        self.plans[key] = plan

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
            self.kind,
            self.secret_id,
            state,
            1 if self.persistent else 0,
            1 if self.dispatch.active else 0,
            self.epoch,
            self.created,
            seen,
            1 if self.attached else 0,
        )
