"""A broker as a service of systemd: what it tells, the files of the unit, and the rules that it runs under."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.launcher import BrokerProcess, command, wait_until

pytestmark = pytest.mark.system

UNIT = Path(__file__).parents[2] / "share" / "systemd" / "broker.service"
MAX_EXPOSURE = 15
"""Tenths, of what ``systemd-analyze security`` calls OK below 20."""


class Notifications:
    """What a service says over the socket that systemd gives it."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:])
        self.socket.setblocking(False)
        self.lines: list[str] = []

    def has(self, line: str) -> bool:
        while True:
            try:
                self.lines += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return line in self.lines

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def notifications(tmp_path: Path) -> Iterator[Notifications]:
    with closing(Notifications(f"@{tmp_path}"[:100])) as made:
        yield made


@pytest.fixture
def broker(tmp_path: Path, notifications: Notifications) -> Iterator[BrokerProcess]:
    environment = {"NOTIFY_SOCKET": f"@{tmp_path}"[:100], "WATCHDOG_USEC": "2000000"}
    with closing(BrokerProcess(tmp_path / "data", environment=environment)) as made:
        yield made


def test_a_service_is_active_when_its_ports_are_open_and_says_when_it_ends(
    broker: BrokerProcess, notifications: Notifications
) -> None:
    broker.start()
    wait_until(lambda: notifications.has("READY=1"))
    assert notifications.lines.index("STATUS=run level 9 (RUNNING)") < notifications.lines.index("READY=1")
    assert notifications.lines[0].startswith("EXTEND_TIMEOUT_USEC=")
    broker.terminate()
    assert notifications.has("STOPPING=1")


def test_a_broker_feeds_the_watchdog_and_one_that_hangs_does_not(
    broker: BrokerProcess, notifications: Notifications
) -> None:
    broker.start()
    wait_until(lambda: notifications.has("READY=1") and notifications.lines.count("WATCHDOG=1") >= 3)
    os.kill(broker.pid, signal.SIGSTOP)
    notifications.has("")
    notifications.lines.clear()
    time.sleep(2.5)
    assert not notifications.has("WATCHDOG=1")
    os.kill(broker.pid, signal.SIGCONT)


def test_a_reload_is_told_of(broker: BrokerProcess, notifications: Notifications) -> None:
    broker.start()
    wait_until(lambda: notifications.has("READY=1"))
    notifications.lines.clear()
    os.kill(broker.pid, signal.SIGHUP)
    wait_until(lambda: notifications.has("READY=1"))
    assert notifications.lines[0] == "RELOADING=1"


def test_a_start_that_fails_says_why(tmp_path: Path, broker: BrokerProcess, notifications: Notifications) -> None:
    with BrokerProcess(tmp_path / "data") as other:
        assert other.running
        broker.spawn()
        wait_until(
            lambda: notifications.has("") or any("cannot start: Another broker" in each for each in notifications.lines)
        )
    assert "READY=1" not in notifications.lines


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("needs systemd-analyze, of the Debian package systemd")
    return found


def test_systemd_understands_the_unit(analyze: str, tmp_path: Path) -> None:
    unit = tmp_path / "broker.service"
    unit.write_text(UNIT.read_text().replace("/opt/broker/bin/broker", command("broker")))
    done = subprocess.run([analyze, "verify", str(unit)], text=True, capture_output=True, timeout=50)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_leaves_a_broker_few_rights(analyze: str) -> None:
    judge = [analyze, "security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE}", str(UNIT)]
    done = subprocess.run(judge, text=True, capture_output=True, timeout=50)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("program", "file"), [("systemd-sysusers", "sysusers.conf"), ("systemd-tmpfiles", "tmpfiles.conf")]
)
def test_systemd_understands_the_files_that_the_unit_needs(program: str, file: str, tmp_path: Path) -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}, of the Debian package systemd")
    (tmp_path / "etc").mkdir()
    arguments = ["--create"] if program == "systemd-tmpfiles" else []
    for each in ("passwd", "group"):
        (tmp_path / "etc" / each).write_text("root:x:0:0::/root:/bin/sh\n" if each == "passwd" else "root:x:0:\n")
    if arguments:
        with (tmp_path / "etc" / "group").open("a") as groups:
            groups.write("broker:x:999:\n")
    command_line = [found, f"--root={tmp_path}", *arguments, str(UNIT.with_name(file))]
    done = subprocess.run(command_line, text=True, capture_output=True, timeout=50)

    assert done.returncode == 0, done.stderr
    if arguments:
        assert (tmp_path / "etc" / "broker").stat().st_mode & 0o777 == 0o750
    else:
        assert re.search(r"^broker:", (tmp_path / "etc" / "passwd").read_text(), re.MULTILINE)
