"""Why queues wait: each reason is brought about, and told with the time when it began."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker.admin.flows import STUCK_AFTER, Flows
from broker.admin.views.session_notes import NoteCode, note_of, with_fates
from broker.admin.why import BRIEF, Why
from broker.admin.why_texts import told
from broker.core.entries import QueueLimits
from broker.core.hindrances import Hindrance, Wait
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.qos import QueueQos
from tests.admin.api.desk import Desk
from tests.core.world import DEFAULTS, Client, World
from tests.xmpp.world import World as XmppWorld
from tests.xmpp.world import settings

FULL_DISK = BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full")


class Office:
    """A broker and its reasons.

    Args:
        world: the broker.
    """

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.desk = Desk(self.world)
        self.why = Why(self.desk.instance)

    @property
    def now(self) -> int:
        """Milliseconds since 1970."""
        return self.world.node.now()

    def receiver(self, name: str = "joe/1", *, answers: bool = False, **settings: Any) -> Client:
        """A client that is subscribed to news."""
        client = self.world.client(name, answers=answers, **settings)
        client.subscribe("news")
        return client

    def publish(self, count: int = 1, qos: str = "<qos/>") -> None:
        """Publish news."""
        publisher = self.world.client("ann", callback=False)
        for _ in range(count):
            publisher.publish("news", b"x", qos)

    def waits(self, client: Client) -> list[Wait]:
        """Why the queue of a client waits."""
        return self.why.of_session(client.session)

    def first(self, client: Client) -> Wait:
        """The decisive reason."""
        return self.waits(client)[0]


def codes(waits: list[Wait]) -> list[Hindrance]:
    return [wait.code for wait in waits]


# Native clients


def test_queue_without_entries_waits_for_nothing() -> None:
    office = Office()
    assert office.waits(office.receiver()) == []


def test_update_without_an_answer_holds_what_is_behind_it() -> None:
    office = Office()
    joe = office.receiver()
    office.publish(3)
    sent = office.now
    office.world.advance(38)

    (wait,) = office.waits(joe)

    assert (wait.code, wait.since) == (Hindrance.UNANSWERED, sent)
    assert wait.params == {"entries": 1, "maxEntries": 1}


def test_update_that_is_answered_late_but_soon_enough_is_no_reason() -> None:
    office = Office()
    joe = office.receiver()
    office.publish(2)
    office.world.advance(BRIEF / 1000 - 0.1)
    assert codes(office.waits(joe)) == [Hindrance.FLOWING]


def test_client_whose_connection_is_gone_is_away_since_then() -> None:
    office = Office()
    joe = office.receiver(persistent=True)
    office.world.advance(10)
    joe.lose_connection()
    gone = office.now
    office.publish()
    office.world.advance(60)

    wait = office.first(joe)

    assert (wait.code, wait.since) == (Hindrance.RECEIVER_AWAY, gone)
    assert "the connection was lost" in str(wait.params["lastError"])
    assert "maxAttempts" not in wait.params


def test_client_with_attempts_left_is_told_when_the_next_is() -> None:
    office = Office()
    joe = office.receiver(retries=3, address={"delay": 60_000})
    joe.lose_connection()
    office.publish()
    office.world.advance(20)

    assert {**office.first(joe).params, "lastError": ""} == {
        "lastError": "",
        "attempts": 1,
        "maxAttempts": 3,
        "nextInSeconds": 40.0,
    }


def test_callback_server_is_being_dialled_since_then() -> None:
    office = Office()
    joe = office.receiver(persistent=True, address={"delay": 5_000})
    joe.session.dispatch.dial = Deferred
    joe.lose_connection()
    office.publish()
    office.world.advance(5)
    dialled = office.now
    office.world.advance(4)

    wait = office.first(joe)

    assert (wait.code, wait.since) == (Hindrance.RECEIVER_BEING_CALLED, dialled)
    assert "lastError" in wait.params


def test_session_that_another_login_has_taken_over_waits_for_its_callback() -> None:
    office = Office()
    joe = office.receiver(persistent=True)
    office.world.advance(7)
    office.world.connect("joe/1", persistent=True)
    taken_over = office.now
    office.publish()
    office.world.advance(3)

    wait = office.first(joe)

    assert (wait.code, wait.since) == (Hindrance.TAKEN_OVER, taken_over)


def test_session_without_a_callback_has_no_receiver() -> None:
    office = Office()
    joe = office.world.client("joe/1")
    joe.lose_connection()
    session = office.world.connect("jack/1", persistent=True).session
    office.world.client("ann").send("jack/1", b"x")
    session.qos = replace(session.qos, queues=())

    (wait,) = office.why.of_session(session)

    assert (wait.code, wait.since) == (Hindrance.NO_RECEIVER, session.created)


def test_session_whose_client_has_not_come_since_it_was_made_has_no_receiver() -> None:
    office = Office()
    office.world.client("ann").send("jack/1", b"x", force=True)
    session = office.world.node.subjects["jack"].sessions[1]
    assert codes(office.why.of_session(session)) == [Hindrance.NO_RECEIVER]


def test_client_that_asks_for_nothing_holds_deliveries_back() -> None:
    office = Office()
    joe = office.receiver(persistent=True)
    office.publish()
    office.world.advance(2)
    joe.session.dispatch.refused(BrokerError(Code.USER_UPDATE_HOLDBACK, "not now"))
    held = office.now
    office.world.advance(50)

    wait = office.first(joe)

    assert (wait.code, wait.since) == (Hindrance.HELD_BACK, held)
    assert wait.params == {"by": "its client (user.update.holdback)"}


def test_administrator_who_holds_deliveries_back_is_named() -> None:
    office = Office()
    joe, watcher = office.receiver(), office.world.client("watcher/1")
    office.world.broker.control.set_active(watcher.session, joe.session, False)
    office.publish()
    assert office.first(joe).params == {"by": "client/watcher/1"}


def test_connection_that_takes_no_more_is_blocked_since_there_is_something_for_it() -> None:
    office = Office()
    joe = office.receiver()
    joe.outbound.writable = False
    office.world.advance(100)
    office.publish()
    blocked = office.now
    office.world.advance(12)

    (wait,) = office.waits(joe)

    assert (wait.code, wait.since) == (Hindrance.NOT_READING, blocked)
    joe.outbound.writable, joe.outbound.answers = True, True
    joe.session.dispatch.resume()
    office.world.turn()
    assert office.waits(joe) == []


def test_messages_are_collected_since_the_first_of_them_came() -> None:
    office = Office()
    joe = office.receiver(address={"burst_entries": 10, "collect_time": 500})
    office.publish()
    came = office.now
    office.world.advance(0.2)

    (wait,) = office.waits(joe)

    assert (wait.code, wait.since, wait.params) == (Hindrance.COLLECTING, came, {"remainingSeconds": 0.3})


def test_ping_that_is_overdue_is_told_behind_what_waits_for_an_answer() -> None:
    office = Office()
    joe = office.receiver(address={"ping_interval": 1000, "stall_on_ping_timeout": True})
    office.publish()
    office.world.advance(1)
    office.world.advance(60)
    stalled = office.now
    office.world.advance(10)

    waits = office.waits(joe)

    assert codes(waits) == [Hindrance.UNANSWERED, Hindrance.STALLED]
    assert waits[1].since == stalled


def test_login_that_is_blocked_is_decisive_for_who_is_away() -> None:
    office = Office()
    joe, watcher = office.receiver(persistent=True), office.world.client("watcher/1")
    joe.lose_connection()
    office.publish()
    office.world.advance(5)
    office.world.broker.control.block(watcher.session, joe.session.subject, True)
    blocked = office.now
    office.world.advance(5)
    waits = office.waits(joe)
    assert codes(waits) == [Hindrance.LOGIN_BLOCKED, Hindrance.RECEIVER_AWAY]
    assert waits[0].since == blocked


def test_login_that_is_blocked_hinders_nobody_who_is_there() -> None:
    office = Office()
    joe = office.receiver()
    office.publish()
    office.world.advance(10)
    joe.session.subject.blocked_at = 1
    assert codes(office.waits(joe)) == [Hindrance.UNANSWERED]


# The broker and its store


def test_broker_that_does_not_serve_yet_is_at_its_run_level() -> None:
    office = Office()
    joe = office.receiver(persistent=True)
    office.publish()
    office.world.broker.stop()
    office.desk.fake.run_levels.level = 6

    waits = office.waits(joe)

    assert codes(waits) == [Hindrance.RUN_LEVEL, Hindrance.NO_RECEIVER]
    assert "6 (CLEANUP)" in told(waits[0]).detail


def test_entries_that_are_on_disk_are_being_read_since_then() -> None:
    office = Office(World(replace(DEFAULTS, callback=QueueLimits(cache_entries=4))))
    joe = office.receiver(address={"burst_entries": 4})
    office.publish(20)
    reading: Deferred[Any] = Deferred()
    office.world.store.read_entries = lambda *arguments: reading  # type: ignore[method-assign]
    joe.outbound.acknowledge()  # with the last of those in memory on their way, more are read
    began = office.now
    office.world.advance(1)
    joe.outbound.acknowledge()
    office.world.advance(3)

    (wait,) = office.waits(joe)

    assert (wait.code, wait.since) == (Hindrance.ON_DISK, began)


def test_store_that_fails_is_decisive_for_what_waits_for_it() -> None:
    office = Office(World(replace(DEFAULTS, callback=QueueLimits(cache_entries=4))))
    joe = office.receiver(address={"burst_entries": 4})
    office.publish(20)
    office.world.store.fail(FULL_DISK)
    failing = office.now
    reading: Deferred[Any] = Deferred()
    office.world.store.read_entries = lambda *arguments: reading  # type: ignore[method-assign]
    office.world.advance(4)
    for _ in range(2):
        joe.outbound.acknowledge()

    waits = office.waits(joe)

    assert codes(waits) == [Hindrance.STORE_FAILING, Hindrance.ON_DISK]
    assert (waits[0].since, waits[0].params) == (failing, {"reason": str(FULL_DISK)})


def test_store_that_fails_hinders_nobody_who_does_not_wait_for_it() -> None:
    office = Office()
    joe = office.receiver()
    office.publish()
    office.world.store.fail(FULL_DISK)
    office.world.advance(10)
    assert codes(office.waits(joe)) == [Hindrance.UNANSWERED]


# What waits for a login name


def test_message_for_a_login_name_waits_while_none_of_its_sessions_takes_it() -> None:
    office = Office()
    office.world.client("joe/1", address={"ptp": False})
    office.world.client("joe/2", callback=False)
    office.world.client("ann").send("joe", b"x")
    sent = office.now
    office.world.advance(30)

    (wait,) = office.why.of_subject(office.world.node.subjects["joe"])

    assert (wait.code, wait.since) == (Hindrance.NO_SESSION_TAKES, sent)
    assert wait.params == {
        "sessionCount": 2,
        "sessions": "client/joe/1: its callback is not for messages from point to point (ptp=false), "
        "client/joe/2: it has no callback",
    }


def test_message_for_a_login_name_without_sessions_waits_for_one() -> None:
    office = Office()
    office.world.client("ann").send("joe", b"x", force=True)
    subject = office.world.node.subjects["joe"]
    (wait,) = office.why.of_subject(subject)
    assert "no session" in told(wait).detail

    subject.blocked_at = 1

    assert codes(office.why.of_subject(subject)) == [Hindrance.LOGIN_BLOCKED, Hindrance.NO_SESSION_TAKES]


def test_message_for_a_login_name_whose_sessions_are_full_waits_for_what_these_wait_for() -> None:
    office = Office()
    joe = office.world.client("joe/1", answers=False, queue=QueueQos("callback", max_entries=1))
    ann = office.world.client("ann")
    for _ in range(3):
        ann.send("joe", b"x")
    office.world.advance(10)
    assert joe.session.queue.is_full

    (wait,) = office.why.of_subject(joe.session.subject)

    assert (wait.code, wait.params["session"]) == (Hindrance.UNANSWERED, "client/joe/1")


# Streams


def stream_session(world: XmppWorld, user: str = "joe") -> Session:
    (session,) = world.node.subjects[user].sessions.values()
    return session


def message(count: int = 1) -> str:
    body = "<message to='joe@localhost' type='chat'><body>{}</body></message>"
    return "".join(body.format(number) for number in range(count))


def test_window_that_is_full_waits_since_the_last_stanza_was_sent() -> None:
    world = XmppWorld(settings(sm_window=3))
    office = Office(world)
    joe, jack = world.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/x")
    joe.ack()
    world.advance(5)
    jack.send(message(10))
    sent = office.now
    world.advance(20)

    (wait,) = office.why.of_session(stream_session(world))

    assert (wait.code, wait.since) == (Hindrance.WINDOW_FULL, sent)
    assert wait.params == {"unacked": 3, "window": 3, "lastAckSeconds": 25.0}


def test_stanzas_that_nobody_acknowledges_wait_since_the_first_of_them_was_sent() -> None:
    world = XmppWorld()
    office = Office(world)
    joe, jack = world.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/x")
    joe.ack()
    sent = office.now
    for _ in range(3):
        jack.send(message())
        world.advance(5)

    (wait,) = office.why.of_session(stream_session(world))

    assert (wait.code, wait.since, wait.params["unacked"]) == (Hindrance.UNANSWERED, sent, 3)


def test_stream_without_a_connection_may_be_resumed_for_a_while() -> None:
    world = XmppWorld()
    office = Office(world)
    joe, jack = world.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/x")
    world.advance(5)
    joe.cut()
    cut = office.now
    jack.send(message())
    world.advance(20)
    session = stream_session(world)

    (wait,) = office.why.of_session(session)

    assert (wait.code, wait.since) == (Hindrance.DETACHED_STREAM, cut)
    assert wait.params["resumableSeconds"] == world.streams.of(session).stream.window - 20
    assert "the connection was cut" in str(wait.params["lastError"])


def test_stream_without_a_connection_tells_what_becomes_of_its_messages() -> None:
    world = XmppWorld()
    office = Office(world)
    joe, jack = world.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/x")
    joe.cut()
    jack.send(message(3))
    jack.send("<iq type='get' id='1' to='joe@localhost/x'><ping xmlns='urn:xmpp:ping'/></iq>")
    session = stream_session(world)

    (wait,) = with_fates(world.broker, session, office.why.of_session(session))

    fates = {name: wait.params[name] for name in ("toSubject", "dead", "dropped", "notLookedAt")}
    assert fates["toSubject"] == 3
    assert sum(map(int, fates.values())) == session.queue.entries
    assert "3 messages go to its account" in told(wait).detail


def test_session_that_is_not_persistent_as_its_client_has_asked_says_why() -> None:
    office = Office()
    joe = office.world.client("joe", persistent=True)
    note = note_of(office.world.broker, joe.session)
    assert note is not None
    assert (note.code, "number" in note.detail) == (NoteCode.PERSISTENCE_REFUSED, True)
    assert note_of(office.world.broker, office.world.client("ann/1", persistent=True).session) is None


def test_session_that_a_message_has_made_says_that_nobody_has_logged_in() -> None:
    office = Office()
    office.world.client("ann/1").send("joe/7", b"x", force=True)
    note = note_of(office.world.broker, office.world.node.subjects["joe"].sessions[7])
    assert note is not None
    assert note.code is NoteCode.PLACEHOLDER


def test_stanzas_wait_for_their_commit() -> None:
    world = XmppWorld()
    office = Office(world)
    joe, jack = world.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/x")
    joe.ack()
    world.store.held = True
    world.advance(1)
    jack.send(message(2))
    held = office.now
    world.advance(3)

    waits = office.why.of_session(stream_session(world))

    assert (waits[0].code, waits[0].since) == (Hindrance.COMMIT_PENDING, held)
    world.store.fail(FULL_DISK)
    assert codes(office.why.of_session(stream_session(world)))[:2] == [
        Hindrance.STORE_FAILING,
        Hindrance.COMMIT_PENDING,
    ]


def test_stream_that_reads_nothing_is_told() -> None:
    world = XmppWorld()
    office = Office(world)
    joe, jack = world.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/x")
    joe.stream.set_writable(False)
    jack.send(message(2))
    blocked = office.now
    world.advance(4)

    waits = office.why.of_session(stream_session(world))

    assert (codes(waits), waits[0].since) == ([Hindrance.NOT_READING], blocked)


@pytest.mark.parametrize(
    ("presence", "reason"),
    [(None, "it is unavailable"), ("<presence><priority>-1</priority></presence>", "its priority is -1")],
)
def test_resource_that_takes_no_messages_is_told_with_the_reason(presence: str | None, reason: str) -> None:
    world = XmppWorld()
    office = Office(world)
    world.bind("joe@localhost/x", presence=presence)
    world.bind("jack@localhost/x").send(message())

    (wait,) = office.why.of_subject(world.node.subjects["joe"])

    assert wait.code is Hindrance.NO_SESSION_TAKES
    assert reason in str(wait.params["sessions"])


# How fast entries leave


def look(office: Office, flows: Flows) -> None:
    flows.begin(office.now)
    for session in office.world.node.sessions.values():
        flows.look_at_session(session)
    for subject in office.world.node.subjects.values():
        flows.look_at_subject(subject)
    flows.end()


def test_queue_that_lets_entries_go_flows_and_tells_when_it_is_empty() -> None:
    office = Office()
    flows = Flows(office.desk.instance)
    joe = office.receiver()
    office.publish(30)
    look(office, flows)
    for _ in range(20):
        office.world.advance(0.5)
        joe.outbound.acknowledge()
    look(office, flows)

    (wait,) = flows.why.of_session(joe.session)

    assert (wait.code, wait.params) == (Hindrance.FLOWING, {"entriesPerSecond": 2.0, "emptyInSeconds": 5})
    assert flows.stuck == {}


def test_queue_that_lets_none_go_is_stuck_after_a_while() -> None:
    office = Office()
    flows = Flows(office.desk.instance)
    joe = office.receiver()
    office.publish(3)
    look(office, flows)
    office.world.advance(STUCK_AFTER / 1000 - 1)
    look(office, flows)
    assert flows.stuck == {}

    office.world.advance(1)
    look(office, flows)

    assert flows.stuck == {Hindrance.UNANSWERED: 1}
    joe.outbound.acknowledge()
    look(office, flows)
    assert flows.stuck == {}


def test_answer_that_is_awaited_for_a_moment_only_counts_where_nothing_left_before() -> None:
    office = Office()
    flows = Flows(office.desk.instance)
    joe = office.receiver(persistent=True)
    joe.lose_connection()
    office.publish(3)
    look(office, flows)
    office.world.advance(10)
    look(office, flows)
    joe.outbound.closed = ""
    office.world.broker.attach(joe.session, joe.outbound, joe.epoch)
    office.world.turn()
    assert codes(flows.why.of_session(joe.session)) == [Hindrance.UNANSWERED]


# Texts


PAGE = (Path(__file__).parents[2] / "docs" / "why.md").read_text("utf-8")


@pytest.mark.parametrize("code", Hindrance)
def test_each_reason_has_a_paragraph_in_the_docs(code: Hindrance) -> None:
    assert f"\n## {code}\n" in PAGE


def test_docs_have_no_other_reasons() -> None:
    assert set(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)) == set(Hindrance)


def test_reason_is_told_in_words() -> None:
    office = Office()
    joe = office.receiver(persistent=True)
    joe.lose_connection()
    office.publish()

    waiting = told(office.first(joe))

    assert waiting.detail.startswith("its client is not connected: communication.noConnection")
    assert waiting.detail.endswith("attempt 1 of any number")
    assert waiting.since == "1970-01-12T13:46:40.000Z"
