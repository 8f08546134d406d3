"""XMPP over WebSocket against a broker that is a process of its own (RFC 7395)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
