"""Live and ready."""

from __future__ import annotations

import pytest

from broker.admin.api.health import health_operations
from broker.admin.health import Health
from broker.errors import BrokerError, Code
from tests.admin.api.desk import Desk
from tests.net.http.conversation import Received

FULL = BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full")


def ask(desk: Desk, target: str) -> Received:
    return desk.ask(health_operations(Health(desk.instance), desk.gate), target)


def live(desk: Desk) -> Received:
    return ask(desk, "/health/live")


def ready(desk: Desk, query: str = "") -> Received:
    return ask(desk, f"/health/ready{query}")


def codes(answer: Received) -> list[str]:
    return [each["code"] for each in answer.json["reasons"]]


def test_broker_that_serves_is_live_and_ready() -> None:
    desk = Desk()
    assert (live(desk).status, live(desk).json) == (200, {"status": "live", "phase": "running"})
    assert (ready(desk).status, ready(desk).json) == (200, {"status": "ready", "reasons": []})


@pytest.mark.parametrize(
    ("level", "target", "phase"),
    [(1, 9, "recovering"), (3, 9, "recovering"), (6, 9, "starting"), (6, None, "standby"), (6, 3, "standby")],
)
def test_broker_below_running_is_live_and_not_ready(level: int, target: int | None, phase: str) -> None:
    desk = Desk()
    desk.fake.run_levels.level, desk.fake.run_levels.target = level, target

    assert (live(desk).status, live(desk).json["phase"]) == (200, phase)
    assert (ready(desk).status, codes(ready(desk))) == (503, ["runLevel"])


def test_broker_whose_ports_are_not_open_is_not_ready() -> None:
    desk = Desk()
    desk.fake.serving = False

    assert (live(desk).status, live(desk).json["phase"]) == (200, "starting")
    assert (ready(desk).status, codes(ready(desk))) == (503, ["listeners"])


def test_broker_that_ends_is_neither() -> None:
    desk = Desk()
    desk.fake.running = 0

    assert (live(desk).status, live(desk).json) == (503, {"status": "ending", "phase": "stopping"})
    assert (ready(desk).status, codes(ready(desk))) == (503, ["stopping"])


def test_store_that_fails_never_ends_life() -> None:
    desk = Desk()
    desk.world.store.fail(FULL)
    desk.world.advance(100_000)
    assert live(desk).status == 200


def test_store_that_fails_keeps_the_broker_from_being_ready_after_a_while() -> None:
    desk = Desk(settings={"health.storeGraceSeconds": "10"})
    desk.world.store.fail(FULL)
    desk.world.advance(9)
    assert ready(desk).status == 200

    desk.world.advance(1)

    assert (ready(desk).status, codes(ready(desk))) == (503, ["store"])
    assert "10 seconds: resource.noMoreSpace: the disk is full" in ready(desk).json["reasons"][0]["detail"]
    desk.world.store.heal()
    assert ready(desk).status == 200


def test_store_that_fails_counts_at_once_for_who_is_strict() -> None:
    desk = Desk()
    desk.world.store.fail(FULL)
    assert (ready(desk).status, ready(desk, "?strict=true").status) == (200, 503)


def test_before_there_is_a_store_the_run_level_is_the_reason() -> None:
    desk = Desk()
    desk.fake.store, desk.fake.run_levels.level = None, 3
    assert codes(ready(desk, "?strict=true")) == ["runLevel"]


def test_who_has_no_role_is_told_codes_only() -> None:
    desk = Desk(uid=None)
    desk.fake.run_levels.level = 6
    assert ready(desk).json["reasons"] == [{"code": "runLevel"}]
