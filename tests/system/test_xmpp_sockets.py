"""XMPP on real sockets: slow readers, and what is on its way when the broker stops."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.xmpp.wire import ns
from tests.system.launcher import BrokerProcess, LaunchError, wait_until

pytestmark = pytest.mark.system

HEADER = f"<stream:stream to='localhost' version='1.0' xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>".encode()
TOKEN = base64.b64encode(b"\0joe\0secret").decode()
AUTH = f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{TOKEN}</auth>".encode()


class PlainClient:
    """A client that speaks bytes.

    Args:
        broker: to connect to.
        buffer: bytes that its system keeps for it to read.
    """

    def __init__(self, broker: BrokerProcess, buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(10)
        self.socket.connect(broker.address("XMPP"))
        self._data = b""
        self.send(HEADER + AUTH + HEADER)
        self.until(b"<success.*</stream:features>")

    def bind(self) -> None:
        self.send(f"<iq type='set' id='b'><bind xmlns='{ns.BIND}'><resource>x</resource></bind></iq>".encode())
        self.until(b"<jid>.*</iq>")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, pattern: bytes) -> re.Match[bytes]:
        """Read until this has come."""
        while (found := re.search(pattern, self._data, re.DOTALL)) is None:
            data = self.socket.recv(65536)
            assert data, self._data[-1000:]
            self._data += data
        self._data = self._data[found.end() :]
        return found

    def rest(self) -> bytes:
        """Everything until the other side closes."""
        while data := self.socket.recv(65536):
            self._data += data
        return self._data

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    settings = {"xmpp.plainWithoutTls": "true", "plugin/xmpp/writeTimeout": "1s"}
    with BrokerProcess(tmp_path / "data", settings=settings) as started:
        started.add_accounts("joe")
        yield started


@pytest.mark.parametrize("port", ["port", "directTlsPort"])
def test_a_port_that_is_taken_is_told_with_what_to_do(tmp_path: Path, port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        with pytest.raises(LaunchError, match=f"(?s)XMPP cannot listen on 127.0.0.1:{number}.*choose other ports"):
            BrokerProcess(tmp_path / "data", settings={f"plugin/xmpp/{port}": str(number)}).start()


@pytest.mark.parametrize(
    ("settings", "ports"),
    [
        ({"plugin/xmpp/directTlsPort": "-1"}, ["SOCKET", "XMPP"]),
        ({"plugin/xmpp/port": "-1"}, ["SOCKET", "XMPP-TLS"]),
        ({"xmpp.tls": "off"}, ["SOCKET", "XMPP"]),
    ],
)
def test_each_port_can_be_left_closed(tmp_path: Path, settings: dict[str, str], ports: list[str]) -> None:
    with BrokerProcess(tmp_path / "data", settings=settings) as broker:
        assert list(broker.ports) == ports


def test_the_certificate_that_was_made_is_warned_of_where_others_can_connect(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", settings={"plugin/xmpp/hostname": "0.0.0.0"}) as broker:
        assert "set xmpp.certificate" in broker.log()


def test_a_client_on_a_thin_line_gets_everything(broker: BrokerProcess) -> None:
    client = PlainClient(broker, buffer=4096)
    client.bind()
    body = b"x" * 900_000
    for number in range(3):
        client.send(b"<message to='joe@localhost/x' id='m%d'><body>%b</body></message>" % (number, body))
    for _ in range(15):  # several times the limit for one that reads nothing
        time.sleep(0.3)
        client._data += client.socket.recv(20_000)
    client.until(b"id='m2'[^>]*><body>x{900000}<")
    client.close()


def test_a_client_that_reads_nothing_is_let_go_of(broker: BrokerProcess) -> None:
    client = PlainClient(broker, buffer=4096)
    client.bind()
    for _ in range(8):
        client.send(b"<message to='joe@localhost/x'><body>%b</body></message>" % (b"x" * 900_000))
    broker.wait_for_log("it has read nothing for 1 s")
    client.close()


def test_a_stop_in_good_order_tells_what_was_handled_and_the_stream_goes_on(broker: BrokerProcess) -> None:
    # I10
    client = PlainClient(broker)
    client.bind()
    client.send(f"<enable xmlns='{ns.SM}' resume='true'/>".encode())
    id = client.until(b"<enabled[^>]* id='([^']*)'[^>]*>")[1]
    client.send(b"<message to='joe@localhost/x' type='chat'><body>hello</body></message>" * 3)
    client.until(b"(hello.*){3}")
    os.kill(broker.pid, signal.SIGTERM)
    rest = client.rest()
    client.close()
    assert rest.endswith(f"<a xmlns='{ns.SM}' h='3'/>".encode())
    wait_until(lambda: not broker.running)
    broker.start()
    client = PlainClient(broker)
    client.send(b"<resume xmlns='%b' previd='%b' h='0'/>" % (ns.SM.encode(), id))
    client.until(b"<resumed [^>]*h='3'.*(hello.*){3}")
    client.close()


@pytest.mark.parametrize("size", [0, 1_000_000], ids=["that has everything", "that reads nothing"])
def test_a_stop_does_not_wait_long_for_a_client_that_does_not_close_its_side(broker: BrokerProcess, size: int) -> None:
    client = PlainClient(broker, buffer=4096)
    client.bind()
    if size:
        client.send(b"<message to='joe@localhost/x'><body>%b</body></message>" % (b"x" * size))
    os.kill(broker.pid, signal.SIGTERM)
    stopped = time.monotonic()
    wait_until(lambda: not broker.running)
    assert time.monotonic() - stopped < 4
    client.close()
