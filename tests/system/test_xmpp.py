"""XMPP as a stranger meets it: slixmpp in its own process against the broker in its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.client import BlockingClient, ConnectOptions, PublishOptions
from tests.system.clients import ClientProcess, install_javascript, javascript, slixmpp
from tests.system.launcher import BrokerProcess

pytestmark = pytest.mark.system


class Cast:
    """The broker and its clients."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.broker = broker
        self._clients: list[ClientProcess] = []

    def client(self, jid: str) -> ClientProcess:
        """A client that has logged in."""
        return self._logged_in(slixmpp(self.broker, jid), jid)

    def javascript(self, jid: str, directory: Path) -> ClientProcess:
        """The same with @xmpp/client."""
        return self._logged_in(javascript(self.broker, jid, directory), jid)

    def _logged_in(self, client: ClientProcess, jid: str) -> ClientProcess:
        self._clients.append(client)
        started = client.expect("started")
        assert started["jid"] == jid
        assert started["tls"]
        return client

    def close(self) -> None:
        """End all of them."""
        for client in self._clients:
            client.close()


@pytest.fixture
def cast(tmp_path: Path) -> Iterator[Cast]:
    with BrokerProcess(tmp_path / "data") as broker:
        broker.add_accounts("joe", "jack")
        made = Cast(broker)
        try:
            yield made
        finally:
            made.close()


def test_clients_log_in_with_tls_and_scram_and_talk(cast: Cast) -> None:
    joe, jack = cast.client("joe@localhost/x"), cast.client("jack@localhost/y")
    joe.send("jack@localhost", "hello")
    assert jack.wait_for(1) == ["hello"]
    jack.send("joe@localhost/x", "hello to you")
    assert joe.wait_for(1) == ["hello to you"]


def test_they_see_each_other_come_and_go(cast: Cast) -> None:
    joe, jack = cast.client("joe@localhost/x"), cast.client("jack@localhost/y")
    joe.do("subscribe presence", to="jack@localhost")
    assert joe.expect("presence")["who"].startswith("jack@localhost")
    jack.do("leave")
    assert joe.expect("gone")["who"].startswith("jack@localhost")


def test_a_message_waits_for_who_is_offline_also_over_a_crash(cast: Cast) -> None:
    joe = cast.client("joe@localhost/x")
    joe.send("jack@localhost", "1", "2")
    joe.settle()
    cast.broker.kill()
    cast.broker.start()
    jack = cast.client("jack@localhost/y")
    assert jack.wait_for(2) == ["1", "2"]
    assert all(event["delayed"] for event in jack.log if event["event"] == "message")


def test_a_cut_connection_loses_nothing_and_doubles_nothing(cast: Cast) -> None:
    joe, jack = cast.client("joe@localhost/x"), cast.client("jack@localhost/y")
    joe.send("jack@localhost/y", "1")
    jack.wait_for(1)
    jack.do("cut")
    jack.expect("lost")
    joe.send("jack@localhost/y", "2", "3")
    jack.do("come back")
    jack.expect("resumed")
    joe.send("jack@localhost/y", "4")
    assert jack.wait_for(4) == ["1", "2", "3", "4"]
    assert jack.settle() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("rounds", [1, 4])
def test_neither_does_a_killed_broker(cast: Cast, rounds: int) -> None:
    joe, jack = cast.client("joe@localhost/x"), cast.client("jack@localhost/y")
    sent: list[str] = []

    def send(count: int) -> None:
        bodies = [str(len(sent) + i) for i in range(count)]
        sent.extend(bodies)
        joe.send("jack@localhost/y", *bodies)

    for _ in range(rounds):
        send(5)
        jack.wait_for(len(sent))
        jack.do("cut")
        jack.expect("lost")
        send(3)
        cast.broker.kill()
        cast.broker.start()
        joe.expect("resumed")
        send(3)
        jack.do("come back")
        jack.expect("resumed")
        send(3)
        jack.wait_for(len(sent))
    assert jack.settle() == sent


def test_a_native_client_and_an_xmpp_client_talk(cast: Cast) -> None:
    jack = cast.client("jack@localhost/y")
    native = BlockingClient(*cast.broker.address(), ConnectOptions("joe", "secret"))
    native.connect()
    try:
        native.publish("", "from native", PublishOptions(to=("jack",), subscribable=False))
        assert jack.wait_for(1) == ["from native"]
        jack.send("joe@localhost", "from XMPP")
        assert next(native.updates(timeout=5)).text == "from XMPP"
    finally:
        native.disconnect()


def test_a_topic_is_a_node(cast: Cast) -> None:
    joe, jack = cast.client("joe@localhost/x"), cast.client("jack@localhost/y")
    joe.do("create", host="pubsub.localhost", node="news")
    joe.expect("done")
    jack.do("subscribe", host="pubsub.localhost", node="news")
    jack.expect("done")
    joe.do("publish", host="pubsub.localhost", node="news", text="hello")
    assert "hello" in jack.expect("event")["payload"]
    native = BlockingClient(*cast.broker.address(), ConnectOptions("joe", "secret", callbacks=False))
    native.connect()
    native.publish("news", "from native")
    native.disconnect()
    assert "from native" in jack.expect("event")["payload"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_javascript(tmp_path_factory.mktemp("js"))


def test_a_javascript_client_loses_nothing_over_a_cut_and_a_kill(cast: Cast, installed: Path) -> None:
    joe, jack = cast.client("joe@localhost/x"), cast.javascript("jack@localhost/y", installed)
    joe.send("jack@localhost/y", "1")
    assert jack.wait_for(1) == ["1"]
    jack.send("joe@localhost/x", "hello")
    assert joe.wait_for(1) == ["hello"]
    jack.do("cut")
    jack.expect("lost")
    joe.send("jack@localhost/y", "2", "3")
    jack.do("come back")
    jack.expect("resumed")
    assert jack.wait_for(3) == ["1", "2", "3"]
    jack.do("cut")
    jack.expect("lost")
    joe.send("jack@localhost/y", "4")
    cast.broker.kill()
    cast.broker.start()
    joe.expect("resumed")
    joe.send("jack@localhost/y", "5")
    jack.do("come back")
    jack.expect("resumed")
    jack.wait_for(5)
    assert jack.settle() == ["1", "2", "3", "4", "5"]
