"""Requests in their order, each answered once (XEP-0124 §8, §9, §14)."""

from __future__ import annotations

import pytest

from broker.xmpp.bosh.exchange import EMPTY, MAX_KEPT, Exchange, Request, Violation
from broker.xmpp.wire.bosh import Body


class Client:
    """Sends requests, and notes the answers."""

    def __init__(self, requests: int = 2) -> None:
        self.exchange = Exchange(10, requests)
        self.answers: list[tuple[str, bytes]] = []

    def send(self, rid: int, name: str = "", **attributes: str) -> list[int]:
        """Send a request; returns ids of those that are in order now."""
        name = name or str(rid)
        request = Request(Body(rid, "s", attributes, (), 0), lambda data: self.answers.append((name, data)), 0.0)
        return [each.body.rid for each in self.exchange.receive(request)]

    def refused(self, rid: int, **attributes: str) -> tuple[str, bool]:
        """Send a request that is refused; returns why, and whether that ends the session."""
        with pytest.raises(Violation) as violation:
            self.send(rid, **attributes)
        return violation.value.condition, violation.value.ends


@pytest.fixture
def client() -> Client:
    return Client()


def test_requests_are_answered_in_their_order(client: Client) -> None:
    assert client.send(10) == [10]
    assert client.send(11) == [11]
    client.exchange.answer(b"a", 0)
    client.exchange.answer(b"b", 0)
    assert client.answers == [("10", b"a"), ("11", b"b")]


def test_a_request_that_comes_too_early_waits_for_those_before_it(client: Client) -> None:
    assert client.send(11) == []
    assert client.send(10) == [10, 11]


def test_a_request_above_the_window_ends_the_session(client: Client) -> None:
    assert client.refused(12) == ("item-not-found", True)


def test_a_request_below_it_does_not(client: Client) -> None:
    assert client.refused(9) == ("item-not-found", False)


def test_more_requests_than_the_window_are_refused(client: Client) -> None:
    client.send(10)
    client.send(11)
    assert client.refused(12) == ("policy-violation", True)


@pytest.mark.parametrize("attributes", [{"pause": "60"}, {"type": "terminate"}])
def test_one_more_request_may_pause_or_end_the_session(client: Client, attributes: dict[str, str]) -> None:
    client.send(10)
    client.send(11)
    assert client.send(12, **attributes) == [12]


def test_a_request_that_comes_again_has_the_same_answer(client: Client) -> None:
    client.send(10)
    client.exchange.answer(b"a", 0)
    assert client.send(10, "again") == []
    assert client.answers == [("10", b"a"), ("again", b"a")]


def test_one_that_comes_again_while_it_waits_takes_the_place_of_the_first(client: Client) -> None:
    client.send(10)
    assert client.send(10, "again") == []
    assert client.answers == [("10", EMPTY)]
    client.exchange.answer(b"a", 0)
    assert client.answers == [("10", EMPTY), ("again", b"a")]


def test_so_does_one_that_came_too_early(client: Client) -> None:
    client.send(11)
    client.send(11, "again")
    client.send(10)
    client.exchange.answer(b"a", 0)
    client.exchange.answer(b"b", 0)
    assert client.answers[-1] == ("again", b"b")


def test_a_lost_request_is_kept_and_answered_when_it_comes_again(client: Client) -> None:
    client.send(10)
    (request,) = client.exchange.waiting
    assert request.reply is not None
    client.exchange.lose(request.reply)
    assert client.exchange.is_inactive
    client.send(10, "again")
    client.exchange.answer(b"a", 0)
    assert client.answers == [("again", b"a")]


def test_answers_are_kept_until_the_client_has_proved_to_have_them(client: Client) -> None:
    for rid, number in ((10, 3), (11, 3), (12, 5)):
        client.send(rid)
        client.exchange.answer(b"%d" % rid, number)
    assert client.exchange.prove(11) == 3
    assert client.exchange.prove(11) is None
    assert client.refused(11) == ("item-not-found", False)
    client.send(12, "again")
    assert client.answers[-1] == ("again", b"12")


def test_no_more_answers_are_kept_than_a_few(client: Client) -> None:
    for rid in range(10, 110):
        client.send(rid)
        client.exchange.answer(b"%d" % rid, 0)
    kept = [rid for rid in range(10, 110) if rid in client.exchange._kept]
    assert kept == list(range(110 - MAX_KEPT - 2, 110))


def test_at_the_end_the_last_request_is_told_and_the_others_are_answered(client: Client) -> None:
    client.send(10)
    client.send(11)
    client.exchange.end(b"over")
    assert client.answers == [("10", EMPTY), ("11", b"over")]
    assert not client.exchange.waiting


def test_what_is_proved_is_the_highest_number_of_all_answers(client: Client) -> None:
    for rid, number in ((10, 5), (11, 3)):
        client.send(rid)
        client.exchange.answer(b"%d" % rid, number)
    assert client.exchange.prove(11) == 5
