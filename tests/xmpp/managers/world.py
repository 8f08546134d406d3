"""A connection manager that speaks in routes to an XMPP service without sockets or real time."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from broker.core.settings import Settings
from broker.net.turns import Turns
from broker.xml.cutter import ElementCutter, Opening, Piece
from broker.xml.tree import Tree
from broker.xmpp.managers import link
from broker.xmpp.managers.frame_link import FrameLink
from broker.xmpp.managers.link import ManagerLink
from broker.xmpp.managers.manager_process import FramedSessions, FrameSettings
from broker.xmpp.managers.managers import Managers
from broker.xmpp.managers.settings import ManagerSettings, Secrets
from broker.xmpp.settings import XmppSettings
from broker.xmpp.wire import ns, routes
from tests.core.world import DEFAULTS
from tests.xmpp.world import DOMAIN, PASSWORD, FakeTransport, World

SECRET = "sekrit"
NAME = "cm1"


class LinkTransport(FakeTransport):
    """The connection of a link."""

    peer = "127.0.0.1:40000"

    def carries_streams(self) -> None:
        """Remember it."""
        self.is_logged_in = True


class Link:
    """The manager's end of a link.

    Args:
        world: with the server's end.
        jid: of the link.
        host: address of the manager.
        options: of the server's end.
    """

    def __init__(
        self, world: ManagerWorld, jid: str = "cm1/Connection Worker - 1", host: str = "127.0.0.1", **options: bool
    ) -> None:
        self.world = world
        self.jid = jid
        self.transport = LinkTransport()
        self.link = ManagerLink(world.managers, self.transport, host, **{"tls": True, "tls_required": False, **options})
        self.transport.turns = lambda: world.clock.callLater(0, self.link.turn)
        self.id = ""
        self.inflater: Any = None
        self.deflater: Any = None
        self.closed = False
        self.count = 0
        self._cutter = ElementCutter(1 << 24)
        self._opening: Tree | None = None
        self.link.connected()

    def send(self, data: str | bytes) -> None:
        """Send bytes, and let the server work."""
        raw = data.encode() if isinstance(data, str) else data
        if self.deflater is not None:
            raw = self.deflater.compress(raw) + self.deflater.flush(zlib.Z_PARTIAL_FLUSH)
        if not self.transport.closed:
            self.link.received(raw)
        self.world.turn()

    def open(self) -> list[Tree]:
        """Send a stream header; returns the features."""
        self._cutter.restart()
        self.send(
            f'<stream:stream xmlns:stream="{ns.STREAM}" xmlns="{routes.NAMESPACE}" to="{self.jid}" version="1.0">'
        )
        return self.take()

    def log_in(self, secret: str = SECRET) -> list[Tree]:
        """Open the link; returns what came behind the features."""
        self.open()
        self.send(f"<handshake>{routes.digest(self.id, secret)}</handshake>")
        return self.take()

    def take(self) -> list[Tree]:
        """The elements that have come since the last time."""
        data, self.transport.data = self.transport.data, b""
        if self.inflater is not None:
            data = self.inflater.decompress(data)
        self._cutter.add(data)
        found: list[Tree] = []
        while (cut := self._cutter.next()) is not None:
            if isinstance(cut, Opening):
                attributes = routes.attributes_of(cut.tag)
                assert attributes["from"] == self.jid
                self.id = self.id or attributes.get("id", "")
            elif isinstance(cut, Piece):
                found.append(routes.read(cut.data))
            else:
                self.closed = True
        return found

    def one(self) -> Tree:
        """The only element that has come since the last time."""
        (tree,) = self.take()
        return tree

    def iq(self, id: str, content: str) -> Tree:
        """Ask for something of a session; returns the answer."""
        self.request(id, content)
        return next(tree for tree in self.take() if tree.attributes.get("id") == f"1-{self.count}")

    def request(self, id: str, content: str) -> None:
        """Ask for something of a session."""
        self.count += 1
        session = f" id='{id}'" if id else ""
        self.send(
            f"<iq type='set' to='{DOMAIN}' from='{self.jid}' id='1-{self.count}'>"
            f"<session xmlns='{routes.PAYLOAD}'{session}>{content}</session></iq>"
        )

    def create(self, id: str, address: str = "192.0.2.7") -> Tree:
        """Create a session; returns the answer."""
        return self.iq(id, f"<create><host name='localhost' address='{address}'/></create>")

    def route(self, id: str, content: str) -> None:
        """Send what a client has sent."""
        self.send(f"<route to='{DOMAIN}' from='{self.jid}' streamid='{id}'>{content}</route>")

    def cut(self) -> None:
        """The connection goes."""
        self.transport.closed = "cut"
        self.link.lost("the connection was cut")
        self.world.turn()


class Routed:
    """A client behind a manager.

    Args:
        link: that the manager sends it over.
        id: of its session.
        address: of the client.
    """

    def __init__(self, link: Link, id: str, address: str = "192.0.2.7") -> None:
        self.link = link
        self.id = id
        self.jid = ""
        self.kept: list[Tree] = []
        self.answer = link.create(id, address)

    def send(self, content: str) -> None:
        """Send an element."""
        self.link.route(self.id, content)

    def take(self) -> list[Tree]:
        """What has come in routes to this client since the last time; each of them has exactly one child."""
        found: list[Tree] = []
        for tree in self.link.take():
            if tree.name == "route" and tree.attributes.get("streamid") == self.id:
                (child,) = tree.children
                found.append(routes.as_clients(child))
            else:
                self.kept.append(tree)
        return found

    def one(self) -> Tree:
        """The only element that has come since the last time."""
        (tree,) = self.take()
        return tree

    def names(self) -> list[str]:
        """Names of what has come since the last time."""
        return [tree.name for tree in self.take()]

    def bodies(self) -> list[str]:
        """Bodies of the messages that have come since the last time."""
        return [tree.text_of(ns.CLIENT, "body") for tree in self.take() if tree.name == "message"]

    def closes(self) -> list[str]:
        """Ids of the sessions that the manager was told to close, among what :meth:`take` did not return."""
        kept, self.kept = self.kept, []
        return [
            tree.children[0].attributes["id"]
            for tree in kept
            if tree.name == "iq" and tree.attributes["type"] == "set" and tree.children[0].name == "session"
        ]

    def log_in(self, user: str, password: str = PASSWORD) -> list[str]:
        """Log in with PLAIN; returns the names of what came."""
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>")
        return self.names()

    def bind(self, resource: str, *, presence: bool = True) -> str:
        """Bind a resource, and be available; returns the full JID."""
        self.send(f"<iq type='set' id='b'><bind xmlns='{ns.BIND}'><resource>{resource}</resource></bind></iq>")
        bound = self.one().find(ns.BIND, "bind")
        assert bound is not None
        self.jid = bound.text_of(ns.BIND, "jid")
        if presence:
            self.send("<presence/>")
            self.take()
        return self.jid


class ManagerWorld(World):
    """A world with connection managers.

    Args:
        managers: their settings.
        secrets: that they must know.
        frames: links may go on in frames.
        options: of the world.
    """

    def __init__(
        self,
        managers: ManagerSettings | None = None,
        secrets: Secrets | None = None,
        xmpp: XmppSettings | None = None,
        core: Settings = DEFAULTS,
        *,
        frames: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(xmpp, core=core, **options)
        turns = Turns(self.clock, self.clock.seconds)
        framed = FramedSessions(FrameSettings(self.service, self.clock, turns))

        def make_frames(transport: link.LinkTransport, name: str) -> FrameLink:
            return FrameLink(framed, transport, name, transport.peer)

        self.managers = Managers(
            self.service,
            managers or ManagerSettings(),
            secrets or Secrets(SECRET),
            self.clock,
            turns,
            make_frames=make_frames if frames else None,
        )

    def link(self, jid: str = "cm1/Connection Worker - 1", **options: Any) -> Link:
        """A link that is open, whose manager has been told the configuration."""
        link = Link(self, jid, **options)
        assert [tree.name for tree in link.log_in()] == ["handshake", "iq"]
        return link

    def routed(self, jid: str, link: Link | None = None, id: str = "cm1a", address: str = "192.0.2.7") -> Routed:
        """A bound client behind a manager.

        Args:
            jid: e.g. ``joe@localhost/x``.
            link: of the manager; by default a new one.
            id: of the session.
            address: of the client.
        """
        bare, _, resource = jid.partition("/")
        client = Routed(link or self.link(), id, address)
        assert client.answer.attributes["type"] == "result"
        assert client.log_in(bare.partition("@")[0]) == ["success"]
        assert client.bind(resource) == jid
        return client

    def restarted(self, *, committed: bool = True) -> ManagerWorld:
        """A new broker on what the store has (``kill -9`` and a restart)."""
        store = self.crashed(committed=committed)
        return ManagerWorld(
            self.managers.settings, self.managers.secrets, self.xmpp, self.settings, clock=self.clock, store=store
        )


__all__ = ["NAME", "SECRET", "Link", "ManagerWorld", "Routed"]
