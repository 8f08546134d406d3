"""Full queues of every reaction, life times, clients that do not read, and crashes: both tongues against a model."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from broker.model.qos import Overflow, QueueQos
from broker.xmpp.wire import ns
from tests.core.world import Client
from tests.effects.spoiling import StoredWorld, fresh_postgresql, fresh_sqlite
from tests.xmpp.world import Peer, World
from tests.xmpp.world import settings as xmpp_settings

LIMIT = 4
LIFE = 2
"""Seconds, of those that have not all the time in the world."""
REACTIONS = {
    "ann/1": None,
    "old/1": Overflow.DISCARD_OLDEST,
    "new/1": Overflow.DISCARD,
    "picky/1": Overflow.EXCEPTION,
    "dead/1": Overflow.DEAD_MESSAGE,
}
OIDS = ("a", "b")
ALL = "<history numEntries='-1'/>"
CORE = Settings(
    callback=QueueLimits(entries=100_000, cache_entries=1),
    history=QueueLimits(entries=100_000, cache_entries=2),
    dead_letters=QueueLimits(entries=100_000, cache_entries=2),
    destroy_delay=-1,
)
XMPP = xmpp_settings(sm_ask=False, idle=-1, sm_window=3)


@dataclass(frozen=True)
class Note:
    """A message.

    Args:
        content: a number, ascending.
        oid: of its topic.
        persistent: survives a crash.
        until: when its life ends, 0 for never.
        forced: it is not delivered after that.
    """

    content: bytes
    oid: str
    persistent: bool
    until: float = 0
    forced: bool = False

    def is_over(self, now: float) -> bool:
        return 0 < self.until <= now


@dataclass
class Member:
    """What the model knows of a native session.

    Args:
        reaction: of its queue, which has room for :data:`LIMIT` entries; ``None`` for one without a limit.
        held: what its client has got and not answered.
    """

    reaction: Overflow | None
    client: Client | None = None
    oids: set[str] = field(default_factory=set)
    waiting: list[Note] = field(default_factory=list)
    held: Note | None = None
    received: list[bytes] = field(default_factory=list)

    def is_stale(self, note: Note, now: float) -> bool:
        return note.forced and note.is_over(now)

    def has_room(self, now: float) -> bool:
        if self.reaction is None:
            return True
        count = sum(not self.is_stale(note, now) for note in self.waiting) + (self.held is not None)
        return count < LIMIT

    def put(self, note: Note, now: float) -> None:
        if not self.has_room(now):
            if self.reaction is not Overflow.DISCARD_OLDEST:
                return
            self.waiting.remove(next(each for each in self.waiting if not self.is_stale(each, now)))
        self.waiting.append(note)

    def deliver(self, now: float) -> None:
        """What the client gets now."""
        if self.client is None:
            return
        while self.waiting and self.held is None:
            note = self.waiting.pop(0)
            if self.is_stale(note, now):
                continue
            self.received.append(note.content)
            if not self.client.outbound.answers:
                self.held = note

    def lose(self) -> None:
        self.client = None
        if self.held is not None:
            self.waiting.insert(0, self.held)
            self.held = None


@dataclass
class Stream:
    """What the model knows of an XMPP client that manages its stream.

    Args:
        h: stanzas that its client has counted when its connection was lost.
        got: bodies that have come.
        sent: what was written to it.
        lost: bodies that a crash has taken.
    """

    peer: Peer | None = None
    id: str = ""
    h: int = 0
    got: list[str] = field(default_factory=list)
    sent: list[Note] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)


names = st.sampled_from(sorted(REACTIONS))
oids = st.sampled_from(OIDS)


class Crowd(RuleBasedStateMachine):
    """On the store without a disk."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.world = self.make()
        self.members = {name: Member(reaction) for name, reaction in REACTIONS.items()}
        self.histories: dict[str, list[Note]] = {}
        self.count = 0
        self.acked = 0
        self.publisher = self.world.client("pub")
        peer = self.world.bind("joe@localhost/x", sm=True)
        self.stream = Stream(peer, peer.id)

    def make(self) -> World:
        """A broker."""
        return World(XMPP, core=CORE)

    @property
    def now(self) -> float:
        return float(self.world.clock.seconds())

    # --- what may happen ---

    @rule(name=names, answers=st.booleans())
    def come_or_take_over(self, name: str, answers: bool) -> None:
        member = self.members[name]
        member.lose()
        queue = QueueQos("callback")
        if member.reaction is not None:
            queue = QueueQos("callback", max_entries=LIMIT, max_entries_cache=1, on_overflow=member.reaction)
        member.client = self.world.client(name, persistent=True, queue=queue, answers=answers)
        member.received = []
        member.deliver(self.now)

    @rule(name=names)
    def lose_the_connection(self, name: str) -> None:
        member = self.members[name]
        if member.client is not None:
            member.client.lose_connection()
            member.lose()

    @rule(name=names)
    def answer(self, name: str) -> None:
        member = self.members[name]
        if member.client is not None and member.held is not None:
            member.client.outbound.acknowledge()
            self.world.turn()
            member.held = None
            member.deliver(self.now)

    @rule(name=names, oid=oids)
    def subscribe(self, name: str, oid: str) -> None:
        member = self.members[name]
        if member.client is not None and oid not in member.oids:
            member.client.subscribe(oid, "<qos><persistent/><initialUpdate>false</initialUpdate></qos>")
            member.oids.add(oid)

    @rule(name=names, oid=oids)
    def unsubscribe(self, name: str, oid: str) -> None:
        member = self.members[name]
        if member.client is not None:
            assert len(member.client.unsubscribe(oid)) == (oid in member.oids)
            member.oids.discard(oid)

    @rule(oid=oids, persistent=st.booleans(), lives=st.sampled_from(["", "briefly", "forced"]))
    def publish(self, oid: str, persistent: bool, lives: str) -> None:
        note = self._note(oid, persistent, lives)
        receivers = [member for member in self.members.values() if oid in member.oids]
        picky = [each for each in receivers if each.reaction is Overflow.EXCEPTION and not each.has_room(self.now)]
        if picky:
            with pytest.raises(BrokerError) as raised:
                self._publish(note)
            assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
            return
        self._publish(note)
        self.histories.setdefault(oid, []).append(note)
        for member in receivers:
            member.put(note, self.now)
            member.deliver(self.now)

    @rule(persistent=st.booleans())
    def publish_a_repetition_that_nobody_wants(self, persistent: bool) -> None:
        history = [note for note in self.histories.get("a", []) if not note.is_over(self.now)]
        if history:
            mark = "<persistent/>" if persistent else ""
            qos = f"<qos>{mark}<forceUpdate>false</forceUpdate></qos>"
            self.world.run(self.publisher.publish_later("a", history[-1].content, qos))
            replaced = Note(history[-1].content, "a", persistent)
            self.histories["a"].append(replaced)

    @rule(persistent=st.booleans())
    def write_to_the_stream(self, persistent: bool) -> None:
        note = self._note("", persistent, "")
        self.publisher.send("joe", note.content, persistent=persistent)
        self.stream.sent.append(note)
        self._read()

    @rule()
    def cut_the_stream(self) -> None:
        if self.stream.peer is not None:
            self.stream.h = self.stream.peer.h
            self.stream.peer.cut()
            self.stream.peer = None

    @rule(reads=st.booleans())
    def resume_the_stream(self, reads: bool) -> None:
        """Also where it is connected, which takes it over."""
        if self.stream.peer is not None:
            self._read()
            self.stream.h = self.stream.peer.h
        peer = self.world.peer()
        peer.login("joe")
        trees = peer.resume(self.stream.id, self.stream.h)
        assert trees[0].name == "resumed"
        self.stream.peer = peer
        self.acked = self.stream.h
        self._got(trees)
        if reads:
            self._read()

    @rule()
    def acknowledge_the_stream(self) -> None:
        self._read()

    @rule()
    def time_passes(self) -> None:
        self.world.advance(LIFE + 1)
        for member in self.members.values():
            member.deliver(self.now)

    @rule()
    def crash(self) -> None:
        if self.stream.peer is not None:
            self.cut_the_stream()
        self.world.advance(1)  # topics without persistent messages are on disk then
        self.world = self.world.crash()
        self.publisher = self.world.client("pub")
        for oid, history in self.histories.items():
            self.histories[oid] = [note for note in history if note.persistent]
        for member in self.members.values():
            member.lose()
            member.waiting = [note for note in member.waiting if note.persistent]
        self.stream.lost |= {
            note.content.decode()
            for note in self.stream.sent
            if not note.persistent and note.content.decode() not in self.stream.got
        }

    # --- what must hold ---

    @invariant()
    def clients_have_what_they_should(self) -> None:
        self.world.turn(50)
        for name, member in self.members.items():
            if member.client is not None:
                assert member.client.contents == member.received, name
                assert member.client.outbound.closed == "", name

    @invariant()
    def histories_hold_what_has_not_expired(self) -> None:
        for oid in OIDS:
            history = [note for note in self.histories.get(oid, []) if not note.is_over(self.now)]
            found = self.publisher.get(oid, f"<qos>{ALL}</qos>")
            assert found == [note.content for note in reversed(history)], oid

    @invariant()
    def nothing_is_set_aside(self) -> None:
        assert self.world.node.set_aside.records == []

    def teardown(self) -> None:
        try:
            for name in self.members:
                self.come_or_take_over(name, True)
            self.clients_have_what_they_should()
            self.resume_the_stream(True)
            wanted = [note.content.decode() for note in self.stream.sent]
            assert self.stream.got == [each for each in wanted if each not in self.stream.lost]
        finally:
            self.cleanup.close()

    # --- the model ---

    def _note(self, oid: str, persistent: bool, lives: str) -> Note:
        self.count += 1
        until = self.now + LIFE if lives else 0
        return Note(b"%d" % self.count, oid, persistent, until, lives == "forced")

    def _publish(self, note: Note) -> None:
        mark = "<persistent/>" if note.persistent else ""
        life = ""
        if note.until:
            life = f"<expiration lifeTime='{LIFE * 1000}' forceDestroy='{str(note.forced).lower()}'/>"
        self.world.run(self.publisher.publish_later(note.oid, note.content, f"<qos>{mark}{life}</qos>"))
        self.world.turn()

    def _read(self) -> None:
        """The client reads and acknowledges until nothing more comes."""
        peer = self.stream.peer
        while peer is not None:
            trees = peer.take()
            self._got(trees)
            if peer.h == self.acked and not trees:
                break
            self.acked = peer.h
            peer.ack()

    def _got(self, trees: list[Any]) -> None:
        self.stream.got += [tree.text_of(ns.CLIENT, "body") for tree in trees if tree.name == "message"]


class CrowdInSqlite(Crowd):
    """On a file."""

    def make(self) -> World:
        """A broker."""
        return StoredWorld(self.cleanup.enter_context(fresh_sqlite()), XMPP, CORE)


class CrowdInPostgresql(Crowd):
    """On a server."""

    def make(self) -> World:
        """A broker."""
        return StoredWorld(self.cleanup.enter_context(fresh_postgresql()), XMPP, CORE)


def often(count: int) -> settings:
    """``BROKER_TEST_RUNS`` runs of ``BROKER_TEST_STEPS`` steps; few and short ones where they are not given."""
    return settings(
        max_examples=int(os.environ.get("BROKER_TEST_RUNS", count)),
        stateful_step_count=int(os.environ.get("BROKER_TEST_STEPS", "40")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(0)
@pytest.mark.parametrize(("make", "count"), [(Crowd, 20), (CrowdInSqlite, 4), (CrowdInPostgresql, 2)])
def test_everybody_gets_what_the_model_says(make: type[Crowd], count: int) -> None:
    run_state_machine_as_test(make, settings=often(count))
