"""A real broker serves clients behind a connection manager that speaks in routes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.client import ConnectOptions
from tests.system.launcher import READY, BrokerProcess, wait_until
from tests.system.native_client import connected
from tests.system.routed_client import SETTINGS, RoutedClient
from tests.system.stream_client import StreamClient

pytestmark = pytest.mark.system


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path / "data", settings={"xmpp.plainWithoutTls": "true", **SETTINGS})
    broker.add_accounts("joe", "jack")
    yield broker
    broker.close()


def test_no_port_is_open_for_managers_without_a_secret(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        assert not [name for name in broker.ports if name.startswith("XMPP-MANAGERS")]


def test_routed_client_and_direct_one_write_to_each_other_over_a_kill_of_the_broker(broker: BrokerProcess) -> None:
    broker.start()
    routed, direct = RoutedClient(broker, "joe"), StreamClient(broker, "jack")
    assert routed.go_on()
    assert direct.go_on()
    for round in range(3):
        for number in range(5):
            routed.send("jack@localhost/x", f"{round}-{number}")
            direct.send("joe@localhost/x", f"{round}-{number}")
        broker.restart()
        assert routed.go_on()
        assert direct.go_on()

    def all_have_come() -> bool:
        for client in (routed, direct):
            client.ask()
            client.read(0.1)
        return len(routed.got) >= 15 and len(direct.got) >= 15 and not (routed.unacked or direct.unacked)

    wait_until(all_have_come)
    assert routed.got == direct.got == [f"{round}-{number}" for round in range(3) for number in range(5)]


def test_client_of_a_link_with_tls_is_served(broker: BrokerProcess) -> None:
    broker.start()
    routed, direct = RoutedClient(broker, "joe", tls=True), StreamClient(broker, "jack")
    assert routed.go_on()
    assert direct.go_on()
    routed.send("jack@localhost/x", "over TLS")
    direct.wait_for_message()
    assert direct.got == ["over TLS"]


def test_secret_is_read_again_and_in_no_log(broker: BrokerProcess, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the first secret\n")
    del broker.settings["xmpp.managers.secret"]
    broker.settings["xmpp.managers.secretFile"] = str(secret)
    broker.start()
    assert RoutedClient(broker, "joe", secret="the first secret").go_on()
    secret.write_text("the second secret\n")
    os.kill(broker.pid, signal.SIGHUP)
    broker.wait_for_log("reload via=signal outcome=done")
    assert not RoutedClient(broker, "joe", secret="the first secret").go_on()
    assert RoutedClient(broker, "joe", secret="the second secret").go_on()
    log = broker.log()
    assert "via=connection-manager" in log
    assert "the first secret" not in log
    assert "the second secret" not in log


def test_managers_link_again_when_the_run_level_goes_down_and_up(broker: BrokerProcess) -> None:
    broker.settings["admin.users"] = "jack"
    broker.start()
    routed = RoutedClient(broker, "joe")
    assert routed.go_on()
    administrator = connected(broker, ConnectOptions("jack", "secret"))
    administrator.publish("__cmd:?runlevel=6,9", "")
    wait_until(lambda: not taken(routed).attached)
    assert "system-shutdown" in routed.ends
    wait_until(lambda: len(READY.findall(broker.log())) == 2)
    routed.send("joe@localhost/x", "to myself")
    assert routed.go_on()
    routed.wait_for_message()
    administrator.disconnect()


def taken(client: RoutedClient) -> RoutedClient:
    """A client that has read what has come."""
    client.read(0.05)
    return client


def test_orderly_stop_tells_the_manager_and_loses_nothing(broker: BrokerProcess) -> None:
    broker.start()
    routed, direct = RoutedClient(broker, "joe"), StreamClient(broker, "jack")
    assert routed.go_on()
    assert direct.go_on()
    for number in range(50):
        routed.send("jack@localhost/x", str(number))
    routed.ask()
    assert broker.terminate() == -signal.SIGTERM
    wait_until(lambda: not taken(routed).attached)
    assert "system-shutdown" in routed.ends
    assert "Traceback" not in broker.log()
    broker.start()
    assert routed.go_on()
    assert direct.go_on()

    def all_have_come() -> bool:
        for client in (routed, direct):
            client.ask()
            client.read(0.1)
        return len(direct.got) >= 50 and not routed.unacked

    wait_until(all_have_come)
    assert direct.got == [str(number) for number in range(50)]
