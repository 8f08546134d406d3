"""How much of administration somebody gets."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from broker.admin.api.operations import Operation, routes_of
from broker.admin.api.rates import BURST, LOOK, MAX_WAITING, PER_SECOND, WAIT, RequestRates
from broker.admin.roles import Right
from broker.errors import BrokerError
from broker.net.http.exchange import Answer, Call, Credentials
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost, Router
from broker.net.http.site import Site
from tests.admin.api.desk import Desk
from tests.net.http.conversation import Connection, request


class Requests:
    """Requests that are served until the test says otherwise."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lag = 0.0
        self.rates = RequestRates(self.clock, lambda: self.lag)
        self.served: list[Deferred[None]] = []
        self.errors: list[Any] = []

    def begin(self, who: str = "joe", cost: Cost = Cost.SCAN) -> Deferred[None]:
        """Ask for something."""
        asked = Deferred.fromCoroutine(self._serve(who, cost))
        asked.addErrback(lambda failure: self.errors.append(failure.value))
        return asked

    def end(self) -> None:
        """The request that was served for longest is answered."""
        self.served.pop(0).callback(None)

    async def _serve(self, who: str, cost: Cost) -> None:
        async with self.rates.turn(who, cost):
            served: Deferred[None] = Deferred()
            self.served.append(served)
            await served


@pytest.mark.parametrize(("cost", "of_one"), [(Cost.SCAN, 2), (Cost.STORE, 2), (Cost.HEAVY, 1)])
def test_so_many_of_a_kind_are_served_at_a_time_and_the_next_waits(cost: Cost, of_one: int) -> None:
    requests = Requests()
    for _ in range(of_one + 1):
        requests.begin(cost=cost)
    assert len(requests.served) == of_one
    requests.end()
    assert (len(requests.served), requests.errors) == (of_one, [])


@pytest.mark.parametrize(("cost", "of_all"), [(Cost.SCAN, 4), (Cost.STORE, 2), (Cost.HEAVY, 1)])
def test_so_many_of_all_are_served_at_a_time(cost: Cost, of_all: int) -> None:
    requests = Requests()
    for number in range(of_all + 1):
        requests.begin(f"user{number}", cost)
    assert len(requests.served) == of_all


def test_cheap_requests_do_not_wait() -> None:
    requests = Requests()
    for _ in range(10):
        requests.begin(cost=Cost.CONSTANT)
    assert len(requests.served) == 10


def test_who_waits_too_long_is_told_to_try_again() -> None:
    requests = Requests()
    for _ in range(2):
        requests.begin(cost=Cost.HEAVY)
    requests.clock.advance(WAIT)
    (error,) = requests.errors
    assert isinstance(error, Refused)
    assert (error.status, error.headers) == (429, (("Retry-After", "1"),))
    requests.end()
    requests.begin(cost=Cost.HEAVY)
    assert len(requests.served) == 1


def test_few_wait() -> None:
    requests = Requests()
    for number in range(1 + MAX_WAITING + 1):
        requests.begin(f"user{number}", Cost.HEAVY)
    assert [error.status for error in requests.errors] == [429]


def test_who_goes_away_makes_room() -> None:
    requests = Requests()
    served = requests.begin(cost=Cost.HEAVY)
    waiting = requests.begin(cost=Cost.HEAVY)
    waiting.cancel()
    served.cancel()
    requests.begin(cost=Cost.HEAVY)
    assert len(requests.served) == 2


def test_who_asks_too_often_is_refused_and_others_are_not() -> None:
    requests = Requests()
    for _ in range(BURST + 1):
        requests.begin(cost=Cost.CONSTANT)
    assert [error.status for error in requests.errors] == [429]
    requests.begin("ann", Cost.CONSTANT)
    requests.clock.advance(1 / PER_SECOND)
    requests.begin(cost=Cost.CONSTANT)
    assert len(requests.errors) == 1


@pytest.mark.parametrize("cost", [Cost.SCAN, Cost.HEAVY])
def test_costly_requests_wait_while_messages_are_late(cost: Cost) -> None:
    requests = Requests()
    requests.lag = 0.2
    requests.begin(cost=cost)
    requests.clock.pump([LOOK] * 3)
    assert requests.served == []
    requests.lag = 0.05
    requests.clock.advance(LOOK)
    assert len(requests.served) == 1


def test_costly_requests_are_refused_where_messages_stay_late() -> None:
    requests = Requests()
    requests.lag = 0.2
    requests.begin()
    requests.clock.pump([LOOK] * 20)
    (error,) = requests.errors
    assert isinstance(error, BrokerError)
    assert "overloaded" in error.message


def test_cheap_requests_are_served_however_late_messages_are() -> None:
    requests = Requests()
    requests.lag = 10.0
    requests.begin(cost=Cost.CONSTANT)
    assert len(requests.served) == 1


def test_rate_holds_for_routes_but_those_for_everybody() -> None:
    async def serve(call: Call) -> Answer:
        return Answer(b"{}")

    desk = Desk()
    rates = RequestRates(desk.world.clock, lambda: 0.0)
    operations = [
        Operation("all", "GET", "/all", Right.ALL, serve, "", None),
        Operation("do", "GET", "/do", Right.MONITORING, serve, "", None),
    ]
    routes = routes_of(operations, desk.instance, lambda call, cost: rates.turn("joe", cost))
    site = Site(Router(routes), desk.gate, desk.world.clock, credentials=lambda transport: Credentials(1, 0, 0))
    statuses = {}
    for path in ("/all", "/do"):
        channel = site.buildProtocol(None)
        assert channel is not None
        connection = Connection(channel, desk.world.clock)
        connection.send(request(path) * (BURST + 1))
        statuses[path] = [answer.status for answer in connection.answers()][-1]
    assert statuses == {"/all": 200, "/do": 429}
