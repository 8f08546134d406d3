"""Routes of XMPP messages over HTTP."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from broker.admin.api.routes import route_operations
from tests.admin.api.desk import Desk
from tests.net.http.conversation import Received
from tests.xmpp.world import World


def explain(world: World, body: object, *, is_open: bool = True) -> Received:
    desk = Desk(world)
    desk.fake.xmpp = SimpleNamespace(current=world.service if is_open else None)
    return desk.ask(route_operations(desk.instance), "/api/v1/routes/explain", "POST", body)


def test_route_is_told_with_the_resources() -> None:
    world = World()
    world.bind("joe@localhost/x")
    told = explain(world, {"from": "jack@localhost", "to": "joe@localhost", "type": "chat"}).json
    assert told == {
        "outcome": "delivered",
        "reason": "all resources that take messages get it",
        "resources": [{"jid": "joe@localhost/x", "gets": True, "carbon": False, "reason": "priority 0"}],
    }


@pytest.mark.parametrize("body", [{"from": "@", "to": "joe@localhost"}, {"from": "a@b"}, {"to": "a@b", "from_": "x"}])
def test_body_that_cannot_be_used_is_refused(body: object) -> None:
    assert explain(World(), body).status == 400


def test_route_cannot_be_told_without_a_listener() -> None:
    assert explain(World(), {"from": "jack@localhost", "to": "joe@localhost"}, is_open=False).status == 409
