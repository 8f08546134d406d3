"""Whatever sessions do and whenever the power goes: the broker against a model of a few lines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.core.entries import QueueLimits
from broker.errors import BrokerError
from tests.core.world import DEFAULTS, Client, World

OIDS = ("a", "b")
DURABLE, TRANSIENT = "ann/1", "bob/1"
"""A persistent session, and one that is not but has a number that its client chose."""
# Nothing drops out of a history, and no empty topic is forgotten.
SETTINGS = replace(
    DEFAULTS,
    callback=QueueLimits(entries=10_000, cache_entries=2),
    history=QueueLimits(entries=10_000, cache_entries=2),
    destroy_delay=-1,
)
ALL = "<history numEntries='-1'/>"
FAILING = "<filter type='XPathFilter'>//a</filter>"


@dataclass
class Note:
    """A message."""

    oid: str
    content: bytes
    persistent: bool


@dataclass
class Member:
    """What the model knows of a session."""

    is_persistent: bool
    exists: bool = False
    client: Client | None = None
    subscriptions: list[tuple[str, bool]] = field(default_factory=list)
    waiting: list[Note] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    def put(self, notes: list[Note]) -> None:
        if self.client is None:
            self.waiting += notes
        else:
            self.received += [note.content for note in notes]

    def crash(self) -> None:
        self.client = None
        self.waiting = [note for note in self.waiting if note.persistent]
        self.subscriptions = [each for each in self.subscriptions if self.is_persistent and each[1]]
        self.exists = (self.is_persistent and self.exists) or bool(self.waiting)


names = st.sampled_from((DURABLE, TRANSIENT))
oids = st.sampled_from(OIDS)


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(SETTINGS)
        self.publisher = self.world.client("pub")
        self.members = {DURABLE: Member(True), TRANSIENT: Member(False)}
        self.histories: dict[str, list[Note]] = {}
        self.count = 0

    # --- what may happen ---

    @rule(name=names)
    def come(self, name: str) -> None:
        member = self.members[name]
        if member.client is None:
            member.client = self.world.client(name, persistent=member.is_persistent, retries=-1)
            member.received = [note.content for note in member.waiting]
            member.waiting = []
            member.exists = True

    @rule(name=names)
    def lose_the_connection(self, name: str) -> None:
        member = self.members[name]
        if member.client is not None:
            member.client.lose_connection()
            member.client = None

    @rule(name=names)
    def disconnect(self, name: str) -> None:
        member = self.members[name]
        if member.client is not None:
            member.client.disconnect()
            self.members[name] = Member(member.is_persistent)

    @rule(oid=oids, persistent=st.booleans())
    def publish(self, oid: str, persistent: bool) -> None:
        note = self._note(oid, persistent)
        self._publish(note)
        self.world.turn()
        self._deliver(note)

    @rule(oid=oids)
    def publish_what_is_refused(self, oid: str) -> None:
        qos = "<qos><persistent/><destination>nobody</destination><topic readonly='true'/></qos>"
        with pytest.raises(BrokerError):
            self.publisher.publish(oid, b"refused", qos)

    @rule(name=names, oid=oids, persistent=st.booleans(), initial=st.booleans())
    def subscribe(self, name: str, oid: str, persistent: bool, initial: bool) -> None:
        member = self.members[name]
        if member.client is not None:
            persistent = persistent and member.is_persistent
            member.client.subscribe(oid, self._qos(persistent, initial))
            self._subscribed(member, oid, persistent, initial)

    @rule(name=names, oid=oids, persistent=st.booleans())
    def subscribe_while_another_publishes(self, name: str, oid: str, persistent: bool) -> None:
        member = self.members[name]
        if member.client is None:
            return
        qos = self._qos(False, True).encode()
        outcome = self.world.start(
            self.world.requests.subscribe(member.client.session, f"<key oid='{oid}'/>".encode(), qos)
        )
        past_is_in_memory = outcome.called
        note = self._note(oid, persistent)
        self._publish(note)
        self.world.turn()
        assert outcome.called
        if past_is_in_memory:
            self._subscribed(member, oid, False, True)
            self._deliver(note)
        else:  # the message waits for the past in the new subscription, and not in those that were there before
            past = list(reversed(self.histories.get(oid, [])))
            self._deliver(note)
            member.subscriptions.append((oid, False))
            member.put([*past, note])

    @precondition(lambda self: any(self.histories.values()))
    @rule(name=names, persistent=st.booleans(), repeated=st.booleans())
    def subscribe_what_is_refused(self, name: str, persistent: bool, repeated: bool) -> None:
        member = self.members[name]
        if member.client is None:
            return
        oid = next(oid for oid, history in self.histories.items() if history)
        once = "<multiSubscribe>false</multiSubscribe>" if repeated else ""
        mark = "<persistent/>" if persistent and member.is_persistent else ""
        with pytest.raises(BrokerError):
            member.client.subscribe(oid, f"<qos>{once}{mark}{ALL}{FAILING}</qos>")

    @rule(name=names, oid=oids)
    def unsubscribe(self, name: str, oid: str) -> None:
        member = self.members[name]
        if member.client is not None:
            ended = member.client.unsubscribe(oid)
            assert len(ended) == len([each for each in member.subscriptions if each[0] == oid])
            member.subscriptions = [each for each in member.subscriptions if each[0] != oid]

    @rule(oid=oids, force=st.booleans(), at_once=st.booleans())
    def erase(self, oid: str, force: bool, at_once: bool) -> None:
        if at_once:
            self.world.advance(1)  # topics without persistent messages are on disk then
        expected = [oid] if oid in self._topics() else []
        qos = f"<qos><erase forceDestroy='{str(force).lower()}'/></qos>"
        key = f"<key oid='{oid}'/>".encode()
        assert self.world.run(self.world.requests.erase(self.publisher.session, key, qos.encode())) == expected
        self.histories.pop(oid, None)
        for member in self.members.values():
            member.subscriptions = [each for each in member.subscriptions if each[0] != oid]
            if force:
                member.waiting = [note for note in member.waiting if note.oid != oid]
        if at_once:
            self._crash()
        else:
            self.world.turn()

    @rule(oid=oids)
    def erase_the_history(self, oid: str) -> None:
        self.publisher.erase(oid, f"<qos>{ALL}</qos>")
        if oid in self.histories:
            self.histories[oid] = []

    @rule()
    def crash(self) -> None:
        self.world.advance(1)  # topics without persistent messages are on disk then
        self._crash()

    # --- what must hold ---

    @invariant()
    def everything_is_as_the_model_has_it(self) -> None:
        self.world.turn(100)
        sessions = {session.name.relative: session for session in self.world.node.sessions.values()}
        assert set(self.world.node.topics) == self._topics()
        for name, member in self.members.items():
            session = sessions.get(f"client/{name}")
            assert (session is not None) == member.exists
            if session is None:
                continue
            subscribed = [(each.key.oid, each.persistent) for each in session.subscriptions.values()]
            assert sorted(subscribed) == sorted(member.subscriptions)
            if member.client is not None:
                assert member.client.contents == member.received
                assert not len(session.queue)
            else:
                self.world.advance(2)  # what was erased is out of the queue
                assert len(session.queue) == len(member.waiting)
        assert not self.world.node.erased or not all(each.client is None for each in self.members.values())

    @invariant()
    def histories_hold_what_was_published(self) -> None:
        for oid in OIDS:
            expected = [note.content for note in reversed(self.histories.get(oid, []))]
            assert self.publisher.get(oid, f"<qos>{ALL}</qos>") == expected

    def teardown(self) -> None:
        for name in self.members:
            self.come(name)
        self.everything_is_as_the_model_has_it()

    # --- the model ---

    def _note(self, oid: str, persistent: bool) -> Note:
        self.count += 1
        return Note(oid, b"%d" % self.count, persistent)

    def _qos(self, persistent: bool, initial: bool) -> str:
        mark = "<persistent/>" if persistent else ""
        past = ALL if initial else "<initialUpdate>false</initialUpdate>"
        return f"<qos>{mark}{past}<notify>false</notify></qos>"

    def _publish(self, note: Note) -> None:
        mark = "<persistent/>" if note.persistent else ""
        key = f"<key oid='{note.oid}' contentMime='text/xml'/>"
        self.world.requests.publish(self.publisher.session, key.encode(), f"<qos>{mark}</qos>".encode(), note.content)

    def _deliver(self, note: Note) -> None:
        self.histories.setdefault(note.oid, []).append(note)
        for member in self.members.values():
            member.put([note for oid, _ in member.subscriptions if oid == note.oid])

    def _subscribed(self, member: Member, oid: str, persistent: bool, initial: bool) -> None:
        member.subscriptions.append((oid, persistent))
        if initial:
            member.put(list(reversed(self.histories.get(oid, []))))

    def _topics(self) -> set[str]:
        subscribed = {oid for member in self.members.values() for oid, _ in member.subscriptions}
        return set(self.histories) | subscribed

    def _crash(self) -> None:
        self.world = self.world.crash()
        self.publisher = self.world.client("pub")
        for oid, history in self.histories.items():
            self.histories[oid] = [note for note in history if note.persistent]
        for member in self.members.values():
            member.crash()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
