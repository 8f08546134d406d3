"""XMPP over WebSocket against a broker that is a process of its own (RFC 7395)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.clients import install_javascript, javascript
from tests.system.launcher import BrokerProcess, wait_until
from tests.system.stream_client import StreamClient

pytestmark = pytest.mark.system

WAYS = ("XMPP", "WEB", "XMPP-TLS", "WEB-TLS")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    settings = {"xmpp.plainWithoutTls": "true", "plugin/web/port": "0", "plugin/web/tlsPort": "0"}
    broker = BrokerProcess(tmp_path_factory.mktemp("websocket") / "data", settings=settings)
    broker.add_accounts("joe", "jack")
    with broker:
        yield broker


def test_a_stream_goes_on_over_tcp_and_websocket_and_nothing_is_lost_or_doubled(broker: BrokerProcess) -> None:
    joe, jack = StreamClient(broker, "joe", listener="WEB"), StreamClient(broker, "jack")
    sent: list[str] = []
    assert joe.go_on()
    assert jack.go_on()
    for turn in range(12):
        for number in range(5):
            sent.append(f"{turn}.{number}")
            jack.send("joe@localhost/x", sent[-1])
            joe.send("jack@localhost/x", sent[-1])
        if turn == 5:
            broker.kill()
            broker.start()
            jack.cut()
            assert jack.go_on()
        joe.listener = WAYS[turn % len(WAYS)]
        joe.cut()
        assert joe.go_on()

    def everything_has_come() -> bool:
        for client in (joe, jack):
            client.ask()
            client.read(0.05)
        return all(len(client.got) >= len(sent) and not client.unacked for client in (joe, jack))

    wait_until(everything_has_come)
    assert joe.got == sent
    assert jack.got == sent
    joe.end()
    jack.end()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_javascript(tmp_path_factory.mktemp("js"))


@pytest.mark.parametrize("script", ["client.mjs", "strophe.mjs"])
def test_clients_of_other_makes_log_in_talk_and_resume(broker: BrokerProcess, installed: Path, script: str) -> None:
    jack = StreamClient(broker, "jack", resource=script)
    assert jack.go_on()
    joe = javascript(broker, f"joe@localhost/{script}", installed, "WEB", script)
    try:
        assert joe.expect("started")["jid"] == f"joe@localhost/{script}"
        joe.send(f"jack@localhost/{script}", "to jack")
        jack.wait_for_message()
        assert jack.got == ["to jack"]
        jack.send(f"joe@localhost/{script}", "1")
        assert joe.wait_for(1) == ["1"]
        joe.do("cut")
        joe.expect("lost")
        jack.send(f"joe@localhost/{script}", "2")
        joe.do("come back")
        joe.expect("resumed")
        jack.send(f"joe@localhost/{script}", "3")
        assert joe.wait_for(3) == ["1", "2", "3"]
    finally:
        joe.close()
        jack.end()
