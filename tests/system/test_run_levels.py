"""Run levels of a running broker go down and up again, and clients find it again (spec xmlblaster §14.1)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.client import ConnectOptions, PublishOptions, State, SubscribeOptions
from broker.errors import BrokerError, Code
from tests.system.http_client import HttpAnswer, SocketConnection, ask_socket
from tests.system.launcher import READY, BrokerProcess, wait_until
from tests.system.native_client import connected
from tests.xmpp.world import HEADER

pytestmark = pytest.mark.system

PERSISTENT = ConnectOptions("jack", "secret", session=1, persistent=True)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path / "data", settings={"plugin/socket/port": "0", "admin.users": "joe"}) as started:
        started.add_accounts("joe", "jack")
        yield started


def times_ready(broker: BrokerProcess) -> int:
    return len(READY.findall(broker.log()))


def wait_until_ready_again(broker: BrokerProcess, before: int) -> None:
    wait_until(lambda: times_ready(broker) > before)


def test_level_is_told(broker: BrokerProcess) -> None:
    joe = connected(broker, ConnectOptions("joe", "secret"))
    (told,) = joe.get("__cmd:?runlevel")
    assert told.content == b"9"
    joe.disconnect()


def test_who_is_no_administrator_cannot_change_it(broker: BrokerProcess) -> None:
    jack = connected(broker, ConnectOptions("jack", "secret"))
    with pytest.raises(BrokerError) as raised:
        jack.publish("__cmd:?runlevel=3", "")
    assert raised.value.code == Code.USER_NOT_AUTHORIZED
    jack.disconnect()


def test_level_that_cannot_be_chosen_is_refused(broker: BrokerProcess) -> None:
    joe = connected(broker, ConnectOptions("joe", "secret"))
    with pytest.raises(BrokerError) as raised:
        joe.publish("__cmd:?runlevel=5", "")
    assert raised.value.code == Code.RESOURCE_CONFIGURATION
    joe.disconnect()


def test_below_running_no_port_is_open(broker: BrokerProcess) -> None:
    joe = connected(broker, ConnectOptions("joe", "secret"))
    joe.publish("__cmd:?runlevel=3", "")
    broker.wait_for_log(r"run level 3 \(STANDBY\)\n|run level 3 \(STANDBY\): stopped")
    wait_until(lambda: joe.state is State.POLLING)
    with pytest.raises(BrokerError) as raised:
        connected(broker, ConnectOptions("jack", "secret"))
    assert raised.value.is_communication


def test_standby_and_back_keeps_sessions_and_what_waits_for_them(broker: BrokerProcess) -> None:
    # given
    jack = connected(broker, PERSISTENT)
    jack.subscribe("news", options=SubscribeOptions(persistent=True))
    joe = connected(broker, ConnectOptions("joe", "secret", session=1))
    for level in ("3", "0"):
        before = times_ready(broker)
        joe.publish(f"__cmd:?runlevel={level},9", "")
        wait_until_ready_again(broker, before)
        wait_until(lambda: joe.state is State.ALIVE and jack.state is State.ALIVE)
        joe.publish("news", f"after {level}", PublishOptions(persistent=True))
    # then nothing is lost, and what is repeated is marked
    got = list(jack.updates(timeout=2))
    assert list(dict.fromkeys(update.text for update in got)) == ["after 3", "after 0"]
    repeated = [update for number, update in enumerate(got) if update.text in [each.text for each in got[:number]]]
    assert all(update.redelivered for update in repeated)
    jack.disconnect()
    joe.disconnect()


def test_administration_brings_the_broker_down_and_up_over_one_connection(broker: BrokerProcess) -> None:
    jack = connected(broker, PERSISTENT)
    connection = SocketConnection(broker.admin_socket)
    headers = {"Content-Type": "application/json"}

    def ask(method: str = "GET", body: object = None) -> Any:
        connection.request(method, "/api/v1/run-level", json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        assert answer.status in (200, 202)
        return json.loads(answer.read())

    ask("PUT", {"levels": [6]})
    wait_until(lambda: ask()["level"] == 6)
    wait_until(lambda: jack.state is State.POLLING)
    kept = connection.sock
    ask("PUT", {"levels": [9]})
    wait_until(lambda: jack.state is State.ALIVE)

    assert ask()["level"] == 9
    assert connection.sock is kept
    connection.close()
    jack.disconnect()


def offered(broker: BrokerProcess) -> bytes:
    """What the XMPP listener offers a client that has not logged in."""
    with socket.create_connection(broker.address("XMPP"), 5) as connection:
        connection.sendall(HEADER)
        found = b""
        while b"</stream:features>" not in found:
            data = connection.recv(4096)
            assert data, found
            found += data
    return found


def administer(broker: BrokerProcess, path: str, method: str, body: object) -> HttpAnswer:
    """Ask over the socket."""
    headers = {"Content-Type": "application/json"}
    return ask_socket(broker.admin_socket, f"/api/v1/{path}", method, headers, json.dumps(body).encode())


def test_property_of_listeners_is_in_effect_once_they_were_made_anew_and_pending_until_then(
    broker: BrokerProcess,
) -> None:
    assert b"ANONYMOUS" not in offered(broker)
    row = administer(broker, "properties/xmpp.anonymous", "PUT", {"value": "true"}).json
    assert (row["change"], row["pending"], "XMPP" in row["listeners"]) == ("listener", "true", True)
    for level, is_pending in ((6, True), (3, False)):
        before = times_ready(broker)
        administer(broker, "run-level", "PUT", {"levels": [level, 9]})
        wait_until_ready_again(broker, before)
        row = ask_socket(broker.admin_socket, "/api/v1/properties/xmpp.anonymous").json
        assert ("pending" in row) is is_pending
        assert (b"ANONYMOUS" in offered(broker)) is not is_pending


def test_level_of_the_log_that_is_set_as_a_property_holds_at_once(broker: BrokerProcess) -> None:
    administer(broker, "properties/log.level", "PUT", {"value": "warn"})
    levels = ask_socket(broker.admin_socket, "/api/v1/log-levels").json["items"]
    assert [each["level"] for each in levels if not each["namespace"]] == ["warn"]
