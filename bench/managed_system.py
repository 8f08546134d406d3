"""The broker behind two connection managers."""

from __future__ import annotations

import re
import secrets
import sys
from pathlib import Path

from bench.broker_system import BrokerSystem
from bench.process import Process
from bench.system import Running, Settings

MANAGERS = 2
LINKS = 5
_READY = re.compile(r"^ready: manager .*$", re.MULTILINE)
_PORT = re.compile(r", XMPP \[?(?P<host>[^ ,\]]+)\]?:(?P<port>\d+)(?=,|$)")
_BROKER = "XMPP-MANAGERS"
_PORT_OF_LINKS = "plugin/xmpp-managers/port"


class ManagedSystem(BrokerSystem):
    """The broker with managers of its own in front, which hold the clients' sockets and their TLS.

    The time and memory of the broker count, and not those of the managers.

    Args:
        accounts: names and passwords.
    """

    name = "managers"

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start the broker, then the managers; the port of the second one is that of the protocol ``xmpp-2``."""
        secret = _secret(directory)
        secret.write_text(secrets.token_hex(16))
        secret.chmod(0o600)
        running = super().start(directory, {**_with_managers(secret), _PORT_OF_LINKS: "0", **settings})
        host, port = running.ports[_BROKER]
        helpers = []
        ports = dict(running.ports)
        for number in range(1, MANAGERS + 1):
            manager = _start_manager(directory, number, f"{host}:{port}", secret)
            helpers.append(manager)
            found = _PORT.search(manager.wait_for_text(_READY).group())
            assert found is not None
            ports["xmpp" if number == 1 else f"xmpp-{number}"] = found["host"], int(found["port"])
        return Running(running.process, ports, running.data, helpers)

    def start_again(self, before: Running, settings: Settings, patience: float = 60.0) -> Running:
        """Start the broker on the data of one that was killed, where the managers, which run on, find it."""
        _, port = before.ports[_BROKER]
        ours = {**_with_managers(_secret(before.data.parent)), _PORT_OF_LINKS: str(port)}
        return self._start(before.data, {**ours, **settings}, patience)


def _secret(directory: Path) -> Path:
    return directory / "secret"


def _with_managers(secret: Path) -> dict[str, str]:
    return {
        "plugin/xmpp-managers/directTlsPort": "-1",
        "plugin/xmpp-managers/maxPendingLogins": "20000",
        "xmpp.managers.secretFile": str(secret),
        "xmpp.managers.tls": "off",
        "xmpp.managers.maxPendingLogins": "20000",
    }


def _start_manager(directory: Path, number: int, server: str, secret: Path) -> Process:
    name = f"cm{number}"
    data = directory / name
    data.mkdir()
    settings = {
        "xmpp.manager.connections": str(LINKS),
        "xmpp.socket.plain.port": "0",
        "xmpp.socket.ssl.port": "0",
        "xmpp.socket.backlog": "4096",
    }
    command = [str(Path(sys.executable).parent / "broker"), "manager", "--server", server, "--name", name]
    command += ["--data", str(data), "--secret-file", str(secret)]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    return Process(command, directory / f"{name}.log", directory)
