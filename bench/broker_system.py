"""The broker, as it is installed in this environment."""

from __future__ import annotations

import re
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path

from bench.process import Process
from bench.system import Running, Settings
from broker.auth.scram import make_account
from broker.store.location import DATABASE_FILE
from broker.store.sql.accounts import AccountTable

READY = re.compile(r"^ready: run level 9 .*$", re.MULTILINE)
_PORT = re.compile(r", (?P<name>[^,]+) \[?(?P<host>[^ ,\]]+)\]?:(?P<port>\d+)(?=,|$)")
_PROTOCOLS = {"SOCKET": "native", "XMPP": "xmpp", "XMPP-TLS": "xmpp-tls", "ADMIN": "admin"}
_PROPERTIES = {
    "native": "plugin/socket/port",
    "xmpp": "plugin/xmpp/port",
    "xmpp-tls": "plugin/xmpp/directTlsPort",
    "admin": "plugin/admin/port",
}
_ANY_PORTS = dict.fromkeys(_PROPERTIES.values(), "0")
_ROOM: Settings = {
    "session.maxSessions": "100000",
    "queue.mostEntries": "100000000",
    "queue.mostBytes": "400G",
    "account.maxQueueBytes": "400G",
}
"""All clients of a case have one account, and what waits for them is what a case measures."""


class BrokerSystem:
    """The broker on SQLite, configured as by default but for ports, what one account may use, and what a case sets.

    Args:
        accounts: names and passwords.
    """

    name = "broker"

    def __init__(self, accounts: dict[str, str]) -> None:
        self._accounts = accounts
        self._template = Path()

    def prepare(self, scratch: Path) -> None:
        """Make a data directory with the accounts; the command for it takes a second for each."""
        self._template = scratch / f"{self.name}-template"
        self._template.mkdir(mode=0o700)
        table = AccountTable(f"sqlite:///{self._template / DATABASE_FILE}")
        for name, password in self._accounts.items():
            table.put(make_account(name, password, created=time.time_ns() // 1_000_000))
        table.close()

    def version(self) -> str:
        """Version of the distribution."""
        return version("xmlbroker")

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it on a copy of that directory."""
        data = directory / "data"
        shutil.copytree(self._template, data)
        return self._start(data, settings)

    def start_again(self, before: Running, settings: Settings, patience: float = 60.0) -> Running:
        """Start it on the data and the ports of one that was killed."""
        ports = {_PROPERTIES[protocol]: str(port) for protocol, (_, port) in before.ports.items()}
        return self._start(before.data, {**settings, **ports}, patience)

    def _start(self, data: Path, settings: Settings, patience: float = 60.0) -> Running:
        assignments: list[str] = []
        for key, value in {**_ANY_PORTS, **_ROOM, **settings}.items():
            assignments += ["--set", f"{key}={value}"]
        process = Process(
            [_command(), "run", "--data", str(data), *assignments], data.parent / "broker.log", data.parent
        )
        return Running(process, _ports(process.wait_for_text(READY, patience).group()), data)


def _ports(ready: str) -> dict[str, tuple[str, int]]:
    return {
        _PROTOCOLS.get(each["name"], each["name"]): (each["host"], int(each["port"])) for each in _PORT.finditer(ready)
    }


def _command() -> str:
    return str(Path(sys.executable).parent / "broker")
