"""The broker as its users start and stop it, from an installed environment, in a directory that holds nothing else.

``BROKER_TEST_PYTHON`` names the interpreter of the environment; the gates run this for a wheel, too.
"""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.system.launcher import READY, BrokerProcess, LaunchError, command

pytestmark = pytest.mark.system

LAUNCHES = [
    pytest.param([command("broker"), "run"], id="broker run"),
    pytest.param([command("twistd"), "--nodaemon", "--pidfile=", "broker"], id="twistd -n broker"),
]


@pytest.mark.parametrize("launch", LAUNCHES)
def test_broker_starts_without_any_file_and_listens_when_it_says_so(tmp_path: Path, launch: list[str]) -> None:
    with BrokerProcess(tmp_path / "data", launch=launch) as broker:
        socket.create_connection(broker.address(), timeout=10).close()


def test_ready_is_said_once(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        broker.terminate()
        assert len(READY.findall(broker.log())) == 1


@pytest.mark.parametrize("launch", LAUNCHES)
def test_sigterm_ends_it_by_that_signal_and_without_a_traceback(tmp_path: Path, launch: list[str]) -> None:
    with BrokerProcess(tmp_path / "data", launch=launch) as broker:
        assert broker.terminate() == -signal.SIGTERM
        assert "Traceback" not in broker.log()


def test_killed_broker_starts_again_on_its_data(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        address = broker.address()
        broker.restart()
        assert broker.address() == address


def test_data_directory_is_the_owners_alone(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker:
        assert broker.data.stat().st_mode & 0o077 == 0


def test_properties_may_follow_two_dashes(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", settings={}, arguments=["--", "-plugin/socket/port", "0"]) as broker:
        assert broker.address()[1] > 0


def test_broker_that_cannot_start_says_why_and_fails(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path / "data", settings={"db.url": "nonsense://"})
    with pytest.raises(LaunchError, match=r"status 1(?s:.*)nonsense"):
        broker.start()


def test_accounts_are_made_before_the_first_start_and_while_it_runs(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path / "data")
    assert broker.run_command("user", "add", "joe", "--password-stdin", stdin="first secret\n").returncode == 0
    with broker:
        assert broker.run_command("user", "add", "ann", "--password-stdin", stdin="second secret\n").returncode == 0
        assert broker.run_command("user", "list").stdout == "ann\njoe\n"
