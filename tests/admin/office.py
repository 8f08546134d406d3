"""A broker with administration, for tests."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import quoteattr

from broker.admin.commands import AdministrativeCommands
from broker.admin.options import administrators
from broker.admin.property_book import PropertyBook
from broker.config.declared import load
from broker.config.properties import Properties
from broker.config.runtime import RuntimeFile
from broker.config.syntax import Setting
from broker.core.administration import Answer, Found, Told
from broker.core.publishing import Published
from broker.core.quotas import Quotas
from broker.core.waiting import Pending
from broker.logs.last import LastLines
from broker.logs.levels import LogLevels
from broker.logs.timed_levels import TimedLevels
from broker.runlevels.service import RunLevels
from tests.core.world import Client, World

BOSS = {"admin.users": "boss"}
NOWHERE = Path("/nowhere")


class FakeRunLevels:
    """A broker that runs and has one port."""

    level = 9
    name = "RUNNING"

    def ports(self) -> list[tuple[str, str, int]]:
        """The port."""
        return [("SOCKET", "127.0.0.1", 7607)]


class Office:
    """A world whose broker serves administrative messages.

    Args:
        settings: properties of the broker.
        world: to administer; a new one where it is not given.

    Attributes:
        last_lines: of its log.
        log_levels: of its log.
        requested: run levels that were asked for.
    """

    def __init__(self, settings: dict[str, str] | None = None, world: World | None = None) -> None:
        self.world = world or World()
        self.last_lines = LastLines()
        self.requested: list[list[int]] = []
        self.log_levels = TimedLevels(LogLevels(), self.world.clock)
        self.properties = Properties([Setting(name, value, "test") for name, value in (settings or {}).items()])
        node = self.world.node
        node.settings = replace(node.settings, administrators=administrators(self.properties))
        node.quotas = Quotas(node.settings.quotas, node.settings.administrators)
        self.commands = AdministrativeCommands(
            self.world.broker,
            cast(RunLevels, FakeRunLevels()),
            self._request,
            PropertyBook(self.properties, RuntimeFile(NOWHERE), load()),
            "1.2.3",
            self.last_lines,
            self.log_levels,
        )
        self.world.broker.commands = self.commands

    def _request(self, levels: Sequence[int]) -> None:
        self.requested.append(list(levels))

    def client(self, name: str, **settings: Any) -> Client:
        """Log in with a connection that takes updates."""
        return self.world.client(name, **settings)

    def ask(self, client: Client, command: str, qos: str = "<qos/>") -> Coroutine[Any, Any, Answer]:
        """Send a ``get``."""
        key = f"<key oid={quoteattr(command)}/>"
        return self.world.requests.get(client.session, key.encode(), qos.encode())

    def get(self, client: Client, command: str) -> str:
        """Read a value; ``__cmd:`` may be left out."""
        told = self.world.run(self.ask(client, with_prefix(command)))
        assert isinstance(told, Told)
        return told.content.decode()

    def entries(self, client: Client, command: str, options: str = "", qos: str = "") -> list[bytes]:
        """Contents of messages in a queue that are there at once."""
        found = self.world.run(self.ask(client, with_prefix(command), query(options, qos)))
        assert isinstance(found, list)
        return contents(found)

    def set(self, client: Client, command: str, content: bytes = b"", qos: str = "<qos/>") -> Published:
        """Publish a command; ``__cmd:`` may be left out."""
        key = f"<key oid={quoteattr(with_prefix(command))}/>"
        request = client.session, key.encode(), qos.encode(), content
        pending = self.world.requests.publish(*request)
        assert isinstance(pending, Pending), "it was taken as a message"
        return self.world.run(self.world.requests.publish_when_possible(*request, pending))


def with_prefix(command: str) -> str:
    """The oid of a command."""
    return command if command.startswith("__") else f"__cmd:{command}"


def query(options: str = "", qos: str = "") -> str:
    """The QoS of a query for entries."""
    spec = f"<querySpec type='QueueQuery'><![CDATA[{options}]]></querySpec>" if options else ""
    return f"<qos>{spec}{qos}</qos>"


def contents(found: Found) -> list[bytes]:
    """Contents as they would be sent."""
    return [message.content if wanted else b"" for message, wanted in found]
