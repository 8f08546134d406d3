"""The API of a broker that is no process, asked without sockets."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.testing import StringTransport

from broker.admin.access import Access
from broker.admin.api.gate import Gate
from broker.admin.api.operations import Operation, routes_of
from broker.admin.instance import Instance
from broker.admin.property_book import PropertyBook
from broker.admin.roles import SocketRole
from broker.auth.services import LoginCounts
from broker.config.declared import load
from broker.config.properties import Properties
from broker.config.runtime import RuntimeFile
from broker.config.syntax import Setting
from broker.logs.levels import LogLevels
from broker.logs.recent import RecentLines
from broker.logs.timed_levels import TimedLevels
from broker.net.http.exchange import Credentials
from broker.net.http.routes import Router
from broker.net.http.site import Site
from broker.net.listener import Listener
from broker.runlevels.levels import name_of
from broker.runlevels.plan import PlannedPlugin
from broker.runlevels.pluginfile import Action, PluginConfig
from tests.auth.support import InlineExecutor
from tests.core.world import WALL_AHEAD, World
from tests.net.http.conversation import Connection, Received, request

NOWHERE = Path("/nowhere")
STRANGER = 4711
"""A user that the broker does not run as."""


class FakePlugin:
    """Makes nothing."""

    requires = provides = ()


class FakeRunLevels:
    """A broker that runs."""

    def __init__(self) -> None:
        self.level = 9
        self.target: int | None = None

    @property
    def name(self) -> str:
        """Name of the level."""
        return name_of(self.level)

    plugins = (
        PlannedPlugin(
            PluginConfig("SOCKET", "SocketDriver", startup=Action(9)),
            cast(Any, FakePlugin),
            {"port": "7607", "password": "s3cret"},
        ),
    )

    def plugin(self, plugin_id: str) -> Any:
        """The plugin runs, with its port."""
        return self if plugin_id == "SOCKET" else None

    def ports(self) -> list[tuple[str, str, int]]:
        """The port."""
        return [("SOCKET", "127.0.0.1", 7607)]


class FakeInstance:
    """What the application tells of itself.

    Args:
        world: its core.
        settings: properties.
        data: directory of what is kept.
    """

    def __init__(self, world: World, settings: dict[str, str] | None = None, data: Path = NOWHERE) -> None:
        self.properties = Properties([Setting(name, value, "test") for name, value in (settings or {}).items()])
        self.reactor = world.clock
        self.wall_clock = lambda: world.clock.seconds() + WALL_AHEAD
        self.run_levels: Any = FakeRunLevels()
        self.running = 1
        self.serving = True
        self.store: Any = world.store
        self.broker = world.broker
        self.data = data
        self.xmpp: Any = SimpleNamespace(current=None)
        self.doors: list[tuple[str, Listener]] = []
        self.logins = LoginCounts()
        self.htpasswd: Any = None
        self.requested: list[list[int]] = []
        self.access = Access(self.properties, world.clock.seconds)
        self.access.attach(world.broker)
        self.property_book = PropertyBook(self.properties, RuntimeFile(self.data), load())
        self.events = world.node.events
        self.recent_lines = RecentLines()
        self.log_levels: TimedLevels | None = TimedLevels(LogLevels(), world.clock, self.wall_clock)

    def request_run_levels(self, levels: Sequence[int]) -> None:
        """Go nowhere."""
        self.requested.append(list(levels))

    def plugin_of(self, listener: str) -> str:
        """The plugin has the name of its listener."""
        return listener

    def reload_listener(self, name: str) -> None:
        """Read the certificate again."""
        tls = dict(self.doors)[name].settings.tls
        assert tls is not None
        tls.reload(self.reactor.seconds())

    def shut_down(self) -> None:
        """It has ended."""
        self.running = 0

    def listeners(self) -> list[tuple[str, Listener]]:
        """The listeners."""
        return self.doors

    @property
    def security(self) -> Any:
        """What logins are checked with."""
        return SimpleNamespace(
            services=SimpleNamespace(counts=self.logins, waiting=0), run=InlineExecutor(), htpasswd=self.htpasswd
        )


class Desk:
    """A site of some operations.

    Args:
        world: the core; a new one where it is not given.
        settings: properties.
        uid: of the process that asks, by default the broker's own; ``None`` for HTTP.
        role: of the socket's group.
        behind_proxy: something in front of it speaks TLS.
        data: directory of what is kept.
    """

    def __init__(
        self,
        world: World | None = None,
        settings: dict[str, str] | None = None,
        *,
        uid: int | None = os.geteuid(),
        role: SocketRole = SocketRole.MONITORING,
        behind_proxy: bool = False,
        data: Path = NOWHERE,
    ) -> None:
        self.world = world or World()
        self.fake = FakeInstance(self.world, settings, data)
        self.gate = Gate(self.fake.access, role, behind_proxy=behind_proxy)
        self.uid = uid

    @property
    def instance(self) -> Instance:
        """The fake, as the code under test has it."""
        return cast(Instance, self.fake)

    def site(self, operations: Sequence[Operation]) -> Site:
        """A site of operations."""
        uid = self.uid
        router = Router(routes_of(operations, self.instance))
        credentials = None if uid is None else lambda transport: Credentials(1, uid, uid)
        return Site(router, self.gate, self.world.clock, credentials=credentials)

    def ask(
        self, operations: Sequence[Operation], target: str, method: str = "GET", body: object = None, **headers: str
    ) -> Received:
        """Send one request.

        Args:
            operations: of the site.
            target: of the request.
            method: of the request.
            body: in JSON, where it is given; bytes as they are.
            headers: more of them, with underscores for hyphens.
        """
        channel = self.site(operations).buildProtocol(None)
        assert channel is not None
        connection = Connection(channel, self.world.clock)
        assert isinstance(connection.transport, StringTransport)
        content = b""
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"Content_Type": "application/json", **headers}
        connection.send(request(target, method, content, **headers))
        self.world.turn()
        (answer,) = connection.answers(method)
        return answer
