"""A link of a manager that knows the secret: any bytes cost that manager only, and nobody else anything."""

from __future__ import annotations

from base64 import b64encode

from broker.xmpp.wire import ns, routes
from tests.fuzz.support import Choices, quiet, require
from tests.fuzz.xmpp import LONG_AFTER
from tests.xmpp.managers.world import ManagerWorld
from tests.xmpp.world import settings

PLAIN = b64encode(b"\0joe\0secret")
ROUTE = b"<route streamid='a'>"
TOKENS = (
    b"<iq type='set' id='1'><session xmlns='%b' id='a'><create/></session></iq>" % routes.PAYLOAD.encode(),
    b"<iq type='set' id='2'><session xmlns='%b' id='a'><close/></session></iq>" % routes.PAYLOAD.encode(),
    b"<iq type='set' id='3'><session xmlns='%b' id='a'><failed>" % routes.PAYLOAD.encode(),
    b"</failed></session></iq>",
    b"<iq type='set'><session xmlns='%b' id='b'><create><host address='1.2.3.4' name='&'/>" % routes.PAYLOAD.encode(),
    ROUTE,
    b"</route>",
    ROUTE + b"<auth xmlns='%b' mechanism='PLAIN'>%b</auth></route>" % (ns.SASL.encode(), PLAIN),
    ROUTE + b"<iq type='set' id='b'><bind xmlns='%b'/></iq></route>" % ns.BIND.encode(),
    ROUTE + b"<presence/></route>",
    ROUTE + b"<enable xmlns='%b' resume='true'/></route>" % ns.SM.encode(),
    b"<route streamid='inn'><presence type='unavailable'/></route>",
    b"<message from='jack@localhost/y' to='joe@localhost'><body>x</body></message>",
    b"<starttls xmlns='%b'/>" % ns.TLS.encode(),
    b"<stream:error/>",
    b"</stream:stream>",
    b"<!--",
    b"<![CDATA[",
    b"&#1;",
    b"\0",
)
LONGEST = 2048
WAITS = (0.0, 0.0, 0.0, 1.0, 3.0, 61.0)


def target(data: bytes) -> None:
    """Pieces, each behind the choice of a wait, separated by NUL."""
    with quiet():
        world = ManagerWorld(xmpp=settings(idle=-1))
        innocent = world.routed("mary@localhost/z", world.link("good/1"), "inn")
        timers = world.timers
        link = world.link("bad/1")
        for piece in data.split(b"\0"):
            choices = Choices(piece)
            wait = choices.pick(WAITS)
            if not link.transport.closed:
                link.send(choices.rest())
            if wait:
                world.advance(wait)
            if not link.transport.closed:
                link.take()
        innocent.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
        require("iq" in innocent.names(), "a client of another manager is not served")
        link.cut()
        for _ in range(3):
            world.advance(61)
            innocent.link.send(" ")
        require(world.managers.links_of("bad") == 0, "a link is left")
        others = [each for each in world.service.domain.clients.values() if each.full != innocent.jid]
        require(all(each.dispatch.outbound is None for each in others), "a client is left")
        innocent.link.cut()
        for _ in range(3):
            world.advance(LONG_AFTER)
        require(world.timers <= timers, f"{world.timers} timers are left, and {timers} there were")
