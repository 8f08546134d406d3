"""The client while there is no connection (spec xmlblaster §19.1, ``client.failsafe``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client import ConnectOptions, PublishOptions, State, SubscribeOptions, Update
from broker.client.request_queue import Request, RequestQueue
from broker.client.values import QUEUED
from broker.errors import BrokerError, Code
from tests.client.faces import Real
from tests.system.launcher import wait_until

JOE = ConnectOptions("joe", "secret")
JACK = ConnectOptions("jack", "secret", session=1)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    made = Real(tmp_path)
    yield made
    made.close()


@pytest.mark.system
class TestAway:
    def test_publishes_wait_and_are_sent_in_order_by_priority(self, real: Real) -> None:
        joe = real.client(JOE)
        real.process.kill()
        wait_until(lambda: joe.state is State.POLLING)
        for text, priority in (("1", 5), ("2", 5), ("9", 9)):
            published = real.run(joe.publish("numbers", text, PublishOptions(priority=priority)))
            assert published.info == QUEUED
        real.process.start()
        wait_until(lambda: joe.state is State.ALIVE)
        found: list[Update] = []
        wait_until(lambda: len(self.history(real, joe, found)) == 3)
        assert [update.text for update in reversed(found)] == ["9", "1", "2"]

    def history(self, real: Real, client, found: list[Update]) -> list[Update]:  # type: ignore[no-untyped-def]
        found[:] = real.run(client.get("numbers", options=SubscribeOptions(history=-1)))
        return found

    def test_subscription_is_made_again_where_the_broker_has_forgotten_it(self, real: Real) -> None:
        jack = real.client(JACK)
        arrived: list[Update] = []
        real.run(jack.subscribe("news", callback=arrived.append, options=SubscribeOptions(history=0)))
        real.process.restart()
        wait_until(lambda: jack.state is State.ALIVE)
        assert not jack.reconnected
        joe = real.client(JOE)
        wait_until(lambda: len(real.run(joe.get("__cmd:?subscriptionList"))) == 1)
        real.run(joe.publish("news", "after"))
        wait_until(lambda: [update.text for update in arrived] == ["after"])

    def test_subscription_may_wait_for_the_connection(self, real: Real) -> None:
        jack = real.client(JACK)
        real.process.kill()
        wait_until(lambda: jack.state is State.POLLING)
        arrived: list[Update] = []
        subscribed = real.run(jack.subscribe("news", callback=arrived.append))
        assert (subscribed.info, subscribed.id) == (QUEUED, "__subId:client/jack/session/1-exact:news")
        real.process.start()
        wait_until(lambda: jack.state is State.ALIVE)
        real.run(real.client(JOE).publish("news", "hello"))
        wait_until(lambda: [update.text for update in arrived] == ["hello"])

    def test_question_cannot_wait(self, real: Real) -> None:
        joe = real.client(JOE)
        real.process.kill()
        wait_until(lambda: joe.state is State.POLLING)
        with pytest.raises(BrokerError) as raised:
            real.run(joe.get("a"))
        assert raised.value.code == Code.COMMUNICATION_POLLING

    def test_too_much_that_waits_is_refused(self, real: Real) -> None:
        joe = real.client(JOE, backlog=1)
        real.process.kill()
        wait_until(lambda: joe.state is State.POLLING)
        real.run(joe.publish("a", "1"))
        with pytest.raises(BrokerError) as raised:
            real.run(joe.publish("a", "2"))
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES

    @pytest.mark.parametrize(
        ("code", "state"),
        [
            (Code.RESOURCE_DB_UNAVAILABLE, State.ALIVE),
            (Code.COMMUNICATION_SERVER_DENY, State.ALIVE),
            (Code.USER_ACCESS_DENIED, State.DEAD),
        ],
    )
    def test_a_broker_that_cannot_serve_now_is_asked_again(
        self, real: Real, monkeypatch: pytest.MonkeyPatch, code: Code, state: State
    ) -> None:
        # given a broker that refuses a login when the client comes back
        joe = real.client(JOE)
        reasons = [BrokerError(code, "not now")]
        login = joe._connect

        async def connect() -> None:
            if reasons:
                raise reasons.pop()
            await login()

        monkeypatch.setattr(joe, "_connect", connect)
        # when it lost its connection
        real.process.restart()
        # then the client comes back where that may pass, and gives up where it may not
        wait_until(lambda: not reasons and joe.state is state)

    def test_client_that_may_not_try_again_is_dead(self, real: Real) -> None:
        states: list[State] = []
        joe = real.client(JOE, retries=0, on_state=states.append)
        real.process.kill()
        wait_until(lambda: joe.state is State.DEAD)
        assert states == [State.ALIVE, State.DEAD]

    def test_update_that_the_program_refuses_becomes_a_dead_message(self, real: Real) -> None:
        def refuse(update: Update) -> None:
            raise BrokerError(Code.USER_UPDATE_DEAD_MESSAGE, "not for me")

        dead: list[Update] = []
        joe = real.client(JOE)
        real.run(joe.subscribe("__sys__deadMessage", callback=dead.append))
        jack = real.client(JACK)
        real.run(jack.subscribe("news", callback=refuse))
        real.run(joe.publish("news", "hello"))
        wait_until(lambda: [update.text for update in dead] == ["hello"])


@given(st.lists(st.integers(0, 9), max_size=30), st.data())
def test_what_comes_back_keeps_its_place(priorities: list[int], data: st.DataObject) -> None:
    """Given requests of which some were sent and came back, all are sent by priority and then in order."""
    backlog = RequestQueue(100)
    requests = [Request(str(number).encode(), b"", priority) for number, priority in enumerate(priorities)]
    for request in requests:
        backlog.put(request)
    sent = list(backlog.take())
    for request in data.draw(st.permutations(sent)):
        backlog.put(request)
    expected = sorted(requests, key=lambda each: (-each.priority, int(each.method)))
    assert list(backlog.take()) == expected
