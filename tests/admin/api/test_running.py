"""Run level, plugins and listeners over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from broker.admin.health import Health
from broker.errors import BrokerError, Code
from broker.net.admission import Admission, Refusal
from broker.net.listener import Listener
from broker.net.transport import TransportSettings
from broker.net.turns import Turns
from tests.admin.api.office import ChangeOffice


def make_nothing(connection: object, host: str) -> Any:
    """Speaks nothing."""


def with_listener() -> tuple[ChangeOffice, Listener]:
    office = ChangeOffice()
    clock = office.world.clock
    listener = Listener(make_nothing, TransportSettings(clock, Turns(clock)))
    office.desk.fake.doors.append(("SOCKET", listener))
    return office, listener


def test_run_level_is_told_at_every_level() -> None:
    office = ChangeOffice()
    levels = office.desk.fake.run_levels
    levels.level, levels.target = 3, 9
    assert office.ask("run-level").json == {"level": 3, "name": "STANDBY", "selectable": [0, 3, 6, 9], "changing": 9}


def test_run_levels_are_gone_to_one_after_the_other() -> None:
    office = ChangeOffice()
    assert office.ask("run-level", "PUT", {"levels": [3, 9], "reason": "new certificate"}).status == 202
    assert office.desk.fake.requested == [[3, 9]]
    (row,) = office.rows()
    assert (row.action, row.parameters, row.reason) == ("runLevel.change", '{"levels":[3,9]}', "new certificate")


@pytest.mark.parametrize("levels", [[], [5], [3, 10], [0], [9, 0]])
def test_run_level_that_cannot_be_gone_to_is_refused(levels: list[int]) -> None:
    office = ChangeOffice()
    answer = office.ask("run-level", "PUT", {"levels": levels})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/levels")
    assert office.desk.fake.requested == []


def test_run_level_is_changed_while_the_store_fails_and_before_there_is_one() -> None:
    office = ChangeOffice()
    office.world.store.fail(BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full"))
    assert office.ask("run-level", "PUT", {"levels": [3]}).status == 202
    office.desk.fake.run_levels.level = 1
    assert office.ask("run-level", "PUT", {"levels": [9]}).status == 202


def test_plugins_are_told_without_their_secrets() -> None:
    office = ChangeOffice()
    expected = {
        "id": "SOCKET",
        "className": "SocketDriver",
        "state": "running",
        "attributes": {"port": "7607", "password": "***"},
        "startLevel": 9,
        "stopLevel": 8,
        "ports": [{"name": "SOCKET", "host": "127.0.0.1", "port": 7607}],
    }
    assert office.ask("plugins").json == {"items": [expected]}
    assert office.ask("plugins/SOCKET").json == expected
    assert office.ask("plugins/XMPP").status == 404


def test_listener_lets_nobody_in_and_then_again() -> None:
    office, listener = with_listener()
    assert office.ask("listeners/SOCKET", "PATCH", {"accepting": False}).json == {
        "name": "SOCKET",
        "accepting": False,
        "connections": 0,
    }
    assert not listener.admission.admits("192.0.2.1")
    (reason,) = Health(office.desk.instance).reasons()
    assert (reason.code, "SOCKET" in (reason.detail or "")) == ("listeners", True)

    office.ask("listeners/SOCKET", "PATCH", {"accepting": True})

    assert listener.admission.admits("192.0.2.1")
    assert Health(office.desk.instance).reasons() == []
    assert office.ask("listeners/XMPP", "PATCH", {"accepting": True}).status == 404


def test_connections_that_a_draining_listener_refuses_are_counted() -> None:
    admission = Admission(Clock(), 10, 10)
    admission.draining = True
    assert not admission.admits("127.0.0.1")
    assert admission.refusals[Refusal.DRAINING] == 1


def test_broker_lets_nobody_in_and_ends_after_a_while() -> None:
    office, listener = with_listener()
    office.world.store.fail(BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full"))
    assert office.post("shutdown", {"graceSeconds": 10}).status == 202
    assert listener.admission.draining
    office.world.advance(9)
    assert office.desk.fake.running
    office.world.advance(1)
    assert not office.desk.fake.running
