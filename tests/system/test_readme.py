"""The tour of the README, command by command, against a broker of its own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.launcher import BrokerProcess, command, lasting_port

pytestmark = pytest.mark.system

README = Path(__file__).parents[2] / "README.md"
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "TIME"),
    (re.compile(r"\d+\.\d ms"), "N ms"),
    (re.compile(r"joe/-\d+"), "joe/-N"),
)
USUAL_ADDRESS = "127.0.0.1:7607"


def conversations() -> list[tuple[str, str]]:
    """Every command of the tour, with the output that the README shows for it."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append((line, output))
    return found


def comparable(text: str, address: str = USUAL_ADDRESS) -> str:
    """A text without what is different in every run."""
    text = text.replace(address, USUAL_ADDRESS)
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text


class Terminal:
    """A shell whose commands are told apart, in the environment under test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._exports: list[str] = []

    def run(self, line: str) -> str:
        """Run one line, and return what it printed."""
        if line.startswith("export "):
            self._exports.append(line)
            return ""
        done = subprocess.run(
            ["bash", "-c", "\n".join([*self._exports, line])],
            cwd=self._directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
        )
        return done.stdout


@pytest.fixture
def free_port() -> int:
    return lasting_port()


@pytest.fixture
def broker(tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrokerProcess]:
    """Started as ``make run`` starts it, but for the port."""
    monkeypatch.setenv("BROKER_SERVER", f"socket://127.0.0.1:{free_port}")
    monkeypatch.setenv("PATH", f"{Path(command('broker')).parent}{os.pathsep}{os.environ['PATH']}")
    pidfile = tmp_path / "data" / "broker.pid"
    settings = {"plugin/socket/port": str(free_port)}
    with BrokerProcess(tmp_path / "data", settings=settings, arguments=["--pidfile", str(pidfile)]) as process:
        yield process


def test_readme_shows_what_happens(broker: BrokerProcess, tmp_path: Path, free_port: int) -> None:
    terminal = Terminal(tmp_path)
    for line, expected in conversations():
        printed = terminal.run(line)

        assert comparable(printed, f"127.0.0.1:{free_port}") == comparable(expected), line
        if line == "broker ping" and not broker.running:  # seen to be down; now the README says to start it again
            broker.start()


def test_tour_kills_the_broker_between_publishing_and_receiving() -> None:
    lines = [line for line, _ in conversations()]
    killed = lines.index("kill -9 $(cat data/broker.pid)")
    assert any("--persistent --lines" in line for line in lines[:killed])
    assert any("subscribe --persistent" in line for line in lines[killed:])
