"""A real broker serves clients behind a connection manager that speaks in routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.launcher import BrokerProcess, wait_until
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
