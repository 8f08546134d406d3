"""Clients of other makes as processes of their own, driven by JSON lines."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.system.launcher import BrokerProcess

PATIENCE = 20.0
INSTALL_LIMIT = 120.0
"""Seconds that npm may take."""
HERE = Path(__file__).parent


class ClientProcess:
    """One client.

    Args:
        command: that starts it.
        environment: in addition to that of the tests.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.bodies: list[str] = []
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(json.loads(line))

    def expect(self, event: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait for an event; messages that come before it are kept."""
        while True:
            try:
                found = self._events.get(timeout=patience)
            except queue.Empty:
                raise AssertionError(f"no {event} in {patience} s, but {self.log[-10:]}") from None
            self.log.append(found)
            if found["event"] == "message":
                self.bodies.append(found["body"])
            if found["event"] == event:
                return found

    def do(self, what: str, **values: str) -> None:
        """Have it do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self._process.stdin.flush()

    def send(self, to: str, *bodies: str) -> None:
        """Have it send messages."""
        for body in bodies:
            self.do("send", to=to, body=body)
            self.expect("done")

    def wait_for(self, count: int) -> list[str]:
        """The bodies that have come, once there are so many."""
        while len(self.bodies) < count:
            self.expect("message")
        return self.bodies

    def settle(self) -> list[str]:
        """The bodies that have come, after a while in which nothing more did."""
        while True:
            try:
                self.expect("message", 1.0)
            except AssertionError:
                return self.bodies

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._reader.join()
        with self._process:  # waits, and closes the pipes
            pass


def slixmpp(broker: BrokerProcess, jid: str) -> ClientProcess:
    """A slixmpp client of the broker."""
    host, port = broker.address("XMPP")
    script, certificate = HERE / "slixmpp_client.py", broker.data / "selfsigned.pem"
    return ClientProcess([sys.executable, str(script), jid, "secret", str(certificate), host, str(port)])


def javascript(
    broker: BrokerProcess, jid: str, directory: Path, listener: str = "XMPP", script: str = "client.mjs"
) -> ClientProcess:
    """A client of the broker with @xmpp/client, or another script, installed by :func:`install_javascript`."""
    host, port = broker.address(listener)
    user, _, resource = jid.partition("@localhost/")
    service = f"ws://{host}:{port}/ws" if listener == "WEB" else f"xmpp://{host}:{port}"
    return ClientProcess(
        ["node", "--experimental-websocket", str(directory / script), user, "secret", resource, service],
        {"NODE_EXTRA_CA_CERTS": str(broker.data / "selfsigned.pem")},
    )


def install_javascript(directory: Path) -> Path:
    """Install @xmpp/client; skips the test where that is not possible."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no node with npm on this machine")
    shutil.copytree(HERE / "js", directory, dirs_exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm found no way to its registry in time")
    if done.returncode:
        pytest.skip(f"npm cannot install @xmpp/client: {done.stderr.strip()[-200:]}")
    return directory
