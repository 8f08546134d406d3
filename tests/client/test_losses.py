"""What a program is told of its requests by a broker that is away, silent, stalled, refusing, killed or full."""

from __future__ import annotations

from typing import Any

import pytest

from broker.client import PublishOptions, State, UnacknowledgedError
from broker.client.pending import MAX_CLOSED
from broker.client.values import QUEUED
from broker.errors import Code
from broker.native.wire.frames import Frame
from tests.client.fake_broker import Connection, FakeBroker, Outcome, accept, contents, unit_of


def lost(outcome: Outcome) -> list[bytes]:
    """The contents that an outcome says were not acknowledged."""
    assert isinstance(outcome.error, UnacknowledgedError)
    return [each.content for each in outcome.error.requests]


def away(**settings: Any) -> FakeBroker:
    """A broker whose client has lost its connection."""
    broker = FakeBroker(**settings)
    broker.connect()
    broker.connection.end()
    assert broker.client.state is State.POLLING
    return broker


class TestAway:
    def test_what_waits_when_the_program_leaves_is_named(self) -> None:
        broker = away()
        for content in (b"1", b"2"):
            assert Outcome(broker.client.publish("a", content)).value.info == QUEUED
        assert [each.content for each in broker.client.unacknowledged] == [b"1", b"2"]
        assert lost(Outcome(broker.client.leave())) == [b"1", b"2"]
        assert broker.client.unacknowledged == []

    def test_what_waits_when_the_program_disconnects_is_named_with_its_oid(self) -> None:
        broker = away()
        Outcome(broker.client.publish_many([("a", b"1"), ("b", b"2")]))
        Outcome(broker.client.erase("c"))
        ended = Outcome(broker.client.disconnect())
        assert isinstance(ended.error, UnacknowledgedError)
        named = [(each.method, each.oid) for each in ended.error.requests]
        assert named == [("publish", "a"), ("publish", "b"), ("erase", "c")]
        assert ended.code == Code.USER_NOT_CONNECTED

    def test_a_publish_that_waits_for_the_answer_fails_when_the_program_leaves(self) -> None:
        broker = away()
        published = Outcome(broker.client.publish("a", b"1", wait=True))
        left = Outcome(broker.client.leave())
        assert (published.code, left.error) == (Code.USER_NOT_CONNECTED, None)

    def test_a_publish_that_waits_for_the_answer_gets_it_from_the_next_connection(self) -> None:
        broker = away()
        published = Outcome(broker.client.publish("a", b"1", wait=True))
        assert not published.done
        broker.come_back()
        assert published.value.info == ""

    def test_flush_fires_when_everything_that_waited_is_acknowledged(self) -> None:
        broker = away()
        Outcome(broker.client.publish("a", b"1"))
        flushed = Outcome(broker.client.flush())
        assert not flushed.done
        broker.come_back()
        assert (flushed.done, flushed.error) == (True, None)
        assert Outcome(broker.client.leave()).error is None

    def test_flush_names_what_still_waits_after_its_time(self) -> None:
        broker = away(delay=100)
        Outcome(broker.client.publish("a", b"1"))
        flushed = Outcome(broker.client.flush(timeout=3))
        broker.reactor.advance(3)
        assert lost(flushed) == [b"1"]
        assert [each.content for each in broker.client.unacknowledged] == [b"1"]

    def test_a_client_without_patience_gives_up_and_says_what_is_lost(self) -> None:
        broker = away(patience=8)
        waiting = Outcome(broker.client.publish("a", b"1", wait=True))
        Outcome(broker.client.publish("a", b"2"))
        for _ in range(2):
            broker.reactor.advance(6)
            broker.refuse_connection()
        assert broker.client.state is State.DEAD
        assert waiting.code == Code.COMMUNICATION_NO_CONNECTION
        assert [each.content for each in broker.client.unacknowledged] == [b"2"]
        assert lost(Outcome(broker.client.disconnect())) == [b"2"]

    def test_a_cancelled_publish_is_not_sent_later(self) -> None:
        broker = away()
        published = Outcome(broker.client.publish("a", b"1", wait=True))
        published.deferred.cancel()
        broker.come_back()
        assert contents(broker.requests) == []


class TestSilent:
    def test_a_login_without_an_answer_fails_in_time(self) -> None:
        broker = FakeBroker(response_timeout=2)
        broker.silent = True
        connected = broker.connect()
        assert not connected.done
        broker.reactor.advance(2)
        assert connected.code == Code.COMMUNICATION_RESPONSE_TIMEOUT
        assert broker.connection.transport.aborting

    def test_a_login_that_may_wait_goes_on_trying(self) -> None:
        broker = FakeBroker(response_timeout=2)
        broker.silent = True
        connected = Outcome(broker.client.connect(wait=True))
        broker.take()
        broker.reactor.advance(2)
        broker.silent = False
        broker.come_back()
        assert connected.value is not None

    def test_requests_that_get_no_answer_at_all_go_to_another_connection(self) -> None:
        broker = FakeBroker(response_timeout=4)
        broker.connect()
        broker.serve = None
        published = Outcome(broker.client.publish("a", b"1"))
        broker.turn()
        broker.reactor.pump([1.0] * 6)
        assert broker.connection.transport.aborting
        broker.serve = accept
        broker.come_back()
        assert published.value.info == ""
        assert contents(broker.requests) == [b"1", b"1"]

    def test_a_broker_that_answers_slowly_but_steadily_keeps_its_connection(self) -> None:
        broker = FakeBroker(response_timeout=4)
        broker.connect()
        waiting: list[Frame] = []
        broker.serve = lambda _, frame: waiting.append(frame)
        published = [Outcome(broker.client.publish("a", b"%d" % number)) for number in range(10)]
        broker.turn()
        for frame in list(waiting):
            broker.reactor.pump([1.0] * 3)
            accept(broker.connection, frame)
        assert all(each.value is not None for each in published)
        assert len(broker.connections) == 1

    def test_a_question_without_an_answer_fails_alone(self) -> None:
        broker = FakeBroker(response_timeout=4)
        broker.connect()
        broker.serve = None
        got = Outcome(broker.client.get("a"))
        broker.reactor.pump([1.0] * 8)
        assert got.code == Code.COMMUNICATION_RESPONSE_TIMEOUT
        assert broker.client.state is State.ALIVE

    def test_leaving_does_not_wait_for_ever(self) -> None:
        broker = FakeBroker(response_timeout=4)
        broker.connect()
        broker.serve = None
        published = Outcome(broker.client.publish("a", b"1"))
        left = Outcome(broker.client.leave(timeout=2))
        broker.reactor.pump([1.0] * 2)
        assert (published.code, left.done) == (Code.USER_NOT_CONNECTED, True)

    def test_leaving_gives_requests_in_flight_the_time_for_their_answers(self) -> None:
        broker = FakeBroker()
        broker.connect()
        published = Outcome(broker.client.publish("a", b"1"))
        left = Outcome(broker.client.leave())
        broker.turn()
        assert (published.error, left.done, left.error) == (None, True, None)


class TestStalled:
    def test_a_ping_without_an_answer_aborts_the_connection_whatever_is_not_sent(self) -> None:
        broker = FakeBroker(ping_interval=1, response_timeout=2)
        broker.connect()
        broker.silent = True
        broker.connection.transport.stalled = True
        broker.reactor.pump([1.0] * 3)
        assert broker.connection.transport.aborting
        assert broker.client.state is State.POLLING

    def test_leaving_aborts_what_the_broker_does_not_read(self) -> None:
        broker = FakeBroker(response_timeout=2)
        broker.connect()
        broker.connection.transport.stalled = True
        left = Outcome(broker.client.leave())
        assert not left.done
        broker.reactor.advance(2)
        assert (left.done, broker.connection.transport.aborting) == (True, True)


class TestRefusing:
    def test_what_waited_and_is_refused_is_named_with_the_reason(self) -> None:
        broker = away()
        Outcome(broker.client.publish("a", b"1"))
        broker.serve = lambda connection, frame: connection.refuse(frame, Code.USER_NOT_AUTHORIZED)
        broker.come_back()
        (refused,) = broker.client.unacknowledged
        assert refused.error is not None
        assert (refused.content, refused.error.code) == (b"1", Code.USER_NOT_AUTHORIZED)
        assert lost(Outcome(broker.client.flush())) == [b"1"]
        ended = Outcome(broker.client.disconnect())
        broker.turn()
        assert (ended.done, ended.error) == (True, None)

    def test_a_login_that_is_refused_for_good_fails_everything_that_waits(self) -> None:
        broker = away()
        waiting = Outcome(broker.client.publish("a", b"1", wait=True))
        broker.refuse_login = Code.USER_ACCESS_DENIED
        broker.come_back()
        assert (broker.client.state, waiting.code) == (State.DEAD, Code.USER_ACCESS_DENIED)

    def test_a_message_that_is_too_long_is_not_sent(self) -> None:
        broker = FakeBroker(max_frame=1000)
        broker.connect()
        assert Outcome(broker.client.publish("a", b"x" * 1000)).code == Code.USER_MAX_SIZE_EXCEED
        assert contents(broker.requests) == []
        assert Outcome(broker.client.publish_many([("a", b"x" * 300)] * 3)).code == Code.USER_MAX_SIZE_EXCEED


class TestKilled:
    def test_what_was_in_flight_is_sent_again_in_order(self) -> None:
        broker = FakeBroker()
        broker.connect()
        broker.serve = None
        published = [Outcome(broker.client.publish("a", b"%d" % number)) for number in range(3)]
        broker.turn()
        broker.connection.end()
        broker.serve = accept
        broker.requests.clear()
        broker.come_back()
        assert contents(broker.requests) == [b"0", b"1", b"2"]
        assert all(each.value is not None for each in published)

    def test_a_message_that_ends_every_connection_fails_and_no_other_does(self) -> None:
        broker = FakeBroker()
        broker.connect()

        # answers to what was sent before the poison are lost with the connection, too
        broker.serve = lambda connection, frame: connection.end() if unit_of(frame).content == b"poison" else None
        good = [Outcome(broker.client.publish("a", b"%d" % number)) for number in range(3)]
        bad = Outcome(broker.client.publish("a", b"poison"))
        good += [Outcome(broker.client.publish("a", b"%d" % number)) for number in range(3, 6)]
        broker.turn()
        for _ in range(MAX_CLOSED):
            if broker.client.state is State.POLLING:
                broker.serve = poisoned
                broker.come_back()
        assert bad.code == Code.INTERNAL_UNKNOWN
        assert [each.error for each in good] == [None] * 6
        assert all(each.done for each in good)
        assert contents(broker.requests).count(b"poison") == MAX_CLOSED

    def test_two_crashes_of_the_broker_fail_nothing(self) -> None:
        broker = FakeBroker()
        broker.connect()
        broker.serve = None
        published = [Outcome(broker.client.publish("a", b"%d" % number)) for number in range(200)]
        broker.turn()
        for _ in range(2):
            broker.connection.end()
            broker.come_back()
        broker.connection.end()
        broker.serve = accept
        broker.requests.clear()
        broker.come_back()
        assert contents(broker.requests) == [b"%d" % number for number in range(200)]
        assert all(each.error is None and each.done for each in published)


class TestFull:
    def test_too_much_that_waits_is_refused_and_not_named_again(self) -> None:
        broker = away(backlog=1)
        Outcome(broker.client.publish("a", b"1"))
        assert Outcome(broker.client.publish("a", b"2")).code == Code.RESOURCE_OVERFLOW_ENTRIES
        assert lost(Outcome(broker.client.leave())) == [b"1"]

    def test_a_publish_that_the_broker_refuses_for_want_of_room_fails(self) -> None:
        broker = FakeBroker()
        broker.connect()
        broker.serve = lambda connection, frame: connection.refuse(frame, Code.RESOURCE_OVERFLOW_ENTRIES)
        published = Outcome(broker.client.publish("a", b"1", PublishOptions(persistent=True)))
        broker.turn()
        assert published.code == Code.RESOURCE_OVERFLOW_ENTRIES


class TestConnectAgain:
    def test_a_client_that_left_connects_again_and_is_fail_safe_again(self) -> None:
        states: list[State] = []
        broker = FakeBroker(on_state=states.append)
        broker.connect()
        Outcome(broker.client.leave())
        assert broker.connect().value is not None
        broker.connection.end()
        broker.come_back()
        assert states == [State.ALIVE, State.DEAD, State.ALIVE, State.POLLING, State.ALIVE]

    def test_a_program_that_fails_when_it_is_told_the_state_does_not_keep_the_client_away(self) -> None:
        def fail(state: State) -> None:
            raise ValueError(state)

        broker = FakeBroker(on_state=fail)
        assert broker.connect().value is not None
        published = Outcome(broker.client.publish("a", b"1"))
        broker.connection.end()
        broker.come_back()
        assert published.value.info == ""
        assert broker.client.state is State.ALIVE

    def test_a_client_that_is_connected_need_not_connect(self) -> None:
        broker = FakeBroker()
        broker.connect()
        assert Outcome(broker.client.connect()).code == Code.USER_CONNECT_MULTIPLE
        assert broker.client.state is State.ALIVE

    @pytest.mark.parametrize("moment", ["opening", "logging in", "sleeping"])
    def test_leaving_ends_a_login_that_is_under_way(self, moment: str) -> None:
        broker = FakeBroker()
        broker.silent = True
        connected = Outcome(broker.client.connect(wait=True))
        if moment == "logging in":
            broker.take()
        if moment == "sleeping":
            broker.refuse_connection()
        Outcome(broker.client.leave())
        assert connected.code == Code.USER_NOT_CONNECTED
        broker.reactor.pump([10.0] * 10)
        assert broker.client.state is State.DEAD
        assert broker.reactor.getDelayedCalls() == []


def poisoned(connection: Connection, frame: Frame) -> None:
    """Acknowledges messages, but ends the connection upon one."""
    if unit_of(frame).content == b"poison":
        connection.end()
    else:
        accept(connection, frame)
