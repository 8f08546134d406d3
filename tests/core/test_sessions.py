"""Sessions come, are taken over, and end (spec xmlblaster §2.1, §2.2, §6, §24)."""

from __future__ import annotations

import contextlib
import random
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from broker.auth.names import subject_of
from broker.core.dispatch import ConnectionState
from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos, Credentials, SessionQos
from broker.model.property import ClientProperty
from broker.model.qos import DisconnectQos, QueueQos
from tests.core.world import DEFAULTS, World, connect_qos


def code_of(raised: pytest.ExceptionInfo[BrokerError]) -> str:
    return str(raised.value.code)


def test_client_without_a_number_gets_a_negative_one_that_nobody_else_has() -> None:
    world = World()
    names = [world.connect("joe").session.name.public_id, world.connect("jack").session.name.public_id]
    assert names[0] < 0
    assert names[1] < names[0]


def test_client_may_choose_a_positive_number() -> None:
    assert World().connect("joe/7").session.name.absolute == "/node/heron/client/joe/7"


def test_negative_number_of_the_clients_choice_is_ignored() -> None:
    assert World().connect("joe/-77").session.name.public_id != -77


def test_foreign_node_name_is_replaced() -> None:
    qos = replace(connect_qos("joe"), session=SessionQos("/node/other/client/joe/7"))
    assert World().connect("", qos).session.name.absolute == "/node/heron/client/joe/7"


def test_secret_ids_have_128_random_bits() -> None:
    world = World()
    ids = {world.connect("joe").session.secret_id for _ in range(5)}
    assert len(ids) == 5
    assert all(len(each.rpartition("-")[2]) == 32 for each in ids)


def test_answer_says_the_absolute_name_and_the_secret_id() -> None:
    connected = World().connect("joe/1")
    assert connected.qos.session.name == "/node/heron/client/joe/1"
    assert connected.qos.session.secret_id == connected.session.secret_id
    assert not connected.qos.reconnected


class TestSessionOfAnotherLoginName:
    def connect(self, password: str, passwords: dict[str, str]) -> World:
        """Log in as eve and ask for the session joe/1, where each login name has a password."""
        world = World()

        def authenticate(credentials: Credentials, host: str) -> Deferred[None]:
            if passwords.get(credentials.user, "") in ("", credentials.password):
                return succeed(None)
            return fail(BrokerError(Code.USER_ACCESS_DENIED, "wrong"))

        world.broker.authenticate = authenticate
        world.connect("", replace(connect_qos("joe/1"), credentials=Credentials("htpasswd", "eve", password)))
        return world

    def test_is_given_where_passwords_are_not_checked(self) -> None:
        (session,) = self.connect("", {}).node.sessions.values()
        assert session.name.absolute == "/node/heron/client/joe/1"
        assert session.subject.name == "joe"

    def test_is_denied_to_those_who_could_not_log_in_under_that_name(self) -> None:
        with pytest.raises(BrokerError, match="eve may not use the session name 'joe/1'") as raised:
            self.connect("hers", {"eve": "hers", "joe": "his"})
        assert code_of(raised) == Code.USER_ACCESS_DENIED

    def test_is_denied_to_those_who_know_the_password_of_that_name_only(self) -> None:
        with pytest.raises(BrokerError) as raised:
            self.connect("his", {"eve": "hers", "joe": "his"})
        assert code_of(raised) == Code.USER_ACCESS_DENIED


@pytest.mark.parametrize(
    "user", ["joe", " joe ", "joe/1", "joe /1", "client/joe", "client/joe/1", "/node/other/client/joe/session/1"]
)
def test_who_gets_the_session_is_who_was_checked(user: str) -> None:
    world = World()
    world.connect("", ConnectQos(credentials=Credentials("htpasswd", user, "secret")))
    (session,) = world.node.sessions.values()
    assert session.subject.name == subject_of(user)


def test_a_user_that_is_no_name_has_no_session() -> None:
    world = World()
    with pytest.raises(BrokerError) as raised:
        world.connect("", ConnectQos(credentials=Credentials("htpasswd", "joe/1/2/3", "secret")))
    assert code_of(raised) == Code.USER_ILLEGAL_ARGUMENT
    assert not world.node.sessions


def test_login_name_of_one_character_is_refused() -> None:
    with pytest.raises(BrokerError) as raised:
        World().connect("j")
    assert code_of(raised) == Code.USER_ILLEGAL_ARGUMENT


class TestReconnect:
    def test_by_name_finds_the_session(self) -> None:
        world = World()
        first = world.connect("joe/1")
        again = world.connect("joe/1")
        assert again.session is first.session
        assert again.qos.reconnected

    def test_by_secret_id_needs_no_password(self) -> None:
        world = World()
        first = world.connect("joe")
        qos = replace(connect_qos("joe"), credentials=None, session=SessionQos(secret_id=first.session.secret_id))
        assert world.connect("", qos).session is first.session

    def test_by_unknown_secret_id_makes_a_new_session_where_the_password_is_right(self) -> None:
        world = World()
        qos = replace(connect_qos("joe"), session=SessionQos(secret_id="sessionId:gone"))
        assert not world.connect("", qos).reconnected

    def test_closes_the_connection_that_owned_the_session(self) -> None:
        world = World()
        client = world.client("joe/1", retries=-1)
        old = client.outbound
        client.come_back()
        assert old.closed
        assert client.session.dispatch.outbound is client.outbound

    def test_losing_the_old_connection_afterwards_changes_nothing(self) -> None:
        world = World()
        client = world.client("joe/1", retries=-1)
        old = client.outbound
        client.come_back()
        client.session.dispatch.lost(old, BrokerError(Code.COMMUNICATION, "late"))
        assert client.session.dispatch.state is ConnectionState.ALIVE

    def test_raises_the_epoch(self) -> None:
        world = World()
        session = world.connect("joe/1").session
        before = session.epoch
        world.connect("joe/1")
        assert session.epoch == before + 1

    def test_takes_the_new_callback_settings(self) -> None:
        world = World()
        session = world.connect("joe/1", address={"burst_entries": 1}).session
        world.connect("joe/1", address={"burst_entries": 50})
        assert session.dispatch.delivery.burst_entries == 50

    def test_keeps_subscriptions_and_queue(self) -> None:
        world = World()
        client = world.client("joe/1", retries=-1)
        client.subscribe("a")
        client.lose_connection()
        world.client("pub").publish("a", b"meanwhile")
        assert client.come_back().contents == [b"meanwhile"]

    def test_other_client_instance_is_refused_where_the_session_is_guarded(self) -> None:
        world = World()
        guarded = connect_qos("joe/1", session={"reconnect_same_client_only": True}, instance_id="one")
        world.connect("", guarded)
        with pytest.raises(BrokerError) as raised:
            world.connect("", replace(guarded, instance_id="two"))
        assert code_of(raised) == Code.USER_CONFIGURATION_IDENTICAL_CLIENT


class TestLimits:
    def test_one_session_too_many_is_refused_and_leaves_nothing(self) -> None:
        world = World()
        world.connect("joe", session={"max_sessions": 1})
        with pytest.raises(BrokerError) as raised:
            world.connect("joe", session={"max_sessions": 1})
        assert code_of(raised) == Code.USER_CONFIGURATION_MAX_SESSION
        assert len(world.node.sessions) == 1

    def test_a_client_cannot_ask_for_more_sessions_than_the_broker_allows(self) -> None:
        world = World(replace(DEFAULTS, max_sessions=2))
        world.connect("joe", session={"max_sessions": 1_000_000})
        answer = world.connect("joe", session={"max_sessions": 1_000_000})
        assert answer.qos.session.max_sessions == 2
        with pytest.raises(BrokerError) as raised:
            world.connect("joe", session={"max_sessions": 1_000_000})
        assert code_of(raised) == Code.USER_CONFIGURATION_MAX_SESSION

    def test_a_client_that_asked_for_fewer_sessions_may_have_them_all_again(self) -> None:
        world = World(replace(DEFAULTS, max_sessions=2))
        world.connect("joe", session={"max_sessions": 1})
        with pytest.raises(BrokerError):
            world.connect("joe")
        world.connect("joe", session={"max_sessions": 2})

    def test_an_administrator_may_give_an_account_more_sessions_than_others_have(self) -> None:
        world = World(replace(DEFAULTS, max_sessions=1))
        subject = world.connect("joe").session.subject
        subject.session_limit = subject.max_sessions = 3
        world.connect("joe", session={"max_sessions": 2})
        with pytest.raises(BrokerError):
            world.connect("joe")

    def test_an_answer_tells_the_limits_of_a_queue_that_hold(self) -> None:
        world = World()
        limits = world.settings.callback
        asked = QueueQos("callback", max_entries=10**9, max_bytes=10**12, max_entries_cache=7)
        connected = world.connect("joe/1", queue=asked)
        told = connected.qos.queue("callback")
        assert told is not None
        assert (told.max_entries, told.max_bytes) == (limits.max_entries, limits.max_bytes)
        assert (told.max_entries_cache, told.max_bytes_cache) == (7, None)
        held = connected.session.queue.limits
        assert (held.entries, held.bytes) == (limits.max_entries, limits.max_bytes)

    def test_a_session_without_a_client_takes_no_room(self) -> None:
        world = World(replace(DEFAULTS, max_sessions=1))
        world.broker.standing.of("joe", "")
        world.connect("joe")
        with pytest.raises(BrokerError) as raised:
            world.connect("joe")
        assert code_of(raised) == Code.USER_CONFIGURATION_MAX_SESSION
        assert "joe has 1 sessions" in raised.value.message

    def test_reconnect_is_no_further_session(self) -> None:
        world = World()
        world.connect("joe/1", session={"max_sessions": 1})
        assert world.connect("joe/1", session={"max_sessions": 1}).reconnected

    def test_clear_sessions_ends_the_others_first(self) -> None:
        world = World()
        other = world.client("joe", session={"max_sessions": 1})
        world.connect("joe", session={"max_sessions": 1, "clear_sessions": True})
        assert other.session.ended
        assert other.outbound.closed

    def test_blocked_login_is_denied(self) -> None:
        world = World()
        world.connect("joe").session.subject.blocked_at = 1
        with pytest.raises(BrokerError) as raised:
            world.connect("joe")
        assert code_of(raised) == Code.COMMUNICATION_SERVER_DENY


class TestEnd:
    def test_disconnect_leaves_nothing(self) -> None:
        world = World()
        client = world.client("joe")
        client.subscribe("a")
        client.disconnect()
        assert not world.node.sessions
        assert not world.node.subjects
        assert not world.node.subscriptions
        assert not world.node.topics

    def test_disconnect_waits_for_what_is_being_delivered(self) -> None:
        world = World()
        client = world.client("joe", answers=False)
        client.subscribe("a")
        client.publish("a", b"last")
        ending = world.start(world.login.disconnect(client.session, DisconnectQos()))
        world.turn()
        assert not ending.called
        client.outbound.acknowledge()
        world.turn()
        assert ending.called

    def test_disconnect_does_not_wait_for_ever(self) -> None:
        world = World()
        client = world.client("joe", answers=False)
        client.subscribe("a")
        client.publish("a", b"last")
        client.disconnect()
        assert client.session.ended

    def test_clear_sessions_at_disconnect_ends_all(self) -> None:
        world = World()
        world.client("joe")
        world.client("joe").disconnect(DisconnectQos(clear_sessions=True))
        assert not world.node.sessions

    def test_session_times_out_without_requests(self) -> None:
        world = World()
        client = world.client("joe", session={"timeout": 1000})
        world.advance(1.1)
        assert client.session.ended

    @pytest.mark.parametrize("jump", [-86_400, 86_400])
    def test_setting_the_clock_of_the_machine_is_no_time_that_passes(self, jump: int) -> None:
        world = World()
        client = world.client("joe/1", session={"timeout": 10_000})
        world.node.seconds = lambda: world.clock.seconds() + jump
        world.advance(9)
        assert not client.session.ended
        world.login.session(client.session.secret_id)
        world.advance(9)
        assert not client.session.ended
        world.advance(2)
        assert client.session.ended

    def test_its_time_begins_anew_when_the_broker_starts_again_whatever_the_clock_says(self) -> None:
        world = World()
        world.client("joe/1", persistent=True, retries=-1, session={"timeout": 10_000})
        world.advance(9)
        world.clock.rightNow += 86_400  # the machine was down, or its clock was set
        again = world.crash()
        session = again.node.subjects["joe"].sessions[1]
        again.advance(9)
        assert not session.ended
        again.advance(2)
        assert session.ended

    def test_the_store_has_the_wall_clock_s_time_of_the_last_request(self) -> None:
        world = World()
        client = world.client("joe/1", persistent=True, retries=-1)
        world.node.monotonic = lambda: world.clock.seconds() - 5000
        world.broker.registry.note_request(client.session)
        requested = world.node.now()
        world.advance(3)
        world.broker.registry.save(client.session)
        world.store.commit()
        assert world.store.tables.sessions[client.session.id].seen == requested

    def test_request_keeps_it_alive(self) -> None:
        world = World()
        client = world.client("joe", session={"timeout": 1000})
        world.advance(0.9)
        world.login.session(client.session.secret_id)
        world.advance(0.9)
        assert not client.session.ended
        world.advance(0.2)
        assert client.session.ended

    @pytest.mark.parametrize(("refresh", "ended"), [(False, True), (True, False)])
    def test_acknowledged_updates_keep_it_alive_only_where_asked(self, refresh: bool, ended: bool) -> None:
        world = World()
        client = world.client("joe", session={"timeout": 1000}, refresh_session=refresh)
        client.subscribe("a")
        pub = world.client("pub")
        for _ in range(3):
            world.advance(0.6)
            pub.publish("a", b"x")
        assert client.session.ended is ended

    def test_timeout_of_zero_is_for_ever(self) -> None:
        world = World()
        client = world.client("joe", session={"timeout": 0})
        world.advance(10**8)
        assert not client.session.ended

    def test_connection_lost_without_retries_ends_it(self) -> None:
        world = World()
        client = world.client("joe")
        client.lose_connection()
        assert client.session.ended

    def test_connection_lost_with_endless_retries_leaves_it_waiting(self) -> None:
        world = World()
        client = world.client("joe/1", retries=-1)
        client.lose_connection()
        assert client.session.dispatch.state is ConnectionState.POLLING

    def test_publisher_without_a_number_ends_with_its_connection(self) -> None:
        world = World()
        session = world.connect("joe", callback=False).session
        world.login.sessions.connection_lost(session, session.epoch)
        world.turn()
        assert session.ended

    def test_client_that_leaves_before_its_first_update_leaves_nothing(self) -> None:
        world = World()
        session = world.connect("joe").session
        world.login.sessions.connection_lost(session, session.epoch)
        world.turn()
        assert not world.node.sessions
        assert world.timers == 0

    def test_whoever_ends_a_session_that_is_being_ended_waits_until_it_is_gone(self) -> None:
        world = World(Settings(callback=QueueLimits(cache_entries=1)))
        joe = world.client("joe/1", persistent=True, answers=False)
        world.client("pub").send("joe", b"1")
        world.client("pub").send("joe", b"2")
        world.store.commit()
        world.store.held = True
        error = BrokerError(Code.USER_NOT_CONNECTED, "enough")
        first, second = (world.start(world.broker.registry.end(joe.session, error)) for _ in range(2))
        world.turn()
        assert (first.called, second.called) == (False, False)  # its queue is being read
        world.store.held = False
        world.store.commit()
        world.turn()
        assert (first.called, second.called) == (True, True)
        assert not world.store.tables.sessions

    def test_login_while_the_session_of_that_name_is_being_ended_gets_a_new_one(self) -> None:
        world = World()
        client = world.client("joe/1", retries=-1)
        ending = world.start(world.broker.registry.end(client.session, BrokerError(Code.USER_NOT_CONNECTED, "over")))
        again = world.connect("joe/1")
        assert ending.called
        assert not again.reconnected
        assert world.node.subjects["joe"].sessions[1] is again.session


def test_broker_that_is_not_ready_denies_logins() -> None:
    world = World()
    world.broker.accepting = False
    with pytest.raises(BrokerError) as raised:
        world.connect("joe")
    assert code_of(raised) == Code.COMMUNICATION_SERVER_DENY


def test_client_properties_become_remote_properties_where_asked() -> None:
    properties = (ClientProperty("__remoteProperties", "true", "boolean"), ClientProperty("place", "Kassel"))
    session = World().connect("joe", properties=properties).session
    assert session.remote_properties["place"].text == "Kassel"


@pytest.mark.parametrize("seed", range(3))
def test_whatever_sessions_do_nothing_of_them_is_left(seed: int) -> None:
    """Given many sessions that end in every way, nothing stays: no session, queue, topic, timer, row."""
    chance = random.Random(seed)
    world = World(replace(DEFAULTS, max_sessions=1000, destroy_delay=0))
    clients = []
    for number in range(200):
        persistent = chance.random() < 0.3
        name = f"user{number % 20}/{number + 1}" if persistent or chance.random() < 0.5 else f"user{number % 20}"
        clients.append(
            world.client(name, persistent=persistent, answers=chance.random() < 0.7, session={"timeout": 50_000})
        )
    for _ in range(600):
        client = chance.choice(clients)
        if client.session.ended:
            continue
        topic = f"topic{chance.randrange(5)}"
        match chance.randrange(6):
            case 0:
                client.subscribe(topic, "<qos><persistent/></qos>" if chance.random() < 0.3 else "<qos/>")
            case 1:
                client.publish(topic, b"x", chance.choice(["<qos/>", "<qos><expiration lifeTime='0'/></qos>"]))
            case 2:
                with contextlib.suppress(BrokerError):  # the receiver may be gone for good
                    client.send(chance.choice(clients).session.name.relative, b"y", force=True)
            case 3:
                client.lose_connection()
            case 4:
                client.disconnect()
            case 5:
                client.come_back()
    world.advance(60)
    for session in list(world.node.sessions.values()):
        world.run(world.broker.registry.end(session, BrokerError(Code.USER_NOT_CONNECTED, "over")))
    sweeper = world.client("watcher")  # an administrator
    sweeper.erase(key="<key queryType='XPATH'>//key</key>")
    sweeper.erase("__sys__deadMessage")
    for subject in list(world.node.subjects.values()):
        world.run(
            world.broker.registry.subject_queues.drop_transient(subject, BrokerError(Code.USER_NOT_CONNECTED, "over"))
        )
    sweeper.disconnect()
    world.store.commit()
    assert not world.node.sessions
    assert not world.node.subscriptions
    assert not world.node.topics
    assert world.timers == 0
    assert not world.store.tables.sessions
    assert not world.store.tables.subscriptions
    waiting = sum(len(subject.queue) for subject in world.node.subjects.values())
    assert len(list(world.store.tables.entries())) == waiting


@pytest.mark.parametrize("most", [0, -16, -(2**63)])
def test_a_login_cannot_ask_for_sessions_without_a_limit(most: int) -> None:
    world = World()
    with pytest.raises(BrokerError) as raised:
        world.connect("joe", session={"max_sessions": most})
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert not world.node.sessions


@pytest.mark.parametrize("name", ["updateResponseTimeout", "pingResponseTimeout"])
@pytest.mark.parametrize("value", ["\u00b2", "soon", "1_000", "1" * 400])
def test_a_refused_login_leaves_the_session_as_it_was(name: str, value: str) -> None:
    world = World()
    client = world.client("joe/1", persistent=True)
    before = client.session.qos, client.session.epoch, client.session.dispatch.delivery
    odd = {"attributes": (ClientProperty(name, value, "long"),)}
    with pytest.raises(BrokerError) as raised:
        world.connect("joe/1", persistent=True, address=odd)
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert before == (client.session.qos, client.session.epoch, client.session.dispatch.delivery)
    assert not client.outbound.closed


def test_a_session_that_was_stored_with_an_odd_timeout_comes_back_with_the_default() -> None:
    world = World()
    session = world.connect("joe/1", persistent=True).session
    attributes = (ClientProperty("updateResponseTimeout", "\u00b2", "long"),)
    (queue, (address,)), *_ = session.qos.queues
    session.qos = replace(session.qos, queues=((queue, (replace(address, attributes=attributes),)),))
    world.broker.registry.save(session)
    (again,) = world.crash().node.sessions.values()
    assert again.dispatch.delivery.update_timeout == 0
    assert again.qos.callback is not None
    assert again.qos.callback.attributes == attributes


@pytest.mark.parametrize("limits", [{"strict_persistence": True}, {"stored_sessions": 0}])
def test_a_refused_login_that_would_clear_the_others_leaves_them(limits: dict[str, Any]) -> None:
    world = World(Settings(**limits))
    other = world.client("joe")
    with pytest.raises(BrokerError):
        number = "" if limits.get("strict_persistence") else "/1"
        world.connect(f"joe{number}", persistent=True, session={"clear_sessions": True})
    assert not other.session.ended


def test_a_login_that_clears_a_persistent_session_takes_its_place() -> None:
    world = World(Settings(stored_sessions=1))
    other = world.client("joe/1", persistent=True)
    connected = world.connect("joe/2", persistent=True, session={"clear_sessions": True})
    assert other.session.ended
    assert connected.session.persistent
