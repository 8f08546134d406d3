"""The manager's side of a link and the broker's, joined without sockets; tests cut it anywhere."""

from __future__ import annotations

import secrets
from typing import Any

from broker.manager.client import Client
from broker.manager.frame_link import FrameLink
from broker.manager.links import Links
from broker.xmpp.managers.frame_link import FrameLink as BrokerLink
from tests.manager.world import Socket, settings
from tests.xmpp.managers.framed import Servers
from tests.xmpp.world import Peer


class End:
    """One end of a joined link: what is on its way from here."""

    server = "broker:5262"

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        """Put it on its way."""
        if not self.closed:
            self.data += data

    def close(self) -> None:
        """Nothing more is written."""
        self.closed = True

    def abort(self) -> None:
        """What is on its way is lost."""
        self.closed = True
        self.data = b""

    def refused(self, reason: str) -> None:
        """What is on its way is lost."""
        self.abort()

    def take(self, size: int) -> bytes:
        """What arrives."""
        data, self.data = self.data[:size], self.data[size:]
        return data


class Joined:
    """A link between a manager and a broker."""

    def __init__(self, manager: ManagerSide, servers: Servers) -> None:
        self.manager = manager
        self.to_broker, self.to_manager = End(), End()
        carrier: Any = self.to_manager
        self.broker = BrokerLink(servers.sessions, carrier, "cm1", "192.0.2.1:1")
        self.broker.connected()
        self.link = FrameLink(self.to_broker, manager.instance, "localhost", manager.links, manager.reactor)

    def deliver(self, to_broker: int = 1 << 30, to_manager: int = 1 << 30) -> bool:
        """Bytes arrive; returns whether any did."""
        there = self.to_broker.take(to_broker)
        if there:
            self.broker.received(there)
        back = self.to_manager.take(to_manager)
        if back:
            self.link.received(back)
        return bool(there or back)

    def cut(self) -> None:
        """The network goes; what is on its way is lost."""
        self.to_broker.abort()
        self.to_manager.abort()
        self.link.lost()
        self.broker.lost("the link was cut")


class ManagerSide:
    """A manager with one link at a time.

    Args:
        servers: the broker's side.
    """

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.reactor: Any = servers.world.clock
        self.settings = settings()
        self.instance = secrets.token_hex(16)
        self.links = Links(self.reactor, 60.0, 5.0)
        self.joined = Joined(self, servers)
        self.pump()

    def pump(self) -> None:
        """Let everything arrive, and both sides work."""
        self.servers.world.turn()
        while self.joined.deliver() or self._work():
            self.servers.world.turn()

    def _work(self) -> bool:
        self.servers.world.turn()
        return bool(self.joined.to_broker.data or self.joined.to_manager.data)

    def cut(self) -> None:
        """The link is lost."""
        self.joined.cut()
        self.servers.world.turn()

    def dial(self, servers: Servers | None = None) -> None:
        """There is a new link, to the same broker or to another one."""
        self.servers = servers or self.servers
        self.joined = Joined(self, self.servers)
        self.pump()

    def peer(self) -> CarriedPeer:
        """A client of the manager."""
        return CarriedPeer(self)


class CarriedPeer(Peer):
    """A client whose stream the manager carries."""

    def __init__(self, manager: ManagerSide) -> None:
        self.manager = manager
        self.world = manager.servers.world
        self.socket = self.transport = Socket()  # type: ignore[assignment] # has of it what a peer asks for
        self.socket.secure = True
        self.client = Client(self.socket, manager.settings, manager.reactor, manager.links.come, manager.links.gone)
        self.client.connected()
        self.id = ""
        self.jid = ""
        self.h = 0
        self._restart()

    def send(self, data: str | bytes) -> None:
        """Send bytes, and let manager and broker work."""
        self.give(data)
        self.manager.pump()

    def give(self, data: str | bytes) -> None:
        """Send bytes; nothing arrives yet."""
        self.client.received(data.encode() if isinstance(data, str) else data)

    def cut(self) -> None:
        """The client's network goes."""
        self.socket.end = "lost"
        self.client.lost("connection lost")
        self.manager.pump()
