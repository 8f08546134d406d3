"""What a blocking program is told by a broker that is away, silent, stalled, refusing, killed, full or newer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from broker.client import BlockingClient, ConnectOptions, State, UnacknowledgedError
from broker.client.values import QUEUED
from broker.errors import BrokerError, Code
from broker.native.wire.frames import Kind, encode_unit
from tests.client.scripted_broker import LONGEST, ScriptedBroker, accept, refusal, response, silence
from tests.system.launcher import wait_until

pytestmark = pytest.mark.system

QUICK = {"delay": 0.05, "response_timeout": 1.0, "ping_interval": 0.2, "connect_timeout": 5.0}


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    made = ScriptedBroker()
    yield made
    made.end()


def client_of(broker: ScriptedBroker, *, session: int = 1, **settings: Any) -> BlockingClient:
    options = ConnectOptions("joe", "secret", session=session)
    return BlockingClient("127.0.0.1", broker.port, options, **{**QUICK, **settings})


@pytest.fixture
def client(broker: ScriptedBroker) -> Iterator[BlockingClient]:
    """Connected."""
    made = client_of(broker)
    made.connect()
    yield made
    broker.cut()
    with contextlib.suppress(BrokerError):  # of tests that let something wait
        made.leave(timeout=0.1)


def kill(broker: ScriptedBroker, client: BlockingClient) -> None:
    """Kill the broker, and wait until the client knows."""
    broker.kill()
    wait_until(lambda: client.state is State.POLLING, LONGEST)


class TestAway:
    def test_a_login_fails(self, broker: ScriptedBroker) -> None:
        broker.kill()
        with pytest.raises(BrokerError) as raised:
            client_of(broker).connect()
        assert raised.value.code == Code.COMMUNICATION_NO_CONNECTION

    def test_what_waits_is_said_to_wait_and_is_named_at_the_end(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        kill(broker, client)
        assert client.publish("news", b"1").info == QUEUED
        with pytest.raises(BrokerError) as asked:
            client.get("news")
        assert asked.value.code == Code.COMMUNICATION_POLLING
        assert [each.content for each in client.unacknowledged] == [b"1"]
        with pytest.raises(UnacknowledgedError) as raised:
            client.leave()
        assert [(each.method, each.oid, each.content) for each in raised.value.requests] == [("publish", "news", b"1")]

    def test_an_error_of_the_program_is_raised_with_a_note_of_what_is_not_acknowledged(
        self, broker: ScriptedBroker
    ) -> None:
        with pytest.raises(ZeroDivisionError) as raised, client_of(broker) as client:
            kill(broker, client)
            client.publish("news", b"1")
            raise ZeroDivisionError
        assert any("1 request was not acknowledged" in note for note in raised.value.__notes__)

    def test_a_client_that_has_given_up_raises_why_instead_of_waiting_for_updates(self, broker: ScriptedBroker) -> None:
        client = client_of(broker, retries=0)
        client.connect()
        broker.kill()
        with pytest.raises(BrokerError) as raised:
            list(client.updates())
        assert raised.value.code == Code.COMMUNICATION_NO_CONNECTION


class TestSilent:
    def test_a_login_fails_in_time(self, broker: ScriptedBroker) -> None:
        broker.login = silence
        with pytest.raises(BrokerError) as raised:
            client_of(broker).connect()
        assert raised.value.code == Code.COMMUNICATION_RESPONSE_TIMEOUT

    def test_a_publish_gets_its_answer_from_the_next_connection(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        def fall_silent_once(frame: Any) -> bytes:
            broker.serve = accept
            return b""

        broker.serve = fall_silent_once
        assert client.publish("news", b"1").received == 1
        assert broker.requests.qsize() == 2

    def test_a_publish_that_is_under_way_cannot_be_cancelled(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        broker.serve = silence
        published = client.publish_soon("news", b"1")
        broker.requests.get(timeout=LONGEST)
        assert not published.cancel()
        broker.serve = accept
        assert published.result(LONGEST).received == 1

    def test_a_question_fails_in_time(self, broker: ScriptedBroker, client: BlockingClient) -> None:
        broker.serve = silence
        with pytest.raises(BrokerError) as raised:
            client.get("news", timeout=0.2)
        assert raised.value.code == Code.COMMUNICATION_RESPONSE_TIMEOUT


class TestStalled:
    def test_leaving_gives_up_what_the_broker_does_not_read(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        broker.reads = False
        published = client.publish_soon("news", b"x" * (8 << 20))
        client.leave(timeout=0.3)
        with pytest.raises(BrokerError) as raised:
            published.result(LONGEST)
        assert raised.value.code == Code.USER_NOT_CONNECTED

    def test_a_broker_that_does_not_read_is_left_and_tried_again(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        broker.reads = False
        published = client.publish_soon("news", b"x" * (8 << 20))
        wait_until(lambda: client.state is State.POLLING, LONGEST)
        broker.reads = True
        assert published.result(LONGEST).received == 1


class TestRefusing:
    def test_a_login_fails_with_the_reason_of_the_broker(self, broker: ScriptedBroker) -> None:
        broker.login = refusal(Code.USER_ACCESS_DENIED)
        with pytest.raises(BrokerError) as raised:
            client_of(broker).connect()
        assert raised.value.code == Code.USER_ACCESS_DENIED

    def test_a_publish_fails_with_the_reason_of_the_broker(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        broker.serve = refusal(Code.USER_NOT_AUTHORIZED)
        with pytest.raises(BrokerError) as raised:
            client.publish("news", b"1")
        assert raised.value.code == Code.USER_NOT_AUTHORIZED
        assert client.state is State.ALIVE


class TestKilled:
    def test_what_waited_is_acknowledged_by_the_broker_that_comes_back(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        kill(broker, client)
        client.publish("news", b"1")
        broker.start()
        client.flush(LONGEST)
        assert client.unacknowledged == []

    def test_an_update_is_acknowledged_when_the_next_one_is_asked_for_and_not_before(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        broker.update(b"1")
        updates = client.updates(timeout=LONGEST)
        assert next(updates).content == b"1"
        client.ping()  # an answer would have come before that of the ping
        assert broker.answers.empty()
        broker.update(b"2")
        assert next(updates).content == b"2"
        assert broker.answers.get(timeout=LONGEST).kind is Kind.RESPONSE

    def test_updates_go_on_after_the_broker_came_back(self, broker: ScriptedBroker, client: BlockingClient) -> None:
        updates = client.updates(timeout=LONGEST)
        kill(broker, client)
        broker.start()
        wait_until(lambda: client.state is State.ALIVE, LONGEST)
        broker.update(b"1")
        assert next(updates).content == b"1"


class TestFull:
    def test_a_publish_that_there_is_no_room_for_fails(self, broker: ScriptedBroker, client: BlockingClient) -> None:
        broker.serve = refusal(Code.RESOURCE_OVERFLOW_ENTRIES)
        with pytest.raises(BrokerError) as raised:
            client.publish("news", b"1")
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES

    def test_more_than_may_wait_is_refused_and_not_lost_silently(self, broker: ScriptedBroker) -> None:
        client = client_of(broker, backlog=1)
        client.connect()
        kill(broker, client)
        client.publish("news", b"1")
        with pytest.raises(BrokerError) as refused:
            client.publish("news", b"2")
        assert refused.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        with pytest.raises(UnacknowledgedError) as raised:
            client.leave()
        assert [each.content for each in raised.value.requests] == [b"1"]


class TestNewer:
    def test_a_state_that_is_not_known_is_handed_on(self, broker: ScriptedBroker, client: BlockingClient) -> None:
        broker.serve = lambda frame: response(frame, encode_unit(b"<qos><state id='DELAYED'/><lane/></qos>"))
        assert client.publish("news", b"1").state == "DELAYED"

    def test_a_call_that_is_not_known_is_refused_and_updates_go_on(
        self, broker: ScriptedBroker, client: BlockingClient
    ) -> None:
        broker.update(b"revised", method=b"revise")
        assert broker.answers.get(timeout=LONGEST).kind is Kind.EXCEPTION
        broker.update(b"1")
        assert next(client.updates(timeout=LONGEST)).content == b"1"
