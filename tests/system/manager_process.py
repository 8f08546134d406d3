"""Starts, kills and restarts the real connection manager."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.system.launcher import BrokerProcess, command
from tests.system.routed_client import SECRET
from tests.system.stream_client import StreamClient


class ManagerProcess(BrokerProcess):
    """One connection manager in front of a broker that is ready.

    Args:
        directory: of its own; with its log and its certificate.
        broker: that it dials where no server is given, with the settings of :mod:`tests.system.routed_client`.
        settings: properties.
        name: of the manager.
        server: host and port to dial instead of the broker's own, e.g. of a proxy.
    """

    ready = re.compile(r"^ready: manager (?P<name>\S+)(?P<ports>, .*)$", re.MULTILINE)
    port_properties: Mapping[str, str] = {"xmpp.socket.plain.port": "0", "xmpp.socket.ssl.port": "0"}
    fixed_properties: Mapping[str, str] = {}

    def __init__(
        self,
        directory: Path,
        broker: BrokerProcess | None = None,
        settings: Mapping[str, str] | None = None,
        name: str = "cm1",
        server: tuple[str, int] | None = None,
    ) -> None:
        directory.mkdir(parents=True)
        secret = directory / "secret"
        secret.write_text(f"{SECRET}\n")
        secret.chmod(0o600)
        if server is None:
            assert broker is not None
            server = broker.address("XMPP-MANAGERS")
        host, port = server
        super().__init__(
            directory / "data",
            settings=settings,
            launch=[command("broker"), "manager"],
            arguments=[f"--server={host}:{port}", f"--name={name}", f"--secret-file={secret}"],
        )

    def port_property(self, name: str) -> str:
        """The property that gives a port."""
        return f"xmpp.socket.{'ssl' if name.endswith('-TLS') else 'plain'}.port"


class ManagedClient(StreamClient):
    """A client behind a connection manager of its own, which is started when it connects for the first time.

    Args:
        broker: with the settings of :mod:`tests.system.routed_client`.
        user: whose password is ``secret``.
    """

    outlives_broker = True

    def __init__(self, broker: BrokerProcess, user: str) -> None:
        super().__init__(broker, user, listener="XMPP-TLS")
        self._behind = broker
        self._manager: ManagerProcess | None = None

    def _address(self) -> tuple[str, int]:
        if self._manager is None:
            manager = self._manager = ManagerProcess(self._behind.data.parent / "manager", self._behind)
            self._behind.on_close.append(manager.close)
            manager.start()
        return self._manager.address(self.listener)
