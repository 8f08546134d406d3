"""A link of a manager that speaks frames: any of them cost that manager only, and nobody else anything."""

from __future__ import annotations

from base64 import b64encode

from broker.xmpp.wire import frames, ns
from broker.xmpp.wire.frame_values import Closed, Goodbye, ManagerHello, Open, Resume, Secured, Tls
from broker.xmpp.wire.frames import Type
from tests.fuzz.support import Choices, quiet, require
from tests.fuzz.xmpp import LONG_AFTER
from tests.xmpp.managers.framed import Manager, Servers, Wire
from tests.xmpp.world import HEADER, World, settings

PLAIN = b64encode(b"\0joe\0secret").decode()
STREAM = (
    HEADER,
    f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{PLAIN}</auth>".encode(),
    f"<iq type='set' id='b'><bind xmlns='{ns.BIND}'/></iq>".encode(),
    f"<enable xmlns='{ns.SM}' resume='true'/>".encode(),
    f"<starttls xmlns='{ns.TLS}'/>".encode(),
    b"<message to='joe@localhost'><body>a</body></message>",
    b"<message",
    b"</stream:stream>",
)
TOKENS = (
    frames.encode(Type.HELLO, payload=ManagerHello("x" * 16).encode()),
    frames.encode(Type.PING),
    frames.encode(Type.GOODBYE, payload=Goodbye("drain").encode()),
    frames.encode(Type.OPEN, 1, Open("10.0.0.1", tls=Tls()).encode()),
    frames.encode(Type.OPEN, 2, Open("10.0.0.1").encode()),
    frames.encode(Type.OPEN, 3, Open("?", resume=Resume("joe", "x", 1, HEADER.decode())).encode()),
    frames.encode(Type.SECURED, 2, Secured(1000, Tls(certificate=b"x")).encode()),
    frames.encode(Type.CLOSED, 1, Closed().encode()),
    frames.encode_offset(Type.ATTACH, 1, 0),
    frames.encode_offset(Type.ACK, 1, 1),
    *(bytes([0xFE, number]) for number in range(len(STREAM))),
    b"\xff",
)
LONGEST = 2048
WAITS = (0.0, 0.3, 3.0, 61.0)
_CUT, _SEND, _WAIT = 0xFD, 0xFE, 0xFF


def target(data: bytes) -> None:
    """Pieces of a length each; some say what a session sends next, or how long to wait, or cut the link."""
    with quiet():
        world = World(settings(idle=-1))
        servers = Servers(world, idle=0)
        mary = servers.manager("good").bind("mary@localhost/z")
        timers, choices = world.timers, Choices(data)
        wire = link(servers)
        offset = 0
        while rest := choices.rest():
            kind = rest[0]
            if kind == _SEND and len(rest) > 1:
                piece = STREAM[rest[1] % len(STREAM)]
                wire.to_broker += frames.encode_data(1 + rest[1] % 2, offset, piece)
                offset += len(piece)
                choices = Choices(rest[2:])
            elif kind == _WAIT and len(rest) > 1:
                world.advance(WAITS[rest[1] % len(WAITS)])
                choices = Choices(rest[2:])
            elif kind == _CUT:
                wire.cut()
                wire, offset = link(servers), 0
                choices = Choices(rest[1:])
            else:
                size = frame_size(rest)
                wire.to_broker += rest[:size]
                choices = Choices(rest[size:])
            wire.deliver()
            world.turn()
        mary.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
        require("iq" in mary.names(), "a client of another manager is not served")
        wire.cut()
        mary.cut()
        mary.manager.wires[0].cut()
        for _ in range(3):
            world.advance(LONG_AFTER)
        require(not servers.sessions.managers, "a session is left")
        require(
            all(each.dispatch.outbound is None for each in world.service.domain.clients.values()), "a client is left"
        )
        require(world.timers <= timers, f"{world.timers} timers are left, and {timers} there were")


def link(servers: Servers) -> Wire:
    """A new one, which has said nothing; what comes over it is not looked at."""
    wire = Wire(Manager(servers, "bad"))
    wire.link.connected()
    return wire


def frame_size(data: bytes) -> int:
    """Bytes of the frame that begins here, or of what there is."""
    return min(frames.HEADER_SIZE + int.from_bytes(data[:4], "big"), len(data))
