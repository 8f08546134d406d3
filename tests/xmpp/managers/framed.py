"""A connection manager that speaks frames to a world without sockets, and lets tests cut its links anywhere."""

from __future__ import annotations

import secrets
from typing import Any

from broker.net.limits import Limits
from broker.net.turns import Turns
from broker.xmpp.managers.frame_link import FrameLink
from broker.xmpp.managers.manager_process import FramedSessions, FrameSettings
from broker.xmpp.wire import frames
from broker.xmpp.wire.frame_values import (
    BrokerHello,
    Closed,
    Goodbye,
    LoggedIn,
    ManagerHello,
    Open,
    Opened,
    Refused,
    Resume,
    Secured,
    Tls,
)
from broker.xmpp.wire.frames import Frame, FrameReader, Type
from tests.xmpp.world import HEADER, Peer, World, bound

SECURE = Tls("TLSv1.3", bindings={"tls-exporter": b"exported"})
OPEN = Open("10.0.0.1", 40000, 5223, SECURE)
NO_RATE = Limits(rate=0)


class Servers:
    """The broker's side of frames in a world.

    Args:
        world: that it belongs to.
        settings: that differ from the defaults.
    """

    def __init__(self, world: World, **settings: Any) -> None:
        self.world = world
        self.notes: list[str] = []
        turns = Turns(world.clock, world.clock.seconds)
        given: dict[str, Any] = {"limits": NO_RATE, "tell": lambda name, text: self.notes.append(text()), **settings}
        self.settings = FrameSettings(world.service, world.clock, turns, **given)
        self.sessions = FramedSessions(self.settings)

    def crash(self) -> Servers:
        """A new broker on what the store has."""
        return Servers(self.world.crash(), limits=self.settings.limits, grace=self.settings.grace)

    def manager(self, name: str = "cm1", domain: str = "") -> Manager:
        """A manager with one link."""
        manager = Manager(self, name, domain=domain)
        manager.dial()
        return manager


class Wire:
    """One link: what is on its way in both directions."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.to_broker = b""
        self.to_manager = b""
        self.reader = FrameReader(frames.FROM_BROKER)
        self.closed = ""
        self.writable = True
        self.hello: BrokerHello | None = None
        self.goodbye: Goodbye | None = None
        self.frames: list[Frame] = []
        self.link = FrameLink(manager.servers.sessions, self, manager.name, "10.9.9.9:1")

    def write(self, data: bytes) -> None:
        """Bytes of the broker."""
        if not self.closed:
            self.to_manager += data

    def close(self) -> None:
        """The broker closes, and is told that the connection is gone when the manager has read everything."""
        self.closed = self.closed or "closed"

    def abort(self) -> None:
        """The broker closes at once."""
        self.closed = "aborted"
        self.to_manager = b""

    def send(self, type: Type, session: int = 0, payload: bytes = b"") -> None:
        """A frame of the manager."""
        self.to_broker += frames.encode(type, session, payload)

    def offset(self, type: Type, session: int, offset: int) -> None:
        """A frame of the manager that says an offset."""
        self.to_broker += frames.encode_offset(type, session, offset)

    def deliver(self, to_broker: int = 1 << 30, to_manager: int = 1 << 30) -> bool:
        """Bytes arrive; returns whether any did."""
        out, self.to_broker = self.to_broker[:to_broker], self.to_broker[to_broker:]
        if out and not self.closed:
            self.link.received(out)
        came, self.to_manager = self.to_manager[:to_manager], self.to_manager[to_manager:]
        if came:
            for frame in self.reader.feed(came):
                self.frames.append(frame)
                self.manager.take(self, frame)
            assert self.reader.error is None, self.reader.error
        return bool(came or (out and not self.closed))

    def cut(self) -> None:
        """The network goes; what is on its way is lost."""
        self.to_broker = self.to_manager = b""
        self.closed = self.closed or "cut"
        self.manager.lost(self)
        self.link.lost("the link was cut")
        self.manager.servers.world.turn()


class Manager:
    """A correct manager.

    Args:
        servers: that it dials.
        name: its own.
        instance: names its process; by default one that nobody else has.
        domain: that it serves; it does not say by default.
    """

    def __init__(self, servers: Servers, name: str = "cm1", instance: str = "", domain: str = "") -> None:
        self.servers = servers
        self.name = name
        self.domain = domain
        self.instance = instance or secrets.token_hex(16)
        self.wires: list[Wire] = []
        self.gone: list[Wire] = []
        self.sessions: dict[int, ManagedTransport] = {}
        self.numbers = 0

    def dial(self) -> Wire:
        """One more link."""
        wire = Wire(self)
        self.wires.append(wire)
        wire.link.connected()
        wire.send(Type.HELLO, payload=ManagerHello(self.instance, self.domain).encode())
        self.pump()
        return wire

    def pump(self) -> None:
        """Let everything arrive, and the broker work."""
        world = self.servers.world
        moved = True
        while moved:
            moved = False
            world.turn()
            for wire in list(self.wires):
                moved = wire.deliver() or moved
                if wire.closed and not wire.to_manager:
                    wire.cut()

    def lost(self, wire: Wire) -> None:
        """A link is gone."""
        if wire in self.wires:
            self.wires.remove(wire)
            self.gone.append(wire)
        for session in self.sessions.values():
            if session.wire is wire:
                session.wire = None

    def reattach(self) -> None:
        """Go on with all sessions that have no link."""
        for session in list(self.sessions.values()):
            if session.wire is None:
                session.attach(self.wires[-1])

    def take(self, wire: Wire, frame: Frame) -> None:
        """A frame of the broker."""
        match frame.type:
            case Type.HELLO:
                wire.hello = BrokerHello.read(frame.payload)
            case Type.GOODBYE:
                wire.goodbye = Goodbye.read(frame.payload)
            case Type.PING:
                wire.send(Type.PONG, payload=frame.payload)
            case Type.PONG:
                pass
            case _:
                session = self.sessions.get(frame.session)
                if session is not None:
                    session.take(frame)

    def peer(self, wanted: Open = OPEN) -> ManagedPeer:
        """A client's connection that the manager has accepted."""
        return ManagedPeer(self, wanted)

    def bind(self, jid: str, *, sm: bool = False, presence: str | None = "<presence/>") -> ManagedPeer:
        """A bound client; see :meth:`tests.xmpp.world.World.bind`."""
        return bound(self.peer(), jid, sm=sm, presence=presence)


class ManagedTransport:
    """The manager's side of a session; for a :class:`Peer` its connection."""

    def __init__(self, manager: Manager, wanted: Open) -> None:
        manager.numbers += 1
        self.manager = manager
        self.number = manager.numbers
        self.wire: Wire | None = manager.wires[-1]
        self.reads = True  # the client reads what comes
        self.data = b""  # what the client has read, and the test has not seen
        self.unread = b""
        self.expected = 0  # of the broker's bytes
        self.given = 0  # of these to the client
        self.out = b""  # of the client, from `base` on
        self.base = 0
        self.sent = 0
        self.closed = ""
        self.close_at: int | None = None
        self.tls_at: int | None = None
        self.secured: Secured | None = None
        self.account = ""
        self.opened: Opened | None = None
        self.refused: Refused | None = None
        self.unknown = False
        self.confirmed = False
        self.client_gone = ""
        self.closed_sent = False
        self.attaching = False
        manager.sessions[self.number] = self
        self.wire.send(Type.OPEN, self.number, wanted.encode())

    def give(self, data: bytes) -> None:
        """The client has sent something."""
        self.out += data
        self.flush()

    def flush(self) -> None:
        """Send what the window permits."""
        wire = self.wire
        if wire is None or self.attaching:
            return
        assert wire.hello is not None
        window = self.base + wire.hello.window
        data = self.out[self.sent - self.base : window - self.base]
        if data:
            wire.to_broker += frames.encode_data(self.number, self.sent, data)
            self.sent += len(data)
        if self.client_gone and not self.closed_sent and self.sent == self.base + len(self.out):
            self.closed_sent = True
            wire.send(Type.CLOSED, self.number, Closed(self.client_gone).encode())

    def lose_client(self, reason: str = "gone") -> None:
        """The client's connection is gone."""
        self.client_gone = reason
        self.closed = self.closed or reason
        self.flush()

    def attach(self, wire: Wire) -> None:
        """Go on over another link."""
        self.wire = wire
        self.attaching, self.closed_sent = True, False
        wire.offset(Type.ATTACH, self.number, self.expected)

    def read(self, size: int = 1 << 30) -> None:
        """The client reads what there is, and the manager acknowledges it."""
        data, self.unread = self.unread[:size], self.unread[size:]
        if not data:
            return
        self.data += data
        self.given += len(data)
        if self.wire is not None and not self.attaching:
            self.wire.offset(Type.ACK, self.number, self.given)
        self._reach()

    def _reach(self) -> None:
        if self.tls_at is not None and self.given >= self.tls_at:
            self.tls_at = None
            self.secured = Secured(self.base + len(self.out), SECURE)
            if self.wire is not None:
                self.wire.send(Type.SECURED, self.number, self.secured.encode())
        if self.close_at is not None and self.given >= self.close_at and not self.client_gone:
            self.lose_client("closed")

    def take(self, frame: Frame) -> None:
        """A frame of this session."""
        match frame.type:
            case Type.OPENED:
                self.opened = Opened.read(frame.payload)
            case Type.REFUSED:
                self.refused = Refused.read(frame.payload)
                self.closed = "refused"
                self._over()
            case Type.DATA:
                self._data(frame.offset, frame.data)
            case Type.ACK:
                self._acknowledged(frame.offset)
            case Type.START_TLS:
                if self.secured is None:
                    self.tls_at = frame.offset
                    self._reach()
            case Type.LOGGED_IN:
                self.account = LoggedIn.read(frame.payload).account
            case Type.CLOSE:
                self.close_at = frame.offset
                self._reach()
            case Type.ABORT:
                self.closed = "aborted"
                self._over()
            case Type.ATTACHED:
                self.attaching = False
                self.sent = max(frame.offset, self.base)
                assert self.sent <= self.base + len(self.out)
                if self.secured is not None:
                    assert self.wire is not None
                    self.wire.send(Type.SECURED, self.number, self.secured.encode())
                    self.sent = max(self.sent, self.secured.offset)
                if self.given and self.wire is not None:
                    self.wire.offset(Type.ACK, self.number, self.given)
                self.flush()
            case Type.UNKNOWN:
                self.unknown = True
                self.closed = self.closed or "unknown"
                self._over()

    def _data(self, offset: int, data: bytes) -> None:
        assert offset <= self.expected, "a gap"
        data = data[self.expected - offset :]
        self.expected += len(data)
        self.unread += data
        assert self.wire is not None
        assert self.wire.hello is not None
        assert self.expected - self.given <= self.wire.hello.window
        if self.reads:
            self.read()

    def _acknowledged(self, offset: int) -> None:
        assert offset <= self.sent
        if offset > self.base:
            self.out = self.out[offset - self.base :]
            self.base = offset
        if self.closed_sent and offset == self.base and not self.out:
            self.confirmed = True
            self._over()
        else:
            self.flush()

    def _over(self) -> None:
        self.manager.sessions.pop(self.number, None)


class ManagedPeer(Peer):
    """A client behind a manager.

    Args:
        manager: that has its connection.
        wanted: what the manager says of it.
    """

    def __init__(self, manager: Manager, wanted: Open = OPEN) -> None:
        self.world = manager.servers.world
        self.manager = manager
        self.transport: Any = ManagedTransport(manager, wanted)
        self.id = ""
        self.jid = ""
        self.h = 0
        self._restart()
        manager.pump()

    @property
    def session(self) -> ManagedTransport:
        """The manager's side of it."""
        session: ManagedTransport = self.transport
        return session

    @property
    def channel(self) -> Any:
        """The broker's side of it."""
        for manager in self.manager.servers.sessions.managers.values():
            process = manager.processes.get(self.manager.instance)
            if process is not None and self.session.number in process.channels:
                return process.channels[self.session.number]
        return None

    def send(self, data: str | bytes) -> None:
        """Send bytes, and let manager and broker work."""
        self.session.give(data.encode() if isinstance(data, str) else data)
        self.manager.pump()

    def cut(self) -> None:
        """The client's network goes."""
        self.session.lose_client("the connection was cut")
        self.manager.pump()

    def acknowledged(self) -> None:
        """Wait until the broker acknowledges what it has handled."""
        self.world.advance(1)
        self.manager.pump()


def resumed(servers: Servers, manager: Manager, account: str, id: str, h: int) -> ManagedPeer:
    """A client whose stream a manager goes on with."""
    resume = Resume(account, id, h, HEADER.decode())
    peer = manager.peer(Open("10.0.0.1", tls=SECURE, resume=resume))
    peer.id, peer.h = id, h
    peer._reader.feed(HEADER)
    return peer


__all__ = ["NO_RATE", "OPEN", "SECURE", "ManagedPeer", "ManagedTransport", "Manager", "Servers", "Wire", "resumed"]
