"""Attributes of the node (spec xmlblaster §16.1)."""

from __future__ import annotations

import gc

import pytest
from twisted.logger import Logger

from broker.admin import memory
from broker.errors import BrokerError, Code
from tests.admin.office import BOSS, Office


def test_what_the_node_is() -> None:
    office = Office({"admin.users": "joe"})
    joe = office.client("joe")
    assert office.get(joe, "?nodeId") == "heron"
    assert office.get(joe, "?version") == "1.2.3"
    assert office.get(joe, "?instanceId") == office.world.broker.instance_id
    assert office.get(joe, "?runlevel") == "9"
    assert office.get(joe, "?port") == "7607"
    assert office.get(joe, "?ports") == "SOCKET=127.0.0.1:7607"


def test_times_go_on() -> None:
    office = Office()
    joe = office.client("joe")
    office.world.advance(90.5)
    assert office.get(joe, "?uptime") == "90"
    assert office.get(joe, "?startupDate") == "1970-01-12 13:46:40Z"
    assert office.get(joe, "?serverTimestamp") == "1970-01-12 13:48:10Z"


def test_what_is_there_is_counted_and_named() -> None:
    # given two clients, one with a subscription, and a topic
    office = Office({"admin.users": "joe"})
    joe = office.client("joe/1")
    jack = office.client("jack/1", callback=False)
    joe.subscribe("a")
    jack.publish("a", b"x")
    # then
    assert office.get(joe, "?numClients") == "2"
    assert office.get(joe, "?clientList") == "joe,jack"
    assert office.get(joe, "?numTopics") == "1"
    assert office.get(joe, "?topicList") == "a"
    assert office.get(joe, "?numSubscriptions") == "1"
    assert office.get(joe, "?subscriptionList").startswith("__subId:")
    assert office.get(joe, "?numPublish") == "1"
    assert office.get(joe, "?numUpdate") == "1"


def test_what_sessions_did_that_have_ended_stays_counted() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    office.client("joe/2")
    joe = office.client("joe/1")
    joe.subscribe("a")
    joe.publish("a", b"x")
    joe.get("a")
    joe.disconnect()
    read = [office.get(boss, f"?{name}") for name in ("numPublish", "numGet", "numUpdate")]
    assert read == ["1", "1", "1"]
    assert office.get(boss, "client/joe/?numUpdate") == "1"


def test_the_last_error_and_warning_are_told_and_forgotten() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    log = Logger(observer=office.last_lines)
    log.error("the disk is full")
    log.warn("the disk is nearly full")
    assert office.get(boss, "?lastError") == "the disk is full"
    assert office.get(boss, "?lastWarning") == "the disk is nearly full"
    office.get(boss, "?clearLastError")
    office.set(boss, "?clearLastWarning")
    assert [office.get(boss, f"?{name}") for name in ("lastError", "lastWarning")] == ["", ""]


def test_memory_is_told() -> None:
    office = Office()
    joe = office.client("joe")
    assert int(office.get(joe, "?usedMem")) > 0
    assert int(office.get(joe, "?totalMem")) >= int(office.get(joe, "?usedMem")) // 2


def test_memory_is_told_where_the_system_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "STATUS", memory.STATUS / "nowhere")
    monkeypatch.setattr(memory, "MACHINE", memory.MACHINE / "nowhere")
    assert memory.resident() > 0
    assert memory.available() == 0


def test_properties_that_were_given_are_named() -> None:
    office = Office({"session.timeout": "5", "admin.users": "boss"})
    boss = office.client("boss")
    assert office.get(boss, "?syspropList") == "admin.users,session.timeout"
    assert office.get(boss, "?numSysprop") == "2"


@pytest.mark.parametrize(("command", "levels"), [("?runlevel=6", [6]), ("?runlevel=3,9", [3, 9])])
def test_run_level_is_asked_for(command: str, levels: list[int]) -> None:
    office = Office(BOSS)
    published = office.set(office.client("boss"), command)
    assert office.requested == [levels]
    assert published.info == f"/node/heron/{command}"


@pytest.mark.parametrize("value", ["", "high", "-1", "3;9"])
def test_run_level_that_is_no_number_is_refused(value: str) -> None:
    office = Office(BOSS)
    with pytest.raises(BrokerError) as raised:
        office.set(office.client("boss"), f"?runlevel={value}")
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert office.requested == []


def test_garbage_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    monkeypatch.setattr(gc, "collect", lambda: 42)
    assert office.get(boss, "?gc") == "42"


def test_nobody_stops_the_program_from_afar() -> None:
    office = Office(BOSS)
    with pytest.raises(BrokerError) as raised:
        office.set(office.client("boss"), "?exit=0")
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
