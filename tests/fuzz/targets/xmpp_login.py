"""An XMPP connection from its first byte on: any bytes in any pieces, and time passing between them."""

from __future__ import annotations

from base64 import b64encode

from broker.xmpp.wire import ns
from tests.fuzz.support import Choices, quiet, require
from tests.fuzz.xmpp import LONGEST_ANSWER, ended, written
from tests.xmpp.world import HEADER, World

PLAIN = b64encode(b"\0joe\0secret")
SCRAM = b64encode(b"n,,n=joe,r=abc")
TOKENS = (
    HEADER,
    b"<starttls xmlns='%b'/>" % ns.TLS.encode(),
    b"<auth xmlns='%b' mechanism='PLAIN'>%b</auth>" % (ns.SASL.encode(), PLAIN),
    b"<auth xmlns='%b' mechanism='PLAIN'/>" % ns.SASL.encode(),
    b"<auth xmlns='%b' mechanism='SCRAM-SHA-256'>%b</auth>" % (ns.SASL.encode(), SCRAM),
    b"<response xmlns='%b'>%b</response>" % (ns.SASL.encode(), PLAIN),
    b"<abort xmlns='%b'/>" % ns.SASL.encode(),
    b"<iq type='set' id='b'><bind xmlns='%b'><resource>x</resource></bind></iq>" % ns.BIND.encode(),
    b"<iq type='set' id='s'><session xmlns='%b'/></iq>" % ns.SESSION.encode(),
    b"<enable xmlns='%b' resume='true' max='5'/>" % ns.SM.encode(),
    b"<resume xmlns='%b' h='0' previd='x'/>" % ns.SM.encode(),
    b"<r xmlns='%b'/>" % ns.SM.encode(),
    b"<a xmlns='%b' h='1'/>" % ns.SM.encode(),
    b"<presence/>",
    b"<message to='joe@localhost'/>",
    b"</stream:stream>",
    b"\0",
)
LONGEST = 2048
WAITS = (0.0, 0.0, 1.0, 11.0, 61.0, 200.0)
NOBODY = 10**6
"""Seconds after which nothing of a client can be left."""


def target(data: bytes) -> None:
    """Pieces, each behind the choice of a wait, separated by NUL."""
    with quiet():
        world = World()
        timers, peer = world.timers, world.peer(loopback=data[:1] != b"\xff")
        said = b""
        for piece in data.split(b"\0"):
            choices = Choices(piece)
            wait = choices.pick(WAITS)
            peer.send(choices.rest())
            if peer.transport.starting_tls:
                peer.transport.starting_tls, peer.transport.secure = False, True
                peer.stream.secured()
            if wait:
                world.advance(wait)
            said += peer.transport.data
            peer.transport.data = b""
            if peer.closed:
                break
        written(said)
        require(len(said) <= LONGEST_ANSWER + 100 * len(data), f"{len(said)} bytes in answer to {len(data)}")
        ended(world, peer, timers)
