"""Persistent sessions and subscriptions (engine.persistence.session, engine.persistence.subscription)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.core.broker import HEARTBEAT
from broker.core.dispatch import ConnectionState
from broker.core.entries import QueueLimits
from broker.core.ids import NANOSECONDS
from broker.core.sessions import Session
from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from broker.model.property import find
from tests.core.world import DEFAULTS, Client, FakeOutbound, World, connect_qos

PERSISTENT = "<qos><persistent/></qos>"
PERSISTENT_SUBSCRIPTION = "<qos><persistent/></qos>"


def only_session(world: World) -> Session:
    (session,) = world.node.sessions.values()
    return session


class TestBecomingPersistent:
    def test_by_the_flag_of_the_connect(self) -> None:
        connected = World().connect("joe/1", persistent=True)
        assert connected.session.persistent
        assert connected.qos.persistent

    def test_by_a_persistent_subscription(self) -> None:
        client = World().client("joe/1", retries=-1)
        client.subscribe("a", PERSISTENT_SUBSCRIPTION)
        assert client.session.persistent

    def test_needs_a_positive_number(self) -> None:
        connected = World().connect("joe", persistent=True)
        assert not connected.session.persistent
        assert not connected.qos.persistent
        told = find(connected.qos.properties, "__persistenceRefused")
        assert told is not None
        assert "positive session number" in told.text

    def test_needs_a_fail_safe_callback(self) -> None:
        connected = World().connect("joe/1", persistent=True, retries=5)
        assert not connected.session.persistent
        told = find(connected.qos.properties, "__persistenceRefused")
        assert told is not None
        assert "retries='-1'" in told.text

    def test_is_refused_without_these_where_the_configuration_is_strict(self) -> None:
        world = World(Settings(strict_persistence=True))
        with pytest.raises(BrokerError) as raised:
            world.connect("joe", persistent=True)
        assert raised.value.code == Code.USER_CONFIGURATION_NOT_PERSISTABLE
        assert not world.node.sessions
        assert not world.node.subjects
        assert not world.node.queues

    def test_flag_is_sticky(self) -> None:
        world = World()
        world.connect("joe/1", persistent=True)
        assert world.connect("joe/1", retries=-1).session.persistent

    def test_session_without_the_requisites_leaves_no_trace_on_disk(self) -> None:
        world = World()
        client = world.client("joe")
        client.subscribe("a", PERSISTENT_SUBSCRIPTION)
        world.store.commit()
        assert not world.store.tables.sessions
        assert not world.store.tables.subscriptions

    def test_record_holds_no_credential(self) -> None:
        world = World()
        world.connect("joe/1", persistent=True)
        world.store.commit()
        (record,) = world.store.tables.sessions.values()
        assert b"passwd" not in record.state
        assert b"securityService" not in record.state


class TestLimits:
    def test_one_persistent_session_too_many_is_thrown_back_and_leaves_nothing(self) -> None:
        world = World(Settings(stored_sessions=1))
        world.connect("joe/1", persistent=True)
        with pytest.raises(BrokerError) as raised:
            world.connect("jack/1", persistent=True)
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        assert list(world.node.subjects) == ["joe"]
        world.store.commit()
        assert len(world.store.tables.sessions) == 1

    def test_session_that_ends_makes_room(self) -> None:
        world = World(Settings(stored_sessions=1))
        world.client("joe/1", persistent=True).disconnect()
        assert world.connect("jack/1", persistent=True).session.persistent

    def test_subscription_that_would_make_one_session_too_many_persistent_is_thrown_back(self) -> None:
        world = World(Settings(stored_sessions=0))
        client = world.client("joe/1", retries=-1)
        with pytest.raises(BrokerError) as raised:
            client.subscribe("a", PERSISTENT_SUBSCRIPTION)
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        assert not client.session.subscriptions
        assert not world.node.topics

    def test_one_persistent_subscription_too_many_is_thrown_back(self) -> None:
        world = World(Settings(stored_subscriptions=1))
        client = world.client("joe/1", persistent=True)
        client.subscribe("a", PERSISTENT_SUBSCRIPTION)
        with pytest.raises(BrokerError) as raised:
            client.subscribe("b", PERSISTENT_SUBSCRIPTION)
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        assert len(client.session.subscriptions) == 1
        assert "b" not in world.node.topics

    def test_recovered_ones_count(self) -> None:
        world = World(Settings(stored_sessions=1))
        world.connect("joe/1", persistent=True)
        world = world.crash()
        with pytest.raises(BrokerError):
            world.connect("jack/1", persistent=True)


class TestRecovery:
    def test_session_comes_back_with_its_secret_id_and_waits_for_its_client(self) -> None:
        world = World()
        secret = world.connect("joe/1", persistent=True).session.secret_id
        session = only_session(world.crash())
        assert session.secret_id == secret
        assert session.name.relative == "client/joe/1"
        assert session.dispatch.state is ConnectionState.POLLING

    def test_client_comes_back_by_its_secret_id(self) -> None:
        world = World()
        secret = world.connect("joe/1", persistent=True).session.secret_id
        world = world.crash()
        qos = connect_qos("joe/1", persistent=True)
        qos = replace(qos, credentials=None, session=replace(qos.session, secret_id=secret))
        assert world.connect("", qos).reconnected

    def test_transient_session_does_not_come_back(self) -> None:
        world = World()
        world.connect("joe/1", retries=-1)
        assert not world.crash().node.sessions

    def test_subscription_comes_back_under_its_id_without_initial_update(self) -> None:
        world = World()
        client = world.client("joe/1", persistent=True)
        client.publish("a", b"old", "<qos><persistent/></qos>")
        id = client.subscribe("a", PERSISTENT_SUBSCRIPTION).id
        world = world.crash()
        session = only_session(world)
        assert list(session.subscriptions) == [id]
        world.advance(1)
        assert len(session.queue) == 0

    def test_transient_subscription_vanishes(self) -> None:
        world = World()
        world.client("joe/1", persistent=True).subscribe("a")
        assert not only_session(world.crash()).subscriptions

    def test_subscription_goes_on_where_it_was(self) -> None:
        world = World()
        client = world.client("joe/1", persistent=True)
        client.subscribe("a", PERSISTENT_SUBSCRIPTION)
        client.lose_connection()
        world.client("pub").publish("a", b"before", "<qos><persistent/></qos>")
        world = world.crash()
        world.client("pub").publish("a", b"after")
        assert world.client("joe/1", persistent=True).contents == [b"before", b"after"]

    def test_xpath_subscription_matches_topics_that_come_after_the_crash(self) -> None:
        world = World()
        world.client("joe/1", persistent=True).subscribe(
            key="<key queryType='XPATH'>//key[starts-with(@oid,'radar.')]</key>", qos=PERSISTENT_SUBSCRIPTION
        )
        world = world.crash()
        world.client("pub").publish("radar.1", b"blip")
        assert world.client("joe/1", persistent=True).contents == [b"blip"]

    def test_point_to_point_message_reaches_a_session_that_has_not_come_back_yet(self) -> None:
        world = World()
        world.connect("joe/1", persistent=True)
        world = world.crash()
        world.client("pub").send("joe/1", b"hello")
        world = world.crash()
        assert world.client("joe/1", persistent=True).contents == [b"hello"]

    def test_order_and_priorities_survive(self) -> None:
        world = World()
        world.connect("joe/1", persistent=True)
        sender = world.client("pub")
        for content, priority in ((b"1", 5), (b"2", 5), (b"9", 9), (b"3", 5)):
            sender.send("joe/1", content, f"<priority>{priority}</priority>")
        assert world.crash().client("joe/1", persistent=True).contents == [b"9", b"1", b"2", b"3"]

    def test_count_of_failed_deliveries_survives(self) -> None:
        world = World()
        client = world.client("joe/1", persistent=True, answers=False)
        world.client("pub").send("joe/1", b"hello")
        client.lose_connection()
        back = world.crash().client("joe/1", persistent=True)
        assert [entry.redeliver for entry in back.outbound.entries] == [1]

    def test_what_may_have_been_delivered_before_the_crash_is_marked(self) -> None:
        world = World()
        client = world.client("joe/1", persistent=True, answers=False)
        sender = world.client("pub")
        for content in (b"acknowledged", b"in flight"):
            sender.send("joe/1", content)
        world.store.commit()
        world.store.held = True
        client.outbound.acknowledge()  # and the power goes before that is on disk
        back = world.crash(committed=False).client("joe/1", persistent=True)
        assert [(entry.message.content, entry.redeliver) for entry in back.outbound.entries] == [
            (b"acknowledged", 1),
            (b"in flight", 1),
        ]

    def test_what_came_while_the_client_was_away_is_not(self) -> None:
        world = World()
        world.client("joe/1", persistent=True).lose_connection()
        world.client("pub").send("joe/1", b"hello")
        back = world.crash().client("joe/1", persistent=True)
        assert [entry.redeliver for entry in back.outbound.entries] == [0]

    def test_mark_outlives_a_second_crash(self) -> None:
        world = World()
        world.client("joe/1", persistent=True, answers=False)
        world.client("pub").send("joe/1", b"hello")
        back = world.crash().crash().client("joe/1", persistent=True)
        assert [entry.redeliver for entry in back.outbound.entries] == [1]

    @pytest.mark.parametrize("cache", [1, 100])
    def test_mark_outlives_a_stop_in_good_order(self, cache: int) -> None:
        # given messages that a client had acknowledged when the power went before that was on disk
        world = World(replace(DEFAULTS, callback=QueueLimits(entries=100, cache_entries=cache)))
        client = world.client("joe/1", persistent=True, answers=False)
        sender = world.client("pub")
        for content in (b"1", b"2", b"3"):
            sender.send("joe/1", content)
        world.store.commit()
        world.store.held = True
        client.outbound.acknowledge()
        client.outbound.acknowledge()
        after = world.crash(committed=False)
        # when the client comes back and takes one, and the broker is stopped
        after.client("joe/1", persistent=True, answers=False)
        after.broker.stop()
        # then all of them are marked still
        back = after.crash().client("joe/1", persistent=True)
        assert [entry.message.content for entry in back.outbound.entries if entry.redeliver] == [b"1", b"2", b"3"]

    def test_what_comes_after_a_crash_has_no_number_of_what_was_lost_though_the_clock_was_set_back(self) -> None:
        # given messages that a client was given before their commit
        world = World()
        client, sender = world.client("joe/1", persistent=True), world.client("pub")
        world.store.commit()
        world.store.held = True
        world.clock.rightNow -= 3600
        for _ in range(10):
            sender.send("joe/1", b"lost")
        # when the power goes, and others come
        after = world.crash(committed=False)
        back, sender = after.client("joe/1", persistent=True), after.client("pub")
        for _ in range(10):
            sender.send("joe/1", b"new")
        # then none of them is taken for a repetition
        assert (client.contents, back.contents) == ([b"lost"] * 10, [b"new"] * 10)
        numbers = {entry.message.id for each in (client, back) for entry in each.outbound.entries}
        assert len(numbers) == 20

    def test_nor_does_what_comes_after_another_crash_before_which_nothing_was_committed(self) -> None:
        world = World()
        world.client("joe/1", persistent=True)
        world.store.commit()
        world.clock.rightNow -= 3600
        numbers: list[int] = []
        for _ in range(3):
            world = world.crash(committed=False)
            client, sender = world.client("joe/1", persistent=True), world.client("pub")
            world.store.held = True
            for _ in range(10):
                sender.send("joe/1", b"lost")
            numbers += [entry.message.id for entry in client.outbound.entries]
        assert len(set(numbers)) == len(numbers) == 30

    def test_acknowledged_message_is_not_delivered_again(self) -> None:
        world = World()
        client = world.client("joe/1", persistent=True)
        world.client("pub").send("joe/1", b"hello")
        assert client.contents == [b"hello"]
        assert world.crash().client("joe/1", persistent=True).contents == []

    def test_message_that_was_not_committed_is_gone_and_nothing_else(self) -> None:
        world = World()
        world.connect("joe/1", persistent=True)
        sender = world.client("pub")
        sender.send("joe/1", b"committed")
        world.store.commit()
        world.store.held = True
        sender.send("joe/1", b"lost")
        assert world.crash(committed=False).client("joe/1", persistent=True).contents == [b"committed"]

    def test_timeout_begins_anew(self) -> None:
        world = World()
        world.connect("joe/1", persistent=True, session={"timeout": 10_000})
        world.advance(9)
        world = world.crash()
        world.advance(9)
        assert not only_session(world).ended
        world.advance(2)
        assert not world.node.sessions

    def test_no_number_is_given_twice(self) -> None:
        world = World()
        sender = world.client("pub")
        first = sender.publish("a", b"1", "<qos><persistent/></qos>").id
        world.clock.rightNow -= 5000  # the wall clock is set back while the broker is down
        assert world.crash().client("pub").publish("a", b"2", "<qos><persistent/></qos>").id > first

    @pytest.mark.parametrize("ahead", [1, 30, 3 * 3600])
    @pytest.mark.parametrize("down", [0.2, 5, 90])
    def test_numbers_do_not_fall_after_a_volatile_message_while_the_clock_was_ahead(
        self, ahead: float, down: float
    ) -> None:
        world = World()
        world.advance(HEARTBEAT // 1000)
        sender = world.client("pub")
        world.store.held = True
        world.wall.ahead = ahead
        first = sender.publish("a", b"1").id
        world.wall.ahead = 0
        world.clock.rightNow += down
        assert world.crash(committed=False).client("pub").publish("a", b"2").id > first

    def test_nor_after_one_of_a_clock_that_was_set_back_while_the_broker_ran(self) -> None:
        world = World()
        sender = world.client("pub")
        world.wall.ahead = 3 * 3600
        world.advance(HEARTBEAT // 1000)
        first = sender.publish("a", b"1").id
        world.wall.ahead = 0
        world.advance(HEARTBEAT // 1000)
        assert first > world.node.now() * NANOSECONDS
        assert world.crash().client("pub").publish("a", b"2").id > first

    def test_numbers_follow_a_clock_that_is_set_forward_once_that_is_on_disk(self) -> None:
        world = World()
        world.advance(HEARTBEAT // 1000)
        world.wall.ahead = 3 * 3600
        assert world.client("pub").publish("a", b"1").id < world.node.now() * NANOSECONDS
        world.advance(HEARTBEAT // 1000)
        assert world.client("pub").publish("a", b"1").id >= world.node.now() * NANOSECONDS

    def test_numbers_follow_a_clock_that_nobody_sets_though_nothing_gets_on_disk(self) -> None:
        world = World()
        world.store.held = True
        world.advance(600)
        assert world.client("pub").publish("a", b"1").id >= world.node.now() * NANOSECONDS


class TestDispatcherActive:
    def test_connect_may_begin_suspended(self) -> None:
        world = World()
        client = world.client("joe/1", persistent=True, address={"dispatcher_active": False})
        world.client("pub").send("joe/1", b"hello")
        assert client.contents == []
        client.session.dispatch.active = True
        world.turn()
        assert client.contents == [b"hello"]

    def test_given_in_the_connect_survives_a_crash(self) -> None:
        world = World()
        world.connect("joe/1", persistent=True, address={"dispatcher_active": False})
        assert not only_session(world.crash()).dispatch.active

    @pytest.mark.parametrize("active", [True, False])
    def test_changed_at_run_time_survives_a_crash(self, active: bool) -> None:
        world = World()
        session = world.connect("joe/1", persistent=True, address={"dispatcher_active": not active}).session
        session.dispatch.active = active
        assert only_session(world.crash()).dispatch.active is active

    def test_reconnect_without_a_word_about_it_leaves_it_as_it_is(self) -> None:
        world = World()
        session = world.connect("joe/1", persistent=True).session
        session.dispatch.active = False
        world.connect("joe/1", persistent=True)
        assert not session.dispatch.active


class TestNegativeNumbers:
    def test_messages_for_a_session_that_cannot_come_back_wait_for_its_subject(self) -> None:
        world = World()
        client = world.client("joe", answers=False)
        world.client("pub").send(client.session.name.relative, b"hello")
        world = world.crash()
        assert not world.node.sessions
        assert world.client("joe").contents == [b"hello"]

    def test_rows_do_not_gather_over_restarts(self) -> None:
        world = World()
        for _ in range(3):
            client = world.client("joe", answers=False)
            world.client("pub").send(client.session.name.relative, b"hello")
            world = world.crash()
        world.store.commit()
        assert not world.store.tables.sessions


def test_messages_for_a_transient_session_with_a_number_wait_for_it() -> None:
    world = World()
    client = world.client("joe/1", answers=False)
    world.client("pub").send("joe/1", b"hello")
    assert not client.session.persistent
    assert world.crash().client("joe/1").contents == [b"hello"]


def test_answers_are_due_only_after_the_commit() -> None:
    world = World()
    world.store.held = True
    before = world.store.position
    joe = world.start(world.login.connect(connect_qos("joe/1", persistent=True), "127.0.0.1"))
    world.turn()
    assert joe.called
    assert world.store.position > before
    told: list[str] = []
    world.broker.when_committed(lambda: told.append("safe"))
    world.turn()
    assert not told
    world.store.commit()
    assert told == ["safe"]


class TestTransientSessionThatCanReturn:
    @pytest.mark.parametrize("by_secret_id", [False, True])
    def test_persistent_messages_of_its_subscriptions_wait_for_it_over_a_crash(self, by_secret_id: bool) -> None:
        # given a session that its client gave a number
        world = World()
        client = world.client("joe/1", retries=-1)
        client.subscribe("a")
        client.lose_connection()
        sender = world.client("pub")
        sender.publish("a", b"1", PERSISTENT)
        sender.publish("a", b"transient")
        sender.publish("a", b"2", PERSISTENT)
        # when the power goes, and its client comes back
        world = world.crash().crash()
        qos = connect_qos("joe/1", retries=-1)
        if by_secret_id:
            qos = replace(qos, session=replace(qos.session, secret_id=client.session.secret_id))
        connected = world.connect("joe/1", qos)
        back = Client(world, connected.session, FakeOutbound(connected.session))
        world.broker.attach(back.session, back.outbound, back.epoch)
        world.turn()
        # then
        assert back.contents == [b"1", b"2"]
        assert not connected.qos.reconnected  # so it knows that it has to subscribe again
        assert not back.session.subscriptions
        assert not back.session.persistent

    def test_persistent_initial_updates_wait_for_it_over_a_crash(self) -> None:
        world = World()
        world.client("pub").publish("a", b"1", PERSISTENT)
        world.client("joe/1", retries=-1, answers=False).subscribe("a")
        assert world.crash().client("joe/1", retries=-1).contents == [b"1"]

    def test_what_waits_for_it_is_a_dead_message_when_its_time_is_over(self) -> None:
        world = World(replace(DEFAULTS, ptp_session_timeout=10_000))
        client = world.client("joe/1", retries=-1)
        client.subscribe("a")
        client.lose_connection()
        world.client("pub").publish("a", b"1", PERSISTENT)
        world = world.crash()
        world.advance(11)
        assert not [each for each in world.node.sessions.values() if each.name.subject == "joe"]
        assert world.client("watcher").get("__sys__deadMessage") == [b"1"]

    def test_leaves_nothing_on_disk_once_its_client_has_taken_all(self) -> None:
        world = World()
        client = world.client("joe/1", retries=-1)
        client.subscribe("a")
        world.client("pub").publish("a", b"1", "<qos><persistent/><expiration lifeTime='0'/></qos>")
        assert client.contents == [b"1"]
        world = world.crash()
        world.store.commit()
        assert not world.node.sessions
        assert not world.store.tables.sessions
        assert not world.store.tables.messages

    def test_without_a_number_of_its_own_nothing_is_stored_for_it(self) -> None:
        world = World()
        client = world.client("joe", answers=False)
        client.subscribe("a")
        world.client("pub").publish("a", b"1", PERSISTENT)
        world.store.commit()
        assert not world.store.tables.sessions
