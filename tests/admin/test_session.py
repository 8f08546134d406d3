"""Attributes of a session (spec xmlblaster §16.1)."""

from __future__ import annotations

from typing import Any

import pytest

from broker.core.dispatch import ConnectionState
from broker.errors import BrokerError, Code
from broker.model.property import property_of
from tests.admin.office import BOSS, Office
from tests.core.world import Client, FakeOutbound, connect_qos


def office_with(name: str = "joe/1", **settings: Any) -> tuple[Office, Client, Client]:
    """A broker with an administrator and a client."""
    office = Office(BOSS)
    return office, office.client("boss"), office.client(name, **settings)


def test_who_it_is() -> None:
    office, boss, _ = office_with()
    assert office.get(boss, "client/joe/1/?id") == "/node/heron/client/joe/1"
    assert office.get(boss, "client/joe/1/?loginName") == "joe"
    assert office.get(boss, "client/joe/1/?publicSessionId") == "1"
    assert office.get(boss, "client/joe/1/?connectionState") == "ALIVE"
    assert office.get(boss, "client/joe/1/?callbackConfigured") == "true"
    assert office.get(boss, "client/joe/1/?persistent") == "false"


def test_what_it_did_is_counted() -> None:
    office, boss, joe = office_with()
    joe.subscribe("a")
    joe.publish("a")
    joe.get("a")
    joe.erase("a")
    joe.unsubscribe("a")
    read = {name: office.get(boss, f"client/joe/1/?{name}") for name in ("numPublish", "numGet", "numErase")}
    assert read == {"numPublish": "1", "numGet": "1", "numErase": "1"}
    assert office.get(boss, "client/joe/1/?numSubscribe") == "1"
    assert office.get(boss, "client/joe/1/?numUnSubscribe") == "1"


def test_messages_that_it_took_are_counted_once_each_however_often_they_were_sent() -> None:
    office, boss, joe = office_with(answers=False, retries=-1)
    joe.subscribe("a")
    boss.publish("a", b"1")
    outbound = joe.outbound
    for _ in range(2):
        office.world.connect("joe/1", retries=-1)
        outbound = FakeOutbound(joe.session, answers=False)
        office.world.broker.attach(joe.session, outbound, joe.session.epoch)
        office.world.turn()
        assert outbound.contents == [b"1"]
        assert office.get(boss, "client/joe/1/?numUpdate") == "0"
    outbound.acknowledge()
    assert office.get(boss, "client/joe/1/?numUpdate") == "1"


def test_messages_that_need_no_answer_are_counted_apart() -> None:
    office, boss, joe = office_with()
    joe.subscribe("a", "<qos><updateOneway/></qos>")
    boss.publish("a", b"1")
    read = [office.get(boss, f"client/joe/1/?{name}") for name in ("numUpdate", "numUpdateOneway")]
    assert read == ["0", "1"]


def test_date_of_its_login_is_that_of_the_last_one() -> None:
    office, boss, joe = office_with(retries=-1)
    first = office.get(boss, "client/joe/1/?loginDate")
    office.world.advance(10)
    assert office.get(boss, "client/joe/1/?loginDate") == first
    joe.come_back()
    assert office.get(boss, "client/joe/1/?loginDate") == "1970-01-12 13:46:50Z"
    assert office.get(boss, "client/joe/1/?uptime") == "10"


def test_what_waits_for_it_is_counted() -> None:
    office, boss, joe = office_with(answers=False)
    joe.subscribe("a")
    for content in (b"1", b"22"):
        boss.publish("a", content)
    assert office.get(boss, "client/joe/1/?cbQueueNumMsgs") == "2"
    assert office.get(boss, "client/joe/1/?cbQueueNumMsgsCache") == "2"
    assert int(office.get(boss, "client/joe/1/?cbQueueBytes")) > 3
    assert office.get(boss, "client/joe/1/?cbQueueMaxMsgs") == "1000"


def test_what_it_subscribed_is_named() -> None:
    office, boss, joe = office_with()
    ids = {joe.subscribe("b").id, joe.subscribe("a").id}
    assert set(office.get(boss, "client/joe/1/?subscriptionList").split(",")) == ids
    assert office.get(boss, "client/joe/1/?subscribedTopics") == "a,b"


class TestDelivery:
    def test_stops_and_goes_on(self) -> None:
        office, boss, joe = office_with()
        joe.subscribe("a")
        # when
        published = office.set(boss, "client/joe/1/?dispatcherActive=false")
        # then entries gather
        assert published.info == "/node/heron/client/joe/1/?dispatcherActive=false"
        boss.publish("a", b"1")
        assert joe.contents == []
        assert office.get(boss, "client/joe/1/?dispatcherActive") == "false"
        # and come when it goes on
        office.set(boss, "client/joe/1/?dispatcherActive", b"true")
        office.world.turn()
        assert joe.contents == [b"1"]

    def test_stays_stopped_over_a_crash(self) -> None:
        office, boss, _ = office_with(persistent=True)
        office.set(boss, "client/joe/1/?dispatcherActive=false")
        world = office.world.crash()
        after = Office(BOSS, world)
        assert after.get(after.client("boss"), "client/joe/1/?dispatcherActive") == "false"

    @pytest.mark.parametrize("value", ["", "maybe"])
    def test_value_that_is_neither_true_nor_false_is_refused(self, value: str) -> None:
        office, boss, joe = office_with()
        with pytest.raises(BrokerError) as raised:
            office.set(boss, f"client/joe/1/?dispatcherActive={value}")
        assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
        assert joe.session.dispatch.active


class TestTimeout:
    def test_is_changed_and_counts_from_the_last_request(self) -> None:
        office, boss, joe = office_with()
        office.set(boss, "client/joe/1/?sessionTimeout=5000")
        office.world.advance(6)
        assert joe.session.ended

    def test_stays_over_a_crash(self) -> None:
        office, boss, _ = office_with(persistent=True)
        office.set(boss, "client/joe/1/?sessionTimeout=5000")
        after = Office(BOSS, office.world.crash())
        assert after.get(after.client("boss"), "client/joe/1/?sessionTimeout") == "5000"

    def test_end_is_told_where_there_is_one(self) -> None:
        office, boss, _ = office_with(session={"timeout": 10_000})
        assert office.get(boss, "client/joe/1/?sessionTimeoutExpireDate") == "1970-01-12 13:46:50Z"
        office.set(boss, "client/joe/1/?sessionTimeout=-1")
        assert office.get(boss, "client/joe/1/?sessionTimeoutExpireDate") == ""

    def test_refreshed_session_lives_on(self) -> None:
        office, boss, joe = office_with(session={"timeout": 10_000})
        office.world.advance(8)
        office.set(boss, "client/joe/1/?refreshSession")
        office.world.advance(8)
        assert not joe.session.ended


class TestEnding:
    def test_session_ends(self) -> None:
        office, boss, joe = office_with()
        office.set(boss, "client/joe/1/?killSession")
        assert joe.session.ended
        assert joe.outbound.closed

    def test_disconnected_client_keeps_its_session_and_comes_back(self) -> None:
        # given a client that does not ask to be waited for
        office, boss, joe = office_with(retries=0)
        joe.subscribe("a")
        # when
        office.set(boss, "client/joe/1/?disconnectClientKeepSession")
        joe.lose_connection()
        # then what comes meanwhile waits for it
        assert joe.session.dispatch.state is ConnectionState.POLLING
        boss.publish("a", b"1")
        assert joe.come_back().contents == [b"1"]

    def test_disconnecting_who_is_not_connected_changes_nothing(self) -> None:
        office, boss, joe = office_with(retries=-1)
        joe.lose_connection()
        office.set(boss, "client/joe/1/?disconnectClientKeepSession")
        assert joe.session.dispatch.state is ConnectionState.POLLING


class TestQueue:
    def fill(self, *, answers: bool) -> tuple[Office, Client, Client]:
        """A session with three entries; the first is being delivered unless delivery is stopped."""
        office, boss, joe = office_with(answers=answers, address={"dispatcher_active": not answers})
        joe.subscribe("a")
        for content in (b"1", b"2", b"3"):
            boss.publish("a", content)
        return office, boss, joe

    def test_is_cleared(self) -> None:
        office, boss, joe = self.fill(answers=True)
        assert office.get(boss, "client/joe/1/?clearCallbackQueue") == "3"
        assert len(joe.session.queue) == 0

    def test_what_is_being_delivered_stays(self) -> None:
        office, boss, joe = self.fill(answers=False)
        assert office.get(boss, "client/joe/1/?clearCallbackQueue") == "2"
        assert len(joe.session.queue) == 1

    def test_the_next_entries_are_removed(self) -> None:
        office, boss, joe = self.fill(answers=True)
        office.set(boss, "client/joe/1/?removeFromCallbackQueue=2")
        joe.session.dispatch.active = True
        office.world.turn()
        assert joe.contents == [b"3"]

    def test_queue_that_cannot_be_read_does_not_hold_the_broker_up(self) -> None:
        # given entries that are on disk only, and a disk that does not answer with them
        office, boss, joe = self.fill(answers=True)
        joe.session.queue.restore(4, 5, 5000)
        # then
        assert office.get(boss, "client/joe/1/?clearCallbackQueue") == "3"


def test_last_error_is_told_and_forgotten() -> None:
    office, boss, joe = office_with(answers=False)
    joe.subscribe("a")
    boss.publish("a")
    joe.session.dispatch.refused(BrokerError("user.update.error", "no"))
    assert office.get(boss, "client/joe/1/?lastCallbackException") == "user.update.error: no"
    office.set(boss, "client/joe/1/?clearLastCallbackException")
    assert office.get(boss, "client/joe/1/?lastCallbackException") == ""


def test_state_of_its_connection_is_told_with_its_date() -> None:
    office, boss, joe = office_with(retries=-1)
    dates = ("aliveSinceDate", "pollingSinceDate")
    assert [office.get(boss, f"client/joe/1/?{name}") for name in dates] == ["1970-01-12 13:46:40Z", ""]
    office.world.advance(60)
    joe.lose_connection()
    assert [office.get(boss, f"client/joe/1/?{name}") for name in dates] == ["", "1970-01-12 13:47:40Z"]


def test_failures_of_its_deliveries_are_counted() -> None:
    office, boss, joe = office_with(answers=False, retries=-1)
    joe.subscribe("a")
    boss.publish("a", b"1")
    joe.session.dispatch.refused(BrokerError(Code.USER_UPDATE_ERROR, "no"))
    joe.lose_connection()
    assert office.get(boss, "client/joe/1/?numCallbackExceptions") == "2"


def test_settings_of_its_login_are_told() -> None:
    office, boss, _ = office_with(duplicate_updates=False, instance_id="mine")
    expected = {
        "ptp": "true",
        "clusterNode": "false",
        "duplicateUpdates": "false",
        "instanceId": "mine",
        "maxSessions": "10",
    }
    assert {name: office.get(boss, f"client/joe/1/?{name}") for name in expected} == expected


class TestBlocked:
    def test_login_does_not_take_it_over(self) -> None:
        office, boss, joe = office_with(retries=-1)
        office.set(boss, "client/joe/1/?blockClientSessionLogin=true")
        for session in ({}, {"secret_id": joe.session.secret_id}):
            with pytest.raises(BrokerError) as raised:
                office.world.connect("joe/1", session=session)
            assert raised.value.code == Code.COMMUNICATION_SERVER_DENY
        assert not joe.outbound.closed

    def test_other_sessions_of_the_login_name_are_not_concerned(self) -> None:
        office, boss, _ = office_with()
        office.set(boss, "client/joe/1/?blockClientSessionLogin=true")
        assert office.world.connect("joe/2").session

    def test_login_is_let_in_when_it_is_lifted(self) -> None:
        office, boss, _ = office_with()
        office.set(boss, "client/joe/1/?blockClientSessionLogin=true")
        office.set(boss, "client/joe/1/?blockClientSessionLogin=false")
        assert office.world.connect("joe/1").reconnected


def test_administrator_subscribes_for_it() -> None:
    office, boss, joe = office_with()
    id = office.get(boss, "client/joe/1/?subscribe=exact:a&<qos><local>false</local></qos>")
    assert list(joe.session.subscriptions) == [id]
    boss.publish("a", b"x")
    joe.publish("a", b"y")
    assert joe.contents == [b"x"]


def test_subscription_is_ended_by_its_place() -> None:
    office, boss, joe = office_with()
    ids = [joe.subscribe(oid).id for oid in ("a", "b")]
    assert office.get(boss, "client/joe/1/?unSubscribeByIndex=1") == ids[1]
    assert list(joe.session.subscriptions) == ids[:1]
    with pytest.raises(BrokerError, match="there are 1, none at 1") as raised:
        office.get(boss, "client/joe/1/?unSubscribeByIndex=1")
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


@pytest.mark.parametrize("argument", ["a", "exact:a"])
def test_subscriptions_are_ended(argument: str) -> None:
    office, boss, joe = office_with()
    joe.subscribe("a")
    joe.subscribe("b")
    assert office.get(boss, f"client/joe/1/?unSubscribe={argument}") == "1"
    assert office.get(boss, "client/joe/1/?subscribedTopics") == "b"


def test_sender_may_be_another_where_an_administrator_allows_it() -> None:
    # given a publish with a forged sender
    office, boss, joe = office_with()
    forged = "<qos><sender>/node/heron/client/jack/1</sender></qos>"
    joe.publish("a", b"1", forged)
    # when
    office.set(boss, "client/joe/1/?acceptWrongSenderAddress=true")
    joe.publish("a", b"2", forged)
    # then only the second one is believed
    history = list(office.world.node.topics["a"].history)
    assert [message.qos.sender for message in history] == ["/node/heron/client/joe/1", "/node/heron/client/jack/1"]


def test_connect_qos_is_told_without_secrets() -> None:
    # given a session that was taken over by its secret id
    office, boss, joe = office_with()
    secret = joe.session.secret_id
    office.world.connect("", connect_qos("joe/1", session={"secret_id": secret}))
    # then
    qos = office.get(boss, "client/joe/1/?qos")
    assert "client/joe/1" in qos or "joe/1" in qos
    assert secret not in qos
    assert "passwd" not in qos


class TestRemoteProperties:
    def test_are_told(self) -> None:
        office = Office(BOSS)
        properties = (property_of("__remoteProperties", True), property_of("os", "Linux"))
        office.client("joe/1", properties=properties)
        told = office.get(office.client("boss"), "client/joe/1/?remoteProperties")
        assert "os=Linux" in told.split(",")

    def test_one_is_added(self) -> None:
        office, boss, _ = office_with()
        office.set(boss, "client/joe/1/?addRemoteProperty=os&Linux")
        assert office.get(boss, "client/joe/1/?remoteProperties") == "os=Linux"

    @pytest.mark.parametrize("argument", ["", "os", "&Linux"])
    def test_one_without_name_or_value_is_refused(self, argument: str) -> None:
        office, boss, _ = office_with()
        with pytest.raises(BrokerError) as raised:
            office.set(boss, f"client/joe/1/?addRemoteProperty={argument}")
        assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT

    def test_those_with_a_prefix_are_cleared(self) -> None:
        office, boss, _ = office_with()
        for name in ("os.name", "os.version", "user"):
            office.set(boss, f"client/joe/1/?addRemoteProperty={name}&x")
        office.set(boss, "client/joe/1/?clearRemotePropertiesStartingWith=os.")
        assert office.get(boss, "client/joe/1/?remoteProperties") == "user=x"
        office.set(boss, "client/joe/1/?clearRemoteProperties")
        assert office.get(boss, "client/joe/1/?remoteProperties") == ""

    def test_clearing_by_an_empty_prefix_clears_nothing(self) -> None:
        office, boss, _ = office_with()
        office.set(boss, "client/joe/1/?addRemoteProperty=os&Linux")
        with pytest.raises(BrokerError) as raised:
            office.set(boss, "client/joe/1/?clearRemotePropertiesStartingWith")
        assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
        assert office.get(boss, "client/joe/1/?remoteProperties") == "os=Linux"
