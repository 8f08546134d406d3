"""Ending what belongs to others is for administrators, whatever asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from tests.core.world import DEFAULTS, Client, World

WHY = BrokerError(Code.USER_NOT_CONNECTED, "it was ended")


@pytest.fixture
def world() -> World:
    return World(replace(DEFAULTS, administrators=frozenset({"boss"})))


@pytest.mark.parametrize(("who", "permitted"), [("joe", True), ("mary", False), ("boss", True)])
def test_sessions_are_ended_by_their_own_login_name_and_administrators(world: World, who: str, permitted: bool) -> None:
    target, asking = world.client("joe/1").session, world.client(f"{who}/2").session
    if permitted:
        world.run(world.broker.end_session(asking, target, WHY))
    else:
        with pytest.raises(BrokerError) as caught:
            world.run(world.broker.end_session(asking, target, WHY))
        assert caught.value.code == Code.USER_NOT_AUTHORIZED
    assert target.ended is permitted


@pytest.mark.parametrize(("who", "permitted"), [("joe", True), ("mary", False), ("boss", True)])
def test_subscriptions_are_ended_by_their_own_login_name_and_administrators(
    world: World, who: str, permitted: bool
) -> None:
    owner, asking = world.client("joe/1"), world.client(f"{who}/2").session
    owner.subscribe("news")
    found = list(owner.session.subscriptions.values())
    if permitted:
        assert world.broker.end_subscriptions(asking, found) == 1
    else:
        with pytest.raises(BrokerError) as caught:
            world.broker.end_subscriptions(asking, found)
        assert caught.value.code == Code.USER_NOT_AUTHORIZED
    assert not owner.session.subscriptions if permitted else owner.session.subscriptions


def test_a_plugin_has_one_session_under_a_login_name_until_the_broker_stops(world: World) -> None:
    session = world.broker.session("lines")
    assert world.broker.session("lines") is session
    assert not session.subject.clients
    again = world.crash()
    assert "lines" not in again.node.subjects


CHANGES: dict[str, Callable[[World, Session, Client], object]] = {
    "timeout": lambda world, asking, joe: world.broker.control.set_timeout(asking, joe.session, 1000),
    "sender": lambda world, asking, joe: world.broker.control.set_accepts_wrong_sender(asking, joe.session, True),
    "block session": lambda world, asking, joe: world.broker.control.block_session(asking, joe.session, True),
    "disconnect": lambda world, asking, joe: world.broker.control.disconnect(asking, joe.session),
    "block": lambda world, asking, joe: world.broker.control.block(asking, joe.session.subject, True),
    "limit": lambda world, asking, joe: world.broker.control.limit_sessions(asking, joe.session.subject, 100),
}


@pytest.mark.parametrize(("who", "permitted"), [("joe", False), ("mary", False), ("boss", True)])
@pytest.mark.parametrize("change", CHANGES)
def test_sessions_and_login_names_are_changed_by_administrators(
    world: World, change: str, who: str, permitted: bool
) -> None:
    joe, asking = world.client("joe/1"), world.client(f"{who}/2").session

    def state() -> tuple[object, ...]:
        session, subject = joe.session, joe.session.subject
        own = session.timeout, session.accept_wrong_sender, session.blocked, joe.outbound.closed
        return *own, subject.blocked, subject.max_sessions

    before = state()
    if permitted:
        CHANGES[change](world, asking, joe)
    else:
        with pytest.raises(BrokerError) as caught:
            CHANGES[change](world, asking, joe)
        assert caught.value.code == Code.USER_NOT_AUTHORIZED
    assert (state() != before) is permitted


@pytest.mark.parametrize(("who", "permitted"), [("joe", True), ("mary", False), ("boss", True)])
def test_the_delivery_to_a_session_is_stopped_by_its_own_login_name_and_administrators(
    world: World, who: str, permitted: bool
) -> None:
    joe, asking = world.client("joe/1"), world.client(f"{who}/2").session
    if permitted:
        world.broker.control.set_active(asking, joe.session, False)
    else:
        with pytest.raises(BrokerError):
            world.broker.control.set_active(asking, joe.session, False)
    assert joe.session.dispatch.active is not permitted
