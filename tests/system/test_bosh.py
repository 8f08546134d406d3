"""XMPP over BOSH against a broker that is killed: the client sends its requests again (XEP-0124)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.failpoints import VARIABLE
from tests.system.bosh_client import BoshClient
from tests.system.launcher import ANY_PORTS, BrokerProcess, wait_until
from tests.system.stream_client import StreamClient

pytestmark = pytest.mark.system


class WithWeb(BrokerProcess):
    """A broker with a port of HTTP, which it has again when it was killed."""

    port_properties = ANY_PORTS | {"plugin/web/port": "0"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = WithWeb(tmp_path / "data", settings={"xmpp.plainWithoutTls": "true"})
    broker.add_accounts("joe", "jack")
    yield broker
    broker.close()


@pytest.mark.parametrize(("point", "count"), [("commit done", 40), ("answer over BOSH", 12), ("resume sent", 1)])
def test_each_message_comes_once_and_in_order_wherever_the_broker_is_killed(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch, point: str, count: int
) -> None:
    monkeypatch.setenv(VARIABLE, f"{point}:{count}")
    broker.start()
    joe, jack = BoshClient(broker, "joe"), StreamClient(broker, "jack")
    joe.begin()
    assert jack.go_on()
    sent: list[str] = []
    kills = 0

    def revive() -> None:
        nonlocal kills
        if not broker.running:
            kills += 1
            if kills == 2 or point != "resume sent":
                monkeypatch.delenv(VARIABLE, raising=False)
            broker.start()
            jack.cut()
        if not jack.attached:
            jack.go_on()

    for turn in range(30):
        sent.append(str(turn))
        jack.send("joe@localhost/x", sent[-1])
        joe.send("jack@localhost/x", sent[-1])
        joe.step()
        jack.read()
        if turn == 15 and point == "resume sent":
            broker.kill()
        revive()

    def everything_has_come() -> bool:
        revive()
        joe.step()
        if jack.attached:
            jack.ask()
            jack.read(0.05)
        return len(joe.got) >= len(sent) and len(jack.got) >= len(sent)

    try:
        wait_until(everything_has_come)
        assert joe.got == sent
        assert jack.got == sent
        assert kills
    finally:
        joe.end()
        jack.end()
