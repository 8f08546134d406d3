"""The campaign's model of rosters, against what RFC 6121 says."""

from __future__ import annotations

import pytest

from tests.campaign.acquaintances import Acquaintances, Contact


@pytest.fixture
def model() -> Acquaintances:
    return Acquaintances()


def subscriptions(model: Acquaintances) -> tuple[Contact | None, Contact | None]:
    return model.roster("fay").get("gus"), model.roster("gus").get("fay")


def test_a_request_waits_and_is_no_contact_of_who_is_asked(model: Acquaintances) -> None:
    model.subscribe("fay", "gus")
    assert subscriptions(model) == (Contact("none", ask=True), None)
    assert model.waiting("gus") == {"fay"}


def test_who_agrees_is_seen(model: Acquaintances) -> None:
    model.subscribe("fay", "gus")
    model.subscribed("gus", "fay")
    assert subscriptions(model) == (Contact("to"), Contact("from"))
    assert (model.seen("fay"), model.seen("gus"), model.waiting("gus")) == ({"gus"}, set(), set())


def test_who_agrees_in_advance_is_seen_at_once(model: Acquaintances) -> None:
    model.subscribed("gus", "fay")
    assert subscriptions(model) == (None, Contact("none", approved=True))
    model.subscribe("fay", "gus")
    assert subscriptions(model) == (Contact("to"), Contact("from"))


def test_both_may_see_each_other(model: Acquaintances) -> None:
    for one, other in (("fay", "gus"), ("gus", "fay")):
        model.subscribe(one, other)
        model.subscribed(other, one)
    assert subscriptions(model) == (Contact("both"), Contact("both"))


def test_who_refuses_is_not_seen_and_not_asked_any_more(model: Acquaintances) -> None:
    model.subscribe("fay", "gus")
    model.unsubscribed("gus", "fay")
    assert subscriptions(model) == (Contact("none"), None)
    assert model.waiting("gus") == set()


def test_who_gives_up_is_told_no_more_but_stays_welcome(model: Acquaintances) -> None:
    model.subscribed("gus", "fay")
    model.unsubscribe("fay", "gus")
    assert subscriptions(model) == (None, Contact("none", approved=True))
    model.subscribe("fay", "gus")
    model.unsubscribe("fay", "gus")
    assert subscriptions(model) == (Contact("none"), Contact("none"))


def test_who_removes_a_contact_ends_both_directions(model: Acquaintances) -> None:
    model.subscribe("fay", "gus")
    model.subscribed("gus", "fay")
    model.subscribe("gus", "fay")
    model.remove("fay", "gus")
    assert subscriptions(model) == (None, Contact("none"))
    assert (model.seen("fay"), model.seen("gus"), model.waiting("fay")) == (set(), set(), set())


def test_a_name_stays_whatever_else_happens(model: Acquaintances) -> None:
    model.name("fay", "gus", "Gus")
    model.subscribe("fay", "gus")
    assert model.roster("fay") == {"gus": Contact("none", ask=True, name="Gus")}
