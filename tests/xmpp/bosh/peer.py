"""A client over BOSH whose requests are no HTTP."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from broker.net.turns import Turns
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.bosh.channel import Origin
from broker.xmpp.bosh.sessions import BoshSessions
from broker.xmpp.bosh.settings import BoshSettings
from broker.xmpp.wire import ns
from broker.xmpp.wire.bosh import read_body
from tests.xmpp.world import World

FIRST_RID = 1000


@dataclass(slots=True)
class Asked:
    """A request.

    Args:
        world: that it is sent to.
        rid: of it.
        answered: fires with the answer.
        answer: the bytes of the answer; ``None`` while there is none.
    """

    world: World
    rid: int
    answered: Deferred[bytes]
    answer: bytes | None = None

    @property
    def body(self) -> Tree:
        """The answer, read."""
        assert self.answer is not None, f"request {self.rid} is not answered"
        return parse_tree(self.answer)

    @property
    def names(self) -> list[str]:
        """Names of the elements of the answer."""
        return [each.name for each in self.body.children]

    @property
    def bodies(self) -> list[str]:
        """Of the messages of the answer."""
        return [each.text_of(ns.CLIENT, "body") for each in self.body.children if each.name == "message"]

    @property
    def condition(self) -> str:
        """Why the session was ended; empty where it was not."""
        attributes = self.body.attributes
        return attributes.get("condition", "") if attributes.get("type") == "terminate" else ""

    def lose(self) -> None:
        """The connection is lost."""
        self.answered.addErrback(lambda _: None)
        self.answered.cancel()
        self.world.turn()


class Office:
    """All sessions of a world.

    Args:
        world: that is behind them.
        settings: of the sessions.
    """

    def __init__(self, world: World, settings: BoshSettings = BoshSettings()) -> None:  # noqa: B008 - it is frozen
        self.world = world
        self.sessions = BoshSessions(world.service, settings, Turns(world.clock, world.clock.seconds))

    def crash(self, *, committed: bool = True) -> None:
        """The broker is killed, and another one goes on with what is on disk."""
        self.world = world = self.world.crash(committed=committed)
        self.sessions = BoshSessions(world.service, self.sessions._settings, Turns(world.clock, world.clock.seconds))
        recovered = Deferred.fromCoroutine(self.sessions.recover())
        world.turn()
        assert recovered.called

    def ask(self, text: str, *, host: str = "127.0.0.1", secure: bool = False, turn: bool = True) -> Asked:
        """Send a body, and let the broker work."""
        body = read_body(text.encode())
        answered, _ = self.sessions.ask(body, Origin(host, secure, loopback=True))
        asked = Asked(self.world, body.rid, answered)

        def came(data: bytes) -> None:
            asked.answer = data

        answered.addCallback(came)
        if turn:
            self.world.turn()
        return asked


class BoshPeer:
    """A client.

    Args:
        office: that it talks to.
        options: attributes of its first request, beside the usual ones.

    Attributes:
        rid: of its next request.
        sid: of its session.
        key_of: the next one of its keys; ``None`` where it has none.
    """

    def __init__(self, office: Office, **options: Any) -> None:
        self.office = office
        self.rid = FIRST_RID
        self.sid = ""
        self.key_of: Callable[[], str] | None = None
        defaults = {"hold": 1, "wait": 60, "ver": "1.6", "to": "localhost", "xmpp_version": "1.0"}
        self.first = self.ask("", **{**defaults, **options})
        if self.first.answer is not None:
            self.sid = self.first.body.attributes.get("sid", "")

    def ask(self, payload: str = "", *, rid: int | None = None, turn: bool = True, **attributes: Any) -> Asked:
        """Send the next request, or one with a given id."""
        if self.sid and self.key_of is not None:
            attributes.setdefault("key", self.key_of())
        if rid is None:
            rid, self.rid = self.rid, self.rid + 1
        given = {"rid": rid, **({"sid": self.sid} if self.sid else {}), **attributes}
        written = "".join([f" {name.replace('_', ':')}='{value}'" for name, value in given.items()])
        return self.office.ask(f"<body xmlns='{ns.BOSH}' xmlns:xmpp='{ns.XBOSH}'{written}>{payload}</body>", turn=turn)

    def login(self, user: str) -> None:
        """Log in with PLAIN, and begin the stream anew."""
        token = base64.b64encode(f"\0{user}\0secret".encode()).decode()
        assert self.ask(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>").names == ["success"]
        assert self.ask(xmpp_restart="true", to="localhost").names == ["features"]

    def bind(self, resource: str = "x") -> str:
        """Bind a resource; returns the full JID."""
        wanted = f"<bind xmlns='{ns.BIND}'><resource>{resource}</resource></bind>"
        answer = self.ask(f"<iq xmlns='{ns.CLIENT}' type='set' id='b'>{wanted}</iq>")
        assert answer.names == ["iq"]
        (bound,) = answer.body.children[0].children
        return bound.text_of(ns.BIND, "jid")

    def message(self, to: str, body: str, **attributes: Any) -> Asked:
        """Send a message."""
        return self.ask(
            f"<message xmlns='{ns.CLIENT}' to='{to}' type='chat'><body>{body}</body></message>", **attributes
        )


def bound(office: Office, user: str, **options: Any) -> BoshPeer:
    """A client that has logged in, has a resource and is available."""
    peer = BoshPeer(office, **options)
    peer.login(user)
    peer.bind()
    peer.ask(f"<presence xmlns='{ns.CLIENT}'/>")
    return peer
