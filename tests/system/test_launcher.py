"""The launcher, with a stand-in for the broker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.ready import ready_line
from tests.system.launcher import BrokerProcess, LaunchError, give_back, lasting_port, ports_of

pytestmark = pytest.mark.system

STAND_IN = """
import signal, socket, sys, threading
settings = dict(argument.split("=", 1) for argument in sys.argv if "=" in argument)
listener = socket.create_server(("127.0.0.1", int(settings["plugin/socket/port"])))
if "moody" in settings:
    print("not today", flush=True)
    sys.exit(3)
print("ready: run level 9 (RUNNING), SOCKET 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
threading.Event().wait()
"""


def stand_in(tmp_path: Path, **settings: str) -> BrokerProcess:
    return BrokerProcess(
        tmp_path / "data",
        settings={"plugin/socket/port": "0", **settings},
        launch=[sys.executable, "-c", STAND_IN],
    )


@pytest.fixture
def process(tmp_path: Path) -> Iterator[BrokerProcess]:
    with stand_in(tmp_path) as running:
        yield running


def test_started_process_tells_its_ports(process: BrokerProcess) -> None:
    host, port = process.address("SOCKET")
    assert host == "127.0.0.1"
    assert port > 0


def test_restart_is_a_new_process_on_the_same_port(process: BrokerProcess) -> None:
    pid, address = process.pid, process.address()
    process.restart()
    assert process.pid != pid
    assert process.address() == address


def test_killed_process_is_gone(process: BrokerProcess) -> None:
    pid = process.pid
    process.kill()
    assert not process.running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_terminate_returns_the_status(process: BrokerProcess) -> None:
    assert process.terminate() == -15


def test_process_that_ends_before_it_is_ready_is_reported_with_its_log(tmp_path: Path) -> None:
    process = stand_in(tmp_path, moody="yes")
    with pytest.raises(LaunchError, match=r"status 3(?s:.*)not today"):
        process.start()


def test_nothing_survives_the_context(tmp_path: Path) -> None:
    with stand_in(tmp_path) as process:
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_ports_of_reads_what_the_broker_writes() -> None:
    line = ready_line(9, "RUNNING", [("SOCKET", "127.0.0.1", 7607), ("XMPP", "::1", 5222)])
    assert ports_of(line) == {"SOCKET": ("127.0.0.1", 7607), "XMPP": ("::1", 5222)}


def test_broker_that_listens_nowhere_has_no_ports() -> None:
    assert ports_of(ready_line(9, "RUNNING", [])) == {}


BIND = "import socket, sys; socket.socket().bind(('127.0.0.1', int(sys.argv[1])))"


def is_free_for_others(port: int) -> bool:
    """Whether another process that looks for a port takes this one."""
    return subprocess.run([sys.executable, "-c", BIND, str(port)], capture_output=True, check=False).returncode == 0


def test_chosen_port_is_nobody_elses_until_it_is_given_back() -> None:
    port = lasting_port()
    assert not is_free_for_others(port)
    give_back([port])
    assert is_free_for_others(port)


def test_broker_can_listen_on_a_chosen_port() -> None:
    port = lasting_port()
    socket.create_server(("127.0.0.1", port)).close()
    give_back([port])


def test_process_keeps_its_ports_over_a_kill_and_not_over_its_end(tmp_path: Path) -> None:
    process = BrokerProcess(tmp_path / "data")
    ports = [int(port) for name, port in process.settings.items() if name.lower().endswith("port") and int(port) > 0]
    assert len(ports) == 3
    assert not any(map(is_free_for_others, ports))
    process.close()
    assert all(map(is_free_for_others, ports))
