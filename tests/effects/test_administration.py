"""Ending what belongs to others is for administrators, whatever asks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.errors import BrokerError, Code
from tests.core.world import DEFAULTS, World

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
