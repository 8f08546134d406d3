"""A broker without sockets, disk or real time, for tests of the core."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from broker.auth.authority import MethodRules
from broker.core.broker import Broker
from broker.core.entries import Entry
from broker.core.node import Node
from broker.core.pace import Turns
from broker.core.publishing import Published
from broker.core.sessions import Session
from broker.core.settings import Settings
from broker.errors import BrokerError
from broker.filters.queries import XPathQueries
from broker.model.connect import AddressQos, ConnectQos, Credentials, SessionQos
from broker.model.qos import DisconnectQos, QueueQos
from broker.model.records import EntryRecord, MessageRecord
from broker.native.codec.records import RecordCodec
from broker.native.login import Connected, NativeLogin
from broker.native.sessions import NativeSessions
from broker.ports import IAuthorizer, IOutbound
from broker.store.memory import MemoryStore
from broker.xmpp.routing.content import serve as serve_raw_contents
from broker.xmpp.session.sessions import StreamSessions
from tests.core.requests import Requests

T = TypeVar("T")
DEFAULTS = Settings(administrators=frozenset({"watcher"}))
"""Somebody may look at dead messages."""
GOODBYE = DisconnectQos()
START = 1_000_000.0
"""Seconds since 1970 when a world begins."""
WALL_AHEAD = 500_000_000.0
"""What the wall clock of administration is ahead of the reactor's clock in tests: the latter is no wall clock."""


@implementer(IOutbound)
class FakeOutbound:
    """A client's connection that remembers what it was given.

    Args:
        session: whose it is.
        answers: acknowledge every update at once.
    """

    def __init__(self, session: Session, *, answers: bool = True) -> None:
        self.session = session
        self.answers = answers
        self.writable = True
        self.closed = ""
        self.pings = 0
        self.bulks: list[list[Entry]] = []
        self.oneways: list[list[Entry]] = []

    @property
    def contents(self) -> list[bytes]:
        """Contents of all messages that arrived, in order."""
        return [entry.message.content for bulk in [*self.bulks, *self.oneways] for entry in bulk]

    @property
    def entries(self) -> list[Entry]:
        """All entries that arrived, in order."""
        return [entry for bulk in [*self.bulks, *self.oneways] for entry in bulk]

    def deliver(self, entries: Sequence[Entry], oneway: bool) -> None:
        """Take an update."""
        (self.oneways if oneway else self.bulks).append(list(entries))
        if self.answers and not oneway:
            self.session.dispatch._node.later(0, self.acknowledge)

    def deliver_oneway(self, entries: Sequence[Entry]) -> None:
        """Take an update for each entry."""
        self.oneways += [[entry] for entry in entries]

    def acknowledge(self) -> None:
        """Answer the outstanding update."""
        if not self.closed:
            self.session.dispatch.acknowledged()

    def ping(self) -> None:
        """Count pings."""
        self.pings += 1

    def close(self, reason: str) -> None:
        """Remember why."""
        self.closed = reason or "closed"


class CuttingStore(MemoryStore):
    """Closes its batch at every question, also amid a turn, as the SQL store does."""

    def read_entries(
        self, queue_id: int, rank: int, after: int, limit: int, max_bytes: int = -1
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries."""
        if self.before_commit is not None:
            self.before_commit(True)
        return super().read_entries(queue_id, rank, after, limit, max_bytes)


@implementer(IAuthorizer)
class Permissions:
    """Lets everybody do everything but what is forbidden, or what their method rules do not permit."""

    def __init__(self) -> None:
        self.forbidden: set[tuple[str, str, str]] = set()
        self.rules: dict[str, MethodRules] = {}

    def permits(self, subject: str, method: str, target: str) -> bool:
        """See :meth:`broker.ports.IAuthorizer.permits`."""
        rules = self.rules.get(subject)
        return (subject, method, target) not in self.forbidden and (rules is None or rules.permits(method, target))


class WallClock:
    """Says what time it is; somebody may set it.

    Args:
        clock: whose seconds pass.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = 0.0

    def __call__(self) -> float:
        return float(self._clock.seconds()) + self.ahead


class World:
    """A broker, its clock and its store.

    Args:
        settings: of the core.
        clock: to go on with after a crash.
        store: to go on with after a crash.
        turns: of long work.
        wall: to go on with after a crash.
    """

    def __init__(
        self,
        settings: Settings = DEFAULTS,
        clock: Clock | None = None,
        store: MemoryStore | None = None,
        turns: Turns | None = None,
        wall: WallClock | None = None,
    ) -> None:
        if clock is None:
            clock = Clock()
            clock.rightNow = START
        self.clock = clock
        self.wall = wall or WallClock(clock)
        self.settings = settings
        self.permissions = Permissions()
        self.store = MemoryStore(clock) if store is None else store
        codec, queries = RecordCodec(), XPathQueries()
        self.node = Node("heron", clock, self.store, settings, codec, queries, wall=self.wall, turns=turns)
        self.broker = Broker(self.node, lambda credentials, host: succeed(None), self.permissions)
        self.login = NativeLogin(self.broker, NativeSessions(self.broker.registry))
        self.requests = Requests(self.broker)
        self.streams = StreamSessions(self.broker.registry)
        serve_raw_contents(self.node)
        self.run(self.broker.recovery.topics())
        self.run(self.broker.recovery.sessions())
        self.broker.start()

    def run(self, work: Deferred[T] | Coroutine[Any, Any, T]) -> T:
        """Run to the end, turning the reactor as often as it takes."""
        done = work if isinstance(work, Deferred) else self.start(work)
        results: list[Any] = []
        done.addBoth(results.append)
        for _ in range(10_000):
            if results:
                break
            self.clock.advance(0)
        else:
            raise AssertionError("it never ended")
        result = results[0]
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result  # type: ignore[no-any-return]

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Start, for those who look before it ends."""
        return Deferred.fromCoroutine(coroutine)

    def turn(self, count: int = 20) -> None:
        """Let the reactor turn without time passing."""
        for _ in range(count):
            self.clock.advance(0)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.turn()

    def connect(self, name: str, qos: ConnectQos | None = None, **settings: Any) -> Connected:
        """Log in without a connection; ``name`` is ``joe`` or ``joe/1``."""
        return self.run(self.login.connect(qos or connect_qos(name, **settings), "127.0.0.1"))

    def client(self, name: str, *, answers: bool = True, **settings: Any) -> Client:
        """Log in with a connection that takes updates."""
        session = self.connect(name, **settings).session
        client = Client(self, session, FakeOutbound(session, answers=answers))
        self.broker.attach(session, client.outbound, session.epoch)
        self.turn()
        return client

    def crash(self, *, committed: bool = True) -> World:
        """A new broker on what the store has.

        Args:
            committed: commit what has gathered first.
        """
        return World(self.settings, self.clock, self.crashed(committed=committed), wall=self.wall)

    def crashed(self, *, committed: bool = True) -> MemoryStore:
        """What a new process finds of the store; all timers are gone."""
        if committed:
            self.store.commit()
        self.store.crash()
        for call in list(self.clock.getDelayedCalls()):
            call.cancel()
        store = MemoryStore(self.clock)
        store.tables = self.store.tables
        return store

    @property
    def timers(self) -> int:
        """Delayed calls but for those that the broker itself always has."""
        broker = self.broker
        own = [broker._beat, broker.expiry._sweep_call, self.node._keep_call, broker.account_changes._look]
        own.append(self.node.trail._look)
        return len([call for call in self.clock.getDelayedCalls() if call not in own])


class Client:
    """A session with a connection.

    Args:
        world: that it lives in.
        session: of the core.
        outbound: its connection.
    """

    def __init__(self, world: World, session: Session, outbound: FakeOutbound) -> None:
        self.world = world
        self.session = session
        self.outbound = outbound
        self.epoch = session.epoch

    @property
    def contents(self) -> list[bytes]:
        """Contents that arrived."""
        return self.outbound.contents

    def publish(self, oid: str, content: bytes = b"", qos: str = "<qos/>", key: str = "") -> Any:
        """Publish, and let deliveries happen."""
        published = self.world.requests.publish(
            self.session, (key or f"<key oid='{oid}'/>").encode(), qos.encode(), content
        )
        self.world.turn()
        return published

    def publish_later(self, oid: str, content: bytes, qos: str = "<qos/>", key: str = "") -> Deferred[Published]:
        """Publish what may have to wait."""
        request = self.session, (key or f"<key oid='{oid}'/>").encode(), qos.encode(), content
        return self.world.start(self.world.requests.publish_when_possible(*request))

    def send(self, to: str, content: bytes, qos: str = "", *, force: bool = False, persistent: bool = True) -> Any:
        """Publish from point to point."""
        mark = "<persistent/>" if persistent else ""
        destination = f"<destination forceQueuing='{str(force).lower()}'>{to}</destination>"
        return self.publish("ptp", content, f"<qos>{destination}<subscribable>false</subscribable>{mark}{qos}</qos>")

    def subscribe(self, oid: str = "", qos: str = "<qos/>", key: str = "") -> Any:
        """Subscribe."""
        subscribed = self.world.run(
            self.world.requests.subscribe(self.session, (key or f"<key oid='{oid}'/>").encode(), qos.encode())
        )
        self.world.turn()
        return subscribed

    def unsubscribe(self, oid: str = "", key: str = "") -> list[str]:
        """Unsubscribe."""
        return self.world.run(self.world.requests.unsubscribe(self.session, (key or f"<key oid='{oid}'/>").encode()))

    def get(self, oid: str = "", qos: str = "<qos/>", key: str = "") -> list[bytes]:
        """Contents of the newest messages."""
        found = self.world.run(
            self.world.requests.get(self.session, (key or f"<key oid='{oid}'/>").encode(), qos.encode())
        )
        assert isinstance(found, list)
        return [message.content if content else b"" for message, content in found]

    def erase(self, oid: str = "", qos: str = "<qos/>", key: str = "") -> list[str]:
        """Erase topics."""
        erasing = self.world.requests.erase(self.session, (key or f"<key oid='{oid}'/>").encode(), qos.encode())
        erased = self.world.run(erasing)
        self.world.turn()
        return erased

    def lose_connection(self) -> None:
        """The network goes."""
        error = BrokerError("communication.noConnection", "the connection was lost")
        self.session.dispatch.lost(self.outbound, error)
        self.world.login.sessions.connection_lost(self.session, self.epoch)
        self.world.turn()

    def come_back(self) -> FakeOutbound:
        """Log in again under the same name, on a new connection."""
        qos = replace(self.session.qos, credentials=Credentials("htpasswd", self.session.name.subject))
        self.session = self.world.connect("", qos).session
        self.outbound = FakeOutbound(self.session)
        self.epoch = self.session.epoch
        self.world.broker.attach(self.session, self.outbound, self.epoch)
        self.world.turn()
        return self.outbound

    def disconnect(self, qos: DisconnectQos = GOODBYE) -> None:
        """Log out."""
        ending = self.world.start(self.world.login.disconnect(self.session, qos))
        self.world.turn()
        self.world.advance(self.world.settings.pending_sleep / 1000)
        assert ending.called


def connect_qos(
    name: str,
    *,
    callback: bool = True,
    persistent: bool = False,
    retries: int | None = None,
    queue: QueueQos | None = None,
    session: dict[str, Any] | None = None,
    address: dict[str, Any] | None = None,
    **settings: Any,
) -> ConnectQos:
    """A connect QoS in few words.

    Args:
        name: ``joe`` or ``joe/1``.
        callback: whether updates can be received.
        persistent: asks for a persistent session; retries are endless then.
        retries: of the callback.
        queue: settings of the callback queue.
        session: further fields of the session.
        address: further fields of the callback.
        settings: further fields of the QoS.
    """
    if retries is None:
        retries = -1 if persistent else 0
    address_qos = AddressQos(raw="socket://127.0.0.1:1", **{"retries": retries, "ping_interval": 0, **(address or {})})
    queues = ((queue or QueueQos("callback"), (address_qos,)),) if callback else ()
    return ConnectQos(
        credentials=Credentials("htpasswd", name.partition("/")[0]),
        session=SessionQos(name=name, **(session or {})),
        persistent=persistent,
        queues=queues,
        **settings,
    )
