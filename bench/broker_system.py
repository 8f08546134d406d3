"""The broker, as it is installed in this environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from bench.process import Process, ProcessError
from bench.system import Running, Settings

READY = re.compile(r"^ready: run level 9 .*$", re.MULTILINE)
_PORT = re.compile(r", (?P<name>[^,]+) \[?(?P<host>[^ ,\]]+)\]?:(?P<port>\d+)(?=,|$)")
_PROTOCOLS = {"SOCKET": "native", "XMPP": "xmpp", "XMPP-TLS": "xmpp-tls"}
_ANY_PORTS = {"plugin/socket/port": "0", "plugin/xmpp/port": "0", "plugin/xmpp/directTlsPort": "0"}
_POLL = 0.005


class BrokerSystem:
    """The broker on SQLite, configured as it is by default but for ports and what a case sets.

    Args:
        accounts: names and passwords.
    """

    name = "broker"

    def __init__(self, accounts: dict[str, str]) -> None:
        self._accounts = accounts
        self._template = Path()

    def prepare(self, scratch: Path) -> None:
        """Make a data directory with the accounts."""
        self._template = scratch / "broker-template"
        for name, password in self._accounts.items():
            subprocess.run(
                [_command(), "--data", str(self._template), "user", "add", name, "--password-stdin"],
                input=f"{password}\n",
                text=True,
                check=True,
                capture_output=True,
            )

    def version(self) -> str:
        """Version of the distribution."""
        return version("broker")

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it on a copy of that directory."""
        data = directory / "data"
        shutil.copytree(self._template, data)
        return self.start_on(data, settings)

    def start_on(self, data: Path, settings: Settings, patience: float = 60.0) -> Running:
        """Start it on a data directory, and wait until it says that it is ready."""
        process = self.spawn(data, settings)
        return Running(process, wait_ready(process, patience))

    def spawn(self, data: Path, settings: Settings) -> Process:
        """Start it without waiting."""
        assignments: list[str] = []
        for key, value in {**_ANY_PORTS, **settings}.items():
            assignments += ["--set", f"{key}={value}"]
        return Process([_command(), "run", "--data", str(data), *assignments], data.parent / "broker.log", data.parent)


def wait_ready(process: Process, patience: float) -> dict[str, tuple[str, int]]:
    """Wait for the line that names the ports.

    Raises:
        ProcessError: it did not come.
    """
    deadline = time.monotonic() + patience
    while True:
        ready = READY.search(process.text())
        if ready is not None:
            return {
                _PROTOCOLS[found["name"]]: (found["host"], int(found["port"]))
                for found in _PORT.finditer(ready.group())
            }
        process.check()
        if time.monotonic() > deadline:
            raise ProcessError(f"the broker is not ready after {patience:.0f} s:\n{process.text()[-3000:]}")
        time.sleep(_POLL)


def _command() -> str:
    return str(Path(sys.executable).parent / "broker")
