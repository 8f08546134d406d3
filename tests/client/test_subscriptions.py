"""Whose callback gets an update, and that nothing is acknowledged that nobody got."""

from __future__ import annotations

import pytest

from broker.client import ConnectOptions, State, Update
from broker.client.values import QUEUED
from broker.errors import Code
from broker.model.qos import StatusQos
from broker.native.answers import status_unit
from broker.native.wire.frames import Frame
from tests.client.fake_broker import FakeBroker, Outcome, accept

NEWS = "__subId:client/joe/session/1-exact:news"
PTP = "__subId:PtP"


@pytest.fixture
def broker() -> FakeBroker:
    made = FakeBroker()
    made.connect()
    return made


def subscribed(broker: FakeBroker) -> list[str]:
    """What the callback of a subscription on the news gets."""
    arrived: list[str] = []
    outcome = Outcome(broker.client.subscribe("news", callback=lambda update: arrived.append(update.text)))
    broker.turn()
    assert outcome.value.id == NEWS
    broker.connection.read()
    return arrived


def refuse(broker: FakeBroker) -> None:
    """From now on."""
    broker.serve = lambda connection, frame: connection.refuse(frame, Code.USER_QUERY_INVALID)


def test_an_unsubscribe_that_cannot_wait_leaves_the_callback_in_its_place(broker: FakeBroker) -> None:
    arrived = subscribed(broker)
    broker.connection.end()
    assert Outcome(broker.client.unsubscribe("news")).code == Code.COMMUNICATION_POLLING
    broker.come_back()
    broker.connection.update("news", b"later", NEWS)
    assert arrived == ["later"]


def test_a_refused_unsubscribe_leaves_the_callback_in_its_place(broker: FakeBroker) -> None:
    arrived = subscribed(broker)
    refuse(broker)
    ended = Outcome(broker.client.unsubscribe("news"))
    broker.turn()
    assert ended.code == Code.USER_QUERY_INVALID
    broker.connection.update("news", b"later", NEWS)
    assert arrived == ["later"]


def test_updates_arrive_until_the_broker_has_answered_an_unsubscribe(broker: FakeBroker) -> None:
    arrived = subscribed(broker)
    Outcome(broker.client.unsubscribe("news"))
    broker.connection.update("news", b"before the answer", NEWS)
    broker.turn()
    broker.connection.read()
    broker.connection.update("news", b"after the answer", NEWS)
    assert arrived == ["before the answer"]
    assert broker.acknowledged() == ["RESPONSE"]  # nobody is interested any more


def test_a_refused_second_subscribe_leaves_the_first_as_it_was(broker: FakeBroker) -> None:
    arrived = subscribed(broker)
    refuse(broker)
    second = Outcome(broker.client.subscribe("news", callback=print))
    broker.connection.update("news", b"before the answer", NEWS)
    broker.turn()
    assert second.code == Code.USER_QUERY_INVALID
    broker.connection.update("news", b"after the answer", NEWS)
    assert arrived == ["before the answer", "after the answer"]


def test_an_initial_update_that_overtakes_the_answer_reaches_its_callback(broker: FakeBroker) -> None:
    arrived: list[str] = []
    Outcome(broker.client.subscribe("news", callback=lambda update: arrived.append(update.text)))
    broker.connection.update("news", b"initial", NEWS)
    assert arrived == ["initial"]


def test_an_initial_update_of_an_id_that_only_the_answer_tells_waits_for_it() -> None:
    default: list[Update] = []
    broker = FakeBroker(ConnectOptions("joe", "secret"), on_update=default.append)
    broker.connect()
    asked: list[Frame] = []
    broker.serve = lambda _, frame: asked.append(frame)
    arrived: list[str] = []
    Outcome(broker.client.subscribe("news", callback=lambda update: arrived.append(update.text)))
    broker.turn()
    broker.connection.update("news", b"initial", "__subId:77")
    assert broker.acknowledged() == []
    broker.connection.answer(asked[0], status_unit(StatusQos(subscription_id="__subId:77")))
    assert (arrived, default) == (["initial"], [])
    assert broker.acknowledged() == ["RESPONSE"]


def test_an_update_that_nobody_takes_yet_waits_for_the_subscribe(broker: FakeBroker) -> None:
    broker.connection.update("news", b"from before", NEWS)
    assert broker.acknowledged() == []
    arrived = subscribed(broker)
    assert arrived == ["from before"]


def test_an_update_that_waits_when_the_connection_is_lost_reaches_nobody_twice(broker: FakeBroker) -> None:
    broker.connection.update("news", b"from before", NEWS)
    broker.connection.end()
    broker.come_back()
    arrived = subscribed(broker)
    broker.connection.update("news", b"from before", NEWS)
    assert arrived == ["from before"]


def test_a_message_to_a_client_that_takes_none_is_refused(broker: FakeBroker) -> None:
    broker.connection.update("note", b"hello", PTP)
    assert broker.acknowledged() == ["EXCEPTION"]


def test_an_update_whose_callback_fails_is_refused(broker: FakeBroker) -> None:
    def fail(update: Update) -> None:
        raise ValueError(update.text)

    Outcome(broker.client.subscribe("news", callback=fail))
    broker.turn()
    broker.connection.read()
    broker.connection.update("news", b"1", NEWS)
    assert broker.acknowledged() == ["EXCEPTION"]


class TestAway:
    def test_a_subscribe_that_waited_gets_its_updates_under_whatever_id(self) -> None:
        broker = FakeBroker(ConnectOptions("joe", "secret"))
        broker.connect()
        broker.connection.end()
        arrived: list[str] = []
        outcome = Outcome(broker.client.subscribe("news", callback=lambda update: arrived.append(update.text)))
        assert outcome.value.info == QUEUED
        broker.come_back()
        broker.connection.update("news", b"hello", NEWS)
        assert arrived == ["hello"]

    def test_a_session_that_is_forgotten_gets_its_subscriptions_again(self, broker: FakeBroker) -> None:
        arrived = subscribed(broker)
        broker.connection.end()
        broker.reconnected = False
        broker.requests.clear()
        broker.come_back()
        assert [frame.method for frame in broker.requests] == [b"subscribe"]
        broker.connection.update("news", b"again", NEWS)
        assert arrived == ["again"]

    def test_a_subscription_is_asked_for_until_there_is_an_answer(self, broker: FakeBroker) -> None:
        arrived = subscribed(broker)
        # given a broker that has forgotten the session, and goes before it has answered
        broker.connection.end()
        broker.reconnected = False
        broker.serve = None
        broker.come_back()
        broker.connection.end()
        # when it comes back with the session that the client has made there
        broker.reconnected = True
        broker.serve = accept
        broker.requests.clear()
        broker.come_back()
        # then the subscription is not missing in it
        assert [frame.method for frame in broker.requests] == [b"subscribe"]
        broker.connection.update("news", b"again", NEWS)
        assert arrived == ["again"]
        # and it is not asked for once more
        broker.connection.end()
        broker.come_back()
        assert len(broker.requests) == 1

    def test_a_subscription_that_was_to_end_is_not_made_again(self, broker: FakeBroker) -> None:
        subscribed(broker)
        broker.connection.end()
        assert Outcome(broker.client.unsubscribe(subscription_id=NEWS)).value == 1
        broker.reconnected = False
        broker.requests.clear()
        broker.come_back()
        assert broker.requests == []
        assert broker.client.state is State.ALIVE
        assert broker.client.unacknowledged == []

    def test_a_refused_subscribe_that_waited_is_named(self, broker: FakeBroker) -> None:
        broker.connection.end()
        Outcome(broker.client.subscribe("news", callback=print))
        refuse(broker)
        broker.come_back()
        (refused,) = broker.client.unacknowledged
        assert (refused.method, refused.oid) == ("subscribe", "news")
        broker.serve = accept
